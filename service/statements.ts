/** The statement of a new inference: for the chain that the settler announced, or for none. */
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { ownNonce, requestIdOf } from './chain/settlement.js';
import { Problem } from './errors.js';
import type { ModelDescription } from './model-description.js';
import type { InferenceRequest } from './schemas.js';
import { offlineStatement, type ChainFacts, type StoredRequest } from './statement.js';
import { readFact } from './store/models.js';

/** Nonces that the signer alone can use up, a lane after the other. */
class NonceLane {
  private lane = 0n;
  private index = 256n;
  next(submitter: string): bigint {
    if (this.index > 255n) {
      this.lane = BigInt(`0x${randomBytes(11).toString('hex')}`);
      this.index = 0n;
    }
    return ownNonce(submitter, this.lane, this.index++);
  }
}

const defaultLifeS = 7 * 86_400;
const factsKeptMs = 2_000;

export class Statements {
  private readonly lane = new NonceLane();
  private known: { readonly facts: ChainFacts | null; readonly until: number } = { facts: null, until: 0 };

  constructor(private readonly pool: Pool) {}

  /** null where no settler has announced a chain. */
  async chainFacts(): Promise<ChainFacts | null> {
    if (this.known.until < Date.now())
      this.known = { facts: await readFact<ChainFacts>(this.pool, 'chain'), until: Date.now() + factsKeptMs };
    return this.known.facts;
  }

  /** Throws Problem 'settlement-unavailable'. */
  async make(
    model: ModelDescription,
    request: InferenceRequest,
  ): Promise<Pick<StoredRequest, 'statement' | 'terms'>> {
    const chain = await this.chainFacts();
    if (request.settlement === 'none')
      return { statement: offlineStatement(model, request.nonce, chain), terms: null };
    if (!chain)
      throw new Problem('settlement-unavailable', 'no settler has announced a chain', [
        { field: 'body.settlement', expected: 'none' },
      ]);
    const requester = (request.requester ?? chain.operator).toLowerCase();
    const deadline = BigInt(request.deadline ?? Math.floor(Date.now() / 1000) + defaultLifeS);
    if (deadline <= BigInt(Math.floor(Date.now() / 1000)))
      throw new Problem('invalid-request', 'the deadline has passed', [
        { field: 'body.deadline', expected: 'a time to come' },
      ]);
    const nonce = this.lane.next(chain.operator);
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
  }
}
