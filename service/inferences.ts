/** From a request to an accepted, answered inference, or a batch of them. Plain functions on plain data; no Express. */
import type { Pool } from 'pg';
import { answer, prepare, type Prepared } from './answer.js';
import { Problem } from './errors.js';
import type { LoadedModels } from './loaded-models.js';
import type { Caller } from './operation.js';
import type { InferenceRequest } from './schemas.js';
import type { StoredRequest } from './statement.js';
import type { Statements } from './statements.js';
import type { AcceptedInference, AcceptQueue, Foreseen, Idempotency } from './store/accept.js';
import { readBatch, readInference, readSalt, type InferenceRow } from './store/inferences.js';
import type { ModelRow } from './store/models.js';

export interface InferenceParts {
  readonly pool: Pool;
  readonly models: LoadedModels;
  readonly queue: AcceptQueue;
  readonly retentionMs: number;
  readonly statements: Statements;
  readonly oracle: StoredRequest['oracle'];
  readonly observeAnswer: (seconds: number) => void;
}

export interface Accepted {
  readonly row: InferenceRow;
  readonly salt: string | undefined;
  readonly replayed: boolean;
}

export interface Submission {
  readonly caller: Caller;
  readonly model: ModelRow;
  readonly request: InferenceRequest;
  readonly batchId?: string;
}

/** The model a caller may run now, by id or name. */
export async function runnableModel(
  { models }: Pick<InferenceParts, 'models'>,
  caller: Caller,
  idOrName: string,
): Promise<ModelRow> {
  const model = await models.find(caller.tenantId, idOrName);
  if (model.frozenAt) throw new Problem('model-busy', 'this model is frozen');
  await models.requireProvable(model);
  return model;
}

/**
 * Runs the model and stores the inference with its job, durably, before it resolves. A request that does not fit its model,
 * is over a limit, or came before under its key costs no run.
 */
export async function submitInference(
  parts: InferenceParts,
  submission: Submission,
  idempotency: Idempotency | null,
): Promise<Accepted> {
  const started = performance.now();
  const prepared = prepare(submission);
  const { outcome: foreseen, resourceId: earlier } = await foresee(parts, [prepared], idempotency);
  if (foreseen === 'duplicate') return replay(parts, submission.caller, earlier!);
  const answered = await answer(parts, prepared);
  const { outcome, resourceId, createdAt } = await parts.queue.accept({ ...answered, ...idempotency });
  parts.observeAnswer((performance.now() - started) / 1000);
  if (outcome === 'duplicate') return replay(parts, submission.caller, resourceId!);
  if (outcome !== 'accepted') throw refusalOf(outcome);
  return fresh(answered, createdAt);
}

/** All of a batch or nothing. The salt and the nonce are each item's own. */
export async function submitBatch(
  parts: InferenceParts,
  batchId: string,
  submissions: readonly Submission[],
  idempotency: Idempotency | null,
): Promise<Accepted[]> {
  const prepared = submissions.map((submission, i) => {
    try {
      return prepare({ ...submission, batchId });
    } catch (error) {
      // What the batch asks for as a whole is no item's fault.
      throw error instanceof Problem && error.code === 'invalid-input' ? ofItem(error, i) : error;
    }
  });
  const started = performance.now();
  const { outcome: foreseen, resourceId: earlier } = await foresee(parts, prepared, idempotency);
  if (foreseen === 'duplicate') return replayBatch(parts, submissions[0]!.caller, earlier!);
  const answered: AcceptedInference[] = [];
  for (const item of prepared) answered.push(await answer(parts, item));
  // The key stands for the batch, and the first item carries it.
  const rows = answered.map((row, i) => (i === 0 ? { ...row, ...idempotency } : row));
  const { outcome, resourceId, createdAt } = await parts.queue.acceptTogether(rows);
  const seconds = (performance.now() - started) / 1000;
  if (outcome === 'duplicate') return replayBatch(parts, submissions[0]!.caller, resourceId!);
  if (outcome !== 'accepted') throw refusalOf(outcome);
  answered.forEach(() => parts.observeAnswer(seconds / answered.length));
  return answered.map((row) => fresh(row, createdAt));
}

/** Throws Problem for what would be refused. */
async function foresee(
  { queue }: InferenceParts,
  prepared: readonly Prepared[],
  idempotency: Idempotency | null,
): Promise<Foreseen> {
  const { caller } = prepared[0]!;
  const foreseen = await queue.foresee({
    tenantId: caller.tenantId,
    count: prepared.length,
    units: prepared.reduce((sum, { units }) => sum + units, 0),
    dayLimit: caller.unitsPerDay,
    ...idempotency,
  });
  if (foreseen.outcome !== 'open' && foreseen.outcome !== 'duplicate') throw refusalOf(foreseen.outcome);
  return foreseen;
}

const ofItem = (problem: Problem, i: number): Problem =>
  new Problem(
    problem.code,
    `items.${i}: ${problem.detail}`,
    problem.issues.map((issue) => ({ ...issue, field: issue.field.replace(/^body/, `body.items.${i}`) })),
  );

function fresh(answered: AcceptedInference, createdAt: Date): Accepted {
  const { id, tenantId, modelId, batchId, settlement, units, request, outputs, timings, salt } = answered;
  return {
    row: {
      ...{ id, tenantId, modelId, batchId, settlement, units, createdAt },
      state: 'answered',
      request: { ...request },
      outputs: { ...outputs },
      timings: { ...timings },
      settled: null,
      error: null,
      provingAt: null,
      provenAt: null,
      submittedAt: null,
      settledAt: null,
      failedAt: null,
    },
    salt: saltText(salt),
    replayed: false,
  };
}

async function replay(parts: InferenceParts, caller: Caller, id: string): Promise<Accepted> {
  const row = await readInference(parts.pool, caller.tenantId, id);
  if (!row)
    throw new Problem('idempotency-mismatch', 'this Idempotency-Key belongs to another kind of request');
  return { row, salt: saltText(await readSalt(parts.pool, id)), replayed: true };
}

async function replayBatch(parts: InferenceParts, caller: Caller, batchId: string): Promise<Accepted[]> {
  const rows = await readBatch(parts.pool, caller.tenantId, batchId);
  if (rows.length === 0)
    throw new Problem('idempotency-mismatch', 'this Idempotency-Key belongs to another kind of request');
  return Promise.all(
    rows.map(async (row) => ({ row, salt: saltText(await readSalt(parts.pool, row.id)), replayed: true })),
  );
}

const saltText = (salt: Uint8Array | null): string | undefined =>
  salt ? `0x${Buffer.from(salt).toString('hex')}` : undefined;

function refusalOf(outcome: 'mismatch' | 'quota' | 'full'): Problem {
  if (outcome === 'mismatch')
    return new Problem('idempotency-mismatch', 'the same Idempotency-Key came with another body');
  if (outcome === 'quota')
    return new Problem('quota-exhausted', 'the cost units of today are used up', [], {
      'Retry-After': String(secondsToMidnight()),
    });
  return new Problem('queue-full', 'finish or cancel some inferences first', [], { 'Retry-After': '10' });
}

function secondsToMidnight(): number {
  return 86_400 - (Math.floor(Date.now() / 1000) % 86_400);
}
