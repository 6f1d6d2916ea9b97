/**
 * Proofs of market requests, as jobs of the queue that the API fills: the same admission, prover hosts, leases and
 * takeover. A job's id follows from the request and from whom it pays, so an operator that was killed finds its job
 * again, waiting or done, and nothing is proven twice.
 */
import { keccak256, toUtf8Bytes } from 'ethers';
import type { Pool } from 'pg';
import { unitsOf, outputJson } from '../answer.js';
import type { Deployment } from '../chain/deployment.js';
import type { MarketTerms } from '../chain/market.js';
import { joinTensors } from '../inference/tensors.js';
import type { Session } from '../inference/session.js';
import type { StoredRequest } from '../statement.js';
import type { AcceptQueue } from '../store/accept.js';
import { readAnyInference, type InferenceRow } from '../store/inferences.js';
import { addTenant } from '../store/keys.js';
import type { ModelRow } from '../store/models.js';
import { failInference } from '../store/proofs.js';
import { readAnyReceipt } from '../store/receipts.js';
import { parseReceipt } from '../verifier/receipt.js';
import { givenTensors } from './market-models.js';
import type { Opening } from './openings.js';

export interface MarketProof {
  /** Without the context. */
  readonly signals: readonly bigint[];
  /** 256 bytes. */
  readonly proof: Uint8Array;
}

export type ProofState =
  | { readonly kind: 'none' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'failed'; readonly reason: string }
  | ({ readonly kind: 'proven'; readonly proveMs: number } & MarketProof);

export interface ProofJobs {
  /** What became of the proof of this request. */
  find(requestId: string): Promise<ProofState>;
  /** Durable when it resolves. Throws InputRefused, or an Error when the queue is full. */
  queue(requestId: string, terms: MarketTerms, opening: Opening): Promise<void>;
  /** Takes back what nobody pays for any more. */
  drop(requestId: string): Promise<void>;
}

export interface ProofJobsOptions {
  readonly pool: Pool;
  readonly accept: AcceptQueue;
  readonly deployment: Deployment;
  readonly operator: string;
  readonly payee: string;
  readonly oracle: StoredRequest['oracle'];
  readonly retentionMs: number;
  readonly find: (modelId: string) => Promise<ModelRow | null>;
  readonly session: (model: ModelRow) => Promise<Session>;
}

/** Jobs of one request that may fail before it is given up. */
const maxTries = 5;

/** Fair share is by tenant: an operator is one, beside those of the API. */
export const tenantOf = (operator: string): string => `market:${operator.toLowerCase()}`;

export async function queuedProofs(options: ProofJobsOptions): Promise<ProofJobs> {
  const { pool, accept, deployment, oracle, retentionMs } = options;
  const [operator, payee] = [options.operator.toLowerCase(), options.payee.toLowerCase()];
  const tenantId = tenantOf(operator);
  await addTenant(pool, tenantId);

  const idOf = (requestId: string, n: number): string =>
    `inf_${keccak256(toUtf8Bytes(['market', requestId, operator, payee, n].join())).slice(2, 34)}`;

  /** The latest try, and the id of the next one when that failed or there is none. */
  const latest = async (requestId: string): Promise<{ row: InferenceRow | null; next: string | null }> => {
    let row: InferenceRow | null = null;
    for (let n = 0; n < maxTries; n++) {
      const id = idOf(requestId, n);
      const found = await readAnyInference(pool, id);
      if (found === null) return { row, next: id };
      row = found;
      if (row.state !== 'failed') return { row, next: null };
    }
    return { row, next: null };
  };

  return {
    async find(requestId) {
      const { row, next } = await latest(requestId);
      if (row === null || (row.state === 'failed' && next !== null)) return { kind: 'none' };
      if (row.state === 'failed') return { kind: 'failed', reason: row.error!.detail };
      const stored = await readAnyReceipt(pool, row.id);
      if (stored === null) return { kind: 'waiting' };
      const { publicSignals, proof } = parseReceipt(stored.body);
      return {
        kind: 'proven',
        proveMs: row.timings['prove'] ?? 0,
        signals: publicSignals.slice(1).map(BigInt),
        proof: Buffer.from(proof.slice(2), 'hex'),
      };
    },

    async queue(requestId, terms, opening) {
      const { next: id } = await latest(requestId);
      const model = await options.find(terms.modelId);
      if (id === null || model === null) return;
      const { description } = model;
      const given = givenTensors(description, opening);
      const started = performance.now();
      const tensors = await (await options.session(model)).run(given);
      const request: StoredRequest = {
        statement: {
          domainTag: 'verinfer/settlement/v1',
          chainId: String(deployment.chainId),
          contract: deployment.market.toLowerCase(),
          requestId: requestId.toLowerCase(),
          modelId: model.id,
          vkHash: description.identity.vkHash,
          operator,
          payee,
          deadline: String(terms.deadline),
        },
        terms: null,
        minimumSetupClass: null,
        oracle,
        isForMarket: true,
      };
      const isCommitted = description.inputMode === 'committed';
      const { outcome } = await accept.accept({
        id,
        tenantId,
        modelId: model.id,
        batchId: null,
        // The operator sends it itself.
        settlement: 'none',
        units: unitsOf(description),
        retentionMs,
        request,
        outputs: { tensors: tensors.map((tensor) => outputJson(description, tensor)) },
        timings: { answer: Math.round(performance.now() - started) },
        tensors: joinTensors(description.inputs, given),
        salt: isCommitted ? Buffer.from(opening.salt.slice(2).padStart(62, '0'), 'hex') : null,
        dayLimit: null,
        idempotencyKey: id,
        bodyDigest: requestId.slice(2),
      });
      if (outcome !== 'accepted' && outcome !== 'duplicate')
        throw new Error(`request ${requestId}: must be queued for proving, got ${outcome}`);
    },

    async drop(requestId) {
      const { row } = await latest(requestId);
      if (row?.state === 'answered' || row?.state === 'proving')
        await failInference(pool, row.id, null, 'cancelled', 'the market has closed the request');
    },
  };
}
