/** From a request to an accepted, answered inference. Plain functions on plain data; no Express. */
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { Problem } from './errors.js';
import { readTensor, type TensorBody, type TensorValues, joinTensors } from './inference/tensors.js';
import type { OutputTensor } from './inference/session.js';
import type { LoadedModels } from './loaded-models.js';
import type { ProvenTensor } from './proving/protocol.js';
import type { ModelDescription } from './model-description.js';
import type { Caller } from './operation.js';
import type { InferenceRequest } from './schemas.js';
import type { StoredRequest } from './statement.js';
import type { Statements } from './statements.js';
import type { AcceptQueue } from './store/accept.js';
import { readInference, readSalt, type InferenceRow } from './store/inferences.js';
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
  readonly idempotencyKey?: string | undefined;
  readonly bodyDigest: string;
  readonly batchId?: string;
}

/** Cost units of one proof: thousands of rows, at least one. */
export const unitsOf = (model: Pick<ModelDescription, 'rowCount'>): number =>
  Math.max(1, Math.ceil(model.rowCount / 1000));

/**
 * Runs the model and stores the inference with its job, durably, before it resolves. Throws Problem before anything is
 * queued when the input does not fit.
 */
export async function submitInference(parts: InferenceParts, submission: Submission): Promise<Accepted> {
  const { caller, model, request } = submission;
  checkSetupClass(model.description, request);
  const inputs = readInputs(model.description, request);
  const { statement, terms } = await parts.statements.make(model.description, request);
  const started = performance.now();
  const session = await parts.models.session(model);
  const outputs = (await session.run(inputs)).map((tensor) => outputJson(model.description, tensor));
  const answerMs = performance.now() - started;
  const isCommitted = model.description.inputMode === 'committed';
  const salt = isCommitted ? (request.salt ?? `0x${randomBytes(31).toString('hex')}`) : undefined;
  const id = `inf_${randomBytes(16).toString('hex')}`;
  const now = new Date();
  const stored: StoredRequest = {
    statement,
    terms,
    minimumSetupClass: request.minimumSetupClass ?? null,
    oracle: parts.oracle,
  };
  const outcome = await parts.queue.accept({
    id,
    tenantId: caller.tenantId,
    modelId: model.id,
    ...(submission.batchId ? { batchId: submission.batchId } : {}),
    ...(submission.idempotencyKey
      ? { idempotencyKey: submission.idempotencyKey, bodyDigest: submission.bodyDigest }
      : {}),
    settlement: request.settlement,
    units: unitsOf(model.description),
    retentionMs: Math.min(request.retentionMs ?? parts.retentionMs, parts.retentionMs),
    request: stored,
    outputs: { tensors: outputs },
    timings: { answer: round(answerMs) },
    tensors: joinTensors(model.description.inputs, inputs),
    salt: salt ? Buffer.from(salt.slice(2), 'hex') : null,
    dayLimit: caller.unitsPerDay,
  });
  parts.observeAnswer((performance.now() - started) / 1000);
  if (outcome.outcome === 'duplicate') return replay(parts, caller, outcome.resourceId);
  if (outcome.outcome !== 'accepted') throw refusalOf(outcome.outcome);
  const row: InferenceRow = {
    id,
    tenantId: caller.tenantId,
    modelId: model.id,
    batchId: submission.batchId ?? null,
    state: 'answered',
    settlement: request.settlement,
    units: unitsOf(model.description),
    request: { ...stored },
    outputs: { tensors: outputs },
    timings: { answer: round(answerMs) },
    settled: null,
    error: null,
    createdAt: now,
    provingAt: null,
    provenAt: null,
    submittedAt: null,
    settledAt: null,
    failedAt: null,
  };
  return { row, salt, replayed: false };
}

async function replay(parts: InferenceParts, caller: Caller, id: string): Promise<Accepted> {
  const row = await readInference(parts.pool, caller.tenantId, id);
  if (!row)
    throw new Problem('idempotency-mismatch', 'this Idempotency-Key belongs to another kind of request');
  const salt = await readSalt(parts.pool, id);
  return { row, salt: salt ? `0x${salt.toString('hex')}` : undefined, replayed: true };
}

export function refusalOf(outcome: 'mismatch' | 'quota' | 'full'): Problem {
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

function checkSetupClass(model: ModelDescription, request: InferenceRequest): void {
  if (request.minimumSetupClass === 'ceremony' && model.identity.setupClass !== 'ceremony')
    throw new Problem(
      'setup-too-weak',
      'Whoever ran this setup can forge proofs for this model. Do not use for value.',
      [{ field: 'body.minimumSetupClass', expected: model.identity.setupClass, got: 'ceremony' }],
    );
}

export function readInputs(
  model: Pick<ModelDescription, 'inputs'>,
  request: Pick<InferenceRequest, 'input' | 'inputs'>,
): Map<string, TensorValues> {
  const given = request.inputs ?? {};
  if (request.input !== undefined && (request.inputs !== undefined || model.inputs.length !== 1))
    throw badInput(
      'body.input',
      `"inputs" with ${model.inputs.map(({ name }) => name).join(', ')}`,
      '"input"',
    );
  const values = new Map<string, TensorValues>();
  for (const spec of model.inputs) {
    const field = request.input ? 'body.input' : `body.inputs.${spec.name}`;
    const body: TensorBody | undefined =
      request.input ?? (Object.hasOwn(given, spec.name) ? given[spec.name] : undefined);
    if (!body)
      throw badInput(
        request.inputs ? field : 'body.input',
        `${spec.dtype}[${spec.shape.join(', ')}]`,
        'nothing',
      );
    values.set(spec.name, readTensor(spec, body, field));
  }
  const unknown = Object.keys(given).find((name) => !values.has(name));
  if (unknown !== undefined)
    throw badInput(`body.inputs.${unknown.slice(0, 64)}`, 'an input of the model', 'an unknown name');
  return values;
}

const badInput = (field: string, expected: string, got: string): Problem =>
  new Problem('invalid-input', `${field} must be ${expected}, got ${got}`, [{ field, expected, got }]);

export function outputJson(
  model: ModelDescription,
  tensor: OutputTensor,
): ProvenTensor & { readonly proven: boolean } {
  const spec = model.outputs.find(({ name }) => name === tensor.name);
  const shape = [...tensor.shape].map(Number);
  return {
    name: tensor.name,
    dtype: spec?.dtype ?? tensor.dtype,
    shape,
    data: Array.from(tensor.values as ArrayLike<number | bigint>, Number),
    proven: spec !== undefined,
  };
}

export const round = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;

/** Whether nothing more will happen to it. */
export function isOver(row: Pick<InferenceRow, 'state' | 'settlement'>): boolean {
  return (
    row.state === 'settled' || row.state === 'failed' || (row.state === 'proven' && row.settlement === 'none')
  );
}

export function inferenceJson(row: InferenceRow, salt?: string): object {
  const request = row.request as unknown as StoredRequest;
  return {
    id: row.id,
    modelId: row.modelId,
    batchId: row.batchId,
    state: row.state,
    settlement: row.settlement,
    outputs: (row.outputs as { tensors: unknown[] }).tensors,
    statement: request.statement,
    ...(salt ? { salt } : {}),
    units: row.units,
    timings: row.timings,
    settled: row.settled,
    error: row.error,
    createdAt: row.createdAt.toISOString(),
    provenAt: row.provenAt?.toISOString() ?? null,
    settledAt: row.settledAt?.toISOString() ?? null,
  };
}
