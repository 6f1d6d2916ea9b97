/** A million damaged files: 400,000 of a ceremony here, 100,000 derived ones, 500,000 keys in native-engine.slow. */
import '../support/slow.js';
import './files.test.js';
import './derive.test.js';
