/** Ten times as many chains of operators. */
import '../../support/slow.js';
import './chains.test.js';
