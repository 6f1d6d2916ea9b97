/**
 * Is this receipt what its reader asked for, and is it true? A receipt never supplies its own trust anchors: the
 * reader says which model (or key), which request (or input), which chain and contract; all the receipt says of
 * itself is recomputed from its parts and compared. What cannot be recomputed without a network stays `unknown`.
 */
import type { TrustStatement } from '../trust.js';
import { type ChainReader, type ChainVerdict, checkSettlement } from './chain.js';
import { checkIdentity, checkPayload, checkProof, checkStatement, ownTrust } from './claims.js';
import { type Expectations, requireExpectations } from './expectations.js';
import { type Check, Ledger } from './ledger.js';
import { checkReceipt, parseReceipt, statementDigest } from './receipt.js';
import type { Receipt } from './schema.js';

export interface Verdict {
  /** Every check passed or could not be made; none failed. */
  readonly valid: boolean;
  /** The mathematics holds for the pinned key. Not the same field as `settled`. */
  readonly verifiedOffline: boolean;
  /** Included and final on the chain, as far as the given chain reader shows; unknown without one. */
  readonly settled: ChainVerdict;
  readonly revocation: 'unknown' | 'active' | 'frozen';
  /** Identity of what was proven, the same for every re-randomised proof; undefined for a malformed receipt. */
  readonly statementDigest?: string;
  readonly checks: readonly Check[];
  readonly receipt?: Receipt;
  /** The verifier's own ten sentences for this model, never the receipt's. */
  readonly trust: readonly TrustStatement[];
}

export interface VerifyOptions {
  /** EIP-1193: `window.ethereum`, or `jsonRpc(url)`. */
  readonly chain?: ChainReader;
  /** Model registry to ask whether the model is frozen; pinned by the reader like everything else. */
  readonly registry?: string;
}

/**
 * Never throws for a bad receipt, whatever its bytes: that is `valid: false` with the check that failed.
 * @throws MissingExpectation when the reader does not say what it expects
 */
export async function verifyReceipt(
  source: string | Uint8Array | Receipt,
  expectations: Expectations,
  options: VerifyOptions = {},
): Promise<Verdict> {
  requireExpectations(expectations);
  const ledger = new Ledger();
  const isText = typeof source === 'string' || source instanceof Uint8Array;
  const receipt = ledger.value(
    'form',
    'is a receipt of version 1',
    isText ? 'canonical bytes, closed schema' : 'closed schema',
    () => (isText ? parseReceipt(source) : checkReceipt(source)),
  );
  if (receipt === undefined) {
    return {
      valid: false,
      verifiedOffline: false,
      settled: 'unknown',
      revocation: 'unknown',
      checks: ledger.checks,
      trust: [],
    };
  }
  checkIdentity(ledger, receipt, expectations);
  const signals = checkStatement(ledger, receipt, expectations);
  checkPayload(ledger, receipt, expectations);
  const holds = await checkProof(ledger, receipt, signals);
  const nothingFailed = () => ledger.checks.every(({ status }) => status !== 'fail');
  // Before the chain is asked: what it says must not colour what the mathematics says.
  const verifiedOffline = holds && nothingFailed();
  const { settled, revocation } = await checkSettlement(ledger, receipt, options.chain, options.registry);
  return {
    valid: nothingFailed(),
    verifiedOffline,
    settled,
    revocation,
    ...(signals && { statementDigest: statementDigest(receipt.statement.vkHash, signals) }),
    checks: ledger.checks,
    receipt,
    trust: ownTrust(receipt),
  };
}
