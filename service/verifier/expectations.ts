/** What the reader of a receipt says from a source other than the receipt: its only trust anchors. */
import type { Opening, Tensor } from './schema.js';

export interface Expectations {
  /** The model asked for, from a source other than the receipt. Pins the key, the setup class and the manifest. */
  readonly modelId?: string | undefined;
  /** The key alone, where the model is not pinned: setup class and manifest are then the operator's word. */
  readonly vkHash?: string | undefined;
  /** The request this must answer: the settlement's id, or the nonce the client chose. */
  readonly requestId?: string | undefined;
  /** The input this must answer, with its salt: opened against the commitment in the proof. */
  readonly input?: Opening | undefined;
  /** Both mandatory when the statement is for a chain. */
  readonly chainId?: bigint | number | string | undefined;
  readonly contract?: string | undefined;
  readonly outputs?: readonly Tensor[] | undefined;
  readonly operator?: string | undefined;
  /** Refuse the development class. Needs modelId. */
  readonly minimumSetupClass?: 'ceremony' | undefined;
  /** A local proof is signed by nobody; everything outside the proof is then unauthenticated. */
  readonly allowUnsigned?: boolean | undefined;
}

/** @throws MissingExpectation */
export function requireExpectations({
  modelId,
  vkHash,
  requestId,
  input,
  chainId,
  contract,
}: Expectations): void {
  if (modelId === undefined && vkHash === undefined) throw new MissingExpectation('modelId or vkHash');
  if (requestId === undefined && input === undefined) throw new MissingExpectation('requestId or input');
  if ((chainId === undefined) !== (contract === undefined))
    throw new MissingExpectation('chainId and contract, both or neither');
}

/** The reader must say what it expects: a receipt that vouches for itself proves nothing. */
export class MissingExpectation extends Error {
  constructor(readonly what: string) {
    super(`expectations: ${what} must be given by the reader, from a source other than the receipt`);
    this.name = 'MissingExpectation';
  }
}
