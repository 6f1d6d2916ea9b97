import '../support/slow.js';
import './signer-hostile.test.js';
