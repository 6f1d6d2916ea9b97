/** The ceremony campaigns at full length: 100 turns gone wrong, 100 kills. */
import '../../support/slow.js';
import './ceremony.test.js';
