import '../support/slow.js';
import './signer-schedules.test.js';
