/** The campaigns of the gate tests and of the five verifiers at full length. */
import '../support/slow.js';
import './gate.test.js';
import '../verifiers-agree.test.js';
