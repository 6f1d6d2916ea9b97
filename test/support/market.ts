/** A request of the market and its fulfilment with a proof that holds. */
import { encodeProof } from '../../prover/codec.js';
import {
  inputDigestOf,
  marketRequestId,
  type Fulfilment,
  type MarketTerms,
} from '../../service/chain/market.js';
import { contextOf, farDeadline, type Chain, type TestModel } from './chain.js';

export const marketInput = (1n << 251n) + 77n;

export interface MarketStatement {
  readonly requestId: string;
  readonly terms: MarketTerms;
  readonly fulfilment: Fulfilment;
}

/** Requested by account 3, proven by account 1 for account 2. */
export async function marketStatement(
  chain: Chain,
  model: TestModel,
  change: Partial<MarketTerms> = {},
): Promise<MarketStatement> {
  const { deployment, provider, addresses } = chain;
  const zero = `0x${'00'.repeat(20)}`;
  const terms: MarketTerms = {
    requester: addresses[3],
    nonce: 1n,
    modelId: model.modelId,
    inputDigest: inputDigestOf([marketInput]),
    inputSignalCount: 1,
    minSetupClass: 1,
    attester: zero,
    feeWei: 10n ** 16n,
    deadline: farDeadline,
    lockCollateralWei: 10n ** 15n,
    lockSeconds: 3_600,
    callback: zero,
    callbackGas: 0,
    ...change,
  };
  const requestId = await marketRequestId(provider, deployment, terms);
  const [, operator, payee] = addresses;
  const context = contextOf({
    chainId: deployment.chainId,
    contract: deployment.market,
    requestId,
    modelId: model.modelId,
    vkHash: model.identity.vkHash,
    operator,
    payee,
    deadline: terms.deadline,
  });
  const signals = [marketInput, 123n << 168n];
  const proof = encodeProof(model.prove([context, ...signals]));
  return { requestId, terms, fulfilment: { terms, operator, payee, proof, signals } };
}
