/** The ceremony files' campaigns at full length: every mutant by two verifiers, 500 flips. */
import '../support/slow.js';
import './ceremony.test.js';
