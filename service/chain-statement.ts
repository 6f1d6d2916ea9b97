/** The statement of an inference that settles on chain, from what the settler shares about its chain. */
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { requestIdOf } from './chain/settlement.js';
import { Problem } from './errors.js';
import type { ModelDescription } from './model-description.js';
import type { InferenceRequest } from './schemas.js';
import type { ChainFacts, StoredRequest } from './statement.js';
import { readFact } from './store/models.js';

/** Settlements whose nonces differ only in the low byte share a storage slot, and its price. */
class NonceLane {
  private lane = 0n;
  private index = 256n;
  next(): bigint {
    if (this.index > 255n) {
      this.lane = BigInt(`0x${randomBytes(31).toString('hex')}`);
      this.index = 0n;
    }
    return (this.lane << 8n) | this.index++;
  }
}

const defaultLifeS = 7 * 86_400;

export function chainStatements(
  pool: Pool,
): (
  model: ModelDescription,
  request: InferenceRequest,
) => Promise<Pick<StoredRequest, 'statement' | 'terms'>> {
  let facts: { readonly value: ChainFacts | null; readonly until: number } = { value: null, until: 0 };
  const lane = new NonceLane();
  return async (model, request) => {
    if (facts.until < Date.now())
      facts = { value: await readFact<ChainFacts>(pool, 'chain'), until: Date.now() + 2_000 };
    const chain = facts.value;
    if (!chain)
      throw new Problem('settlement-unavailable', 'no settler has announced a chain', [
        { field: 'body.settlement', expected: 'none' },
      ]);
    const requester = (request.requester ?? chain.operator).toLowerCase();
    const deadline = BigInt(request.deadline ?? Math.floor(Date.now() / 1000) + defaultLifeS);
    const nonce = lane.next();
    return {
      statement: {
        domainTag: 'verinfer/settlement/v1',
        chainId: String(chain.chainId),
        contract: chain.settlement.toLowerCase(),
        requestId: requestIdOf({ requester, nonce, modelId: model.modelId, deadline }),
        modelId: model.modelId,
        vkHash: model.identity.vkHash,
        operator: chain.operator.toLowerCase(),
        payee: (request.payee ?? chain.payee).toLowerCase(),
        deadline: String(deadline),
      },
      terms: { requester, nonce: String(nonce) },
    };
  };
}
