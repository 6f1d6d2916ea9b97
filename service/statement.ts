/** The context an inference is proven for: every field of `ctx`, as the text that requests, receipts and jobs carry. */
import { randomBytes } from 'node:crypto';
import type { ModelDescription } from './model-description.js';

export interface Statement {
  readonly domainTag: 'verinfer/settlement/v1' | 'verinfer/offline/v1';
  readonly chainId: string;
  readonly contract: string;
  readonly requestId: string;
  readonly modelId: string;
  readonly vkHash: string;
  readonly operator: string;
  readonly payee: string;
  readonly deadline: string;
}

/** inferences.request, as stored. */
export interface StoredRequest {
  readonly statement: Statement;
  /** Preimage of a settlement's request id; integers as decimal text. */
  readonly terms: { readonly requester: string; readonly nonce: string } | null;
  readonly minimumSetupClass: string | null;
  /** What answered: ONNX Runtime's version and the verdict of its self-test on that machine. */
  readonly oracle: { readonly runtime: string; readonly selfTest: 'pass' | 'fail' };
  /** A fulfilment of the market: its operator takes the proof from the receipt and sends it; nobody seals the receipt. */
  readonly isForMarket?: true;
}

/** What the signer shares about its chain; see shared_facts. */
export interface ChainFacts {
  readonly chainId: number;
  readonly verifier: string;
  readonly registry: string;
  readonly settlement: string;
  readonly market: string;
  readonly operator: string;
  readonly payee: string;
}

export const zeroAddress = `0x${'00'.repeat(20)}`;

/** A proof for no chain: the client's 32-byte nonce is the request id. The operator, where there is one, signs the receipt. */
export function offlineStatement(
  model: ModelDescription,
  nonce: string | undefined,
  chain: ChainFacts | null = null,
): Statement {
  return {
    domainTag: 'verinfer/offline/v1',
    chainId: '0',
    contract: zeroAddress,
    requestId: nonce ?? `0x${randomBytes(32).toString('hex')}`,
    modelId: model.modelId,
    vkHash: model.identity.vkHash,
    operator: chain?.operator.toLowerCase() ?? zeroAddress,
    payee: chain?.payee.toLowerCase() ?? zeroAddress,
    deadline: '0',
  };
}
