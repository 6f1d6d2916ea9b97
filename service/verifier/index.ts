/** `verinfer/verifier`: check a receipt with nothing but its bytes and your expectations. No GPL code, Node and browser. */
export {
  decodeProof,
  decodeVerifyingKey,
  encodeProof,
  parseSignals,
  verifyingKeyBytes,
  vkHash,
} from '../../prover/codec.js';
export { MalformedProof, MalformedVerifyingKey } from '../../prover/gate.js';
export type { Proof, VerifyingKey } from '../../prover/keys.js';
export { verify } from '../../prover/verify.js';
export { type TrustStatement, trustStatements } from '../trust.js';
export { type ChainReader, type ChainVerdict, jsonRpc } from './chain.js';
export { type Expectations, MissingExpectation } from './expectations.js';
export type { Check } from './ledger.js';
export { encodeReceipt, MalformedReceipt, parseReceipt, statementDigest } from './receipt.js';
export { requestIdOf } from './request-id.js';
export type { Opening, Receipt, Settlement, Tensor } from './schema.js';
export { receiptTypedData, recoverSigner } from './signature.js';
export { type Verdict, verifyReceipt, type VerifyOptions } from './verify-receipt.js';
