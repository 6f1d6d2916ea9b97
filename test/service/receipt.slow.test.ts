/** The campaigns of the receipt tests at full length; the exhaustive ones run in the fast tier already. */
import '../support/slow.js';
import './receipt-attacks.test.js';
import './receipt-independent.test.js';
import './receipt-proofs.test.js';
