/** From a request to the answer: the inputs as the model wants them, its outputs, and the row that will be accepted. */
import { randomBytes } from 'node:crypto';
import { Problem } from './errors.js';
import type { OutputTensor } from './inference/session.js';
import { joinTensors, readTensor, type TensorBody, type TensorValues } from './inference/tensors.js';
import type { InferenceParts, Submission } from './inferences.js';
import type { ModelDescription } from './model-description.js';
import type { ProvenTensor } from './proving/protocol.js';
import type { InferenceRequest } from './schemas.js';
import type { StoredRequest } from './statement.js';
import type { AcceptedInference } from './store/accept.js';

/** Cost units of one proof: thousands of rows, at least one. */
export const unitsOf = (model: Pick<ModelDescription, 'rowCount'>): number =>
  Math.max(1, Math.ceil(model.rowCount / 1000));

/** A request that fits its model; nothing has been run or stored. */
export interface Prepared extends Submission {
  readonly inputs: Map<string, TensorValues>;
  readonly units: number;
}

/** Throws Problem when the request does not fit the model. */
export function prepare(submission: Submission): Prepared {
  const { description } = submission.model;
  checkSetupClass(description, submission.request);
  return {
    ...submission,
    inputs: readInputs(description, submission.request),
    units: unitsOf(description),
  };
}

/** Runs the model; nothing is stored yet. */
export async function answer(
  parts: InferenceParts,
  { caller, model, request, batchId, inputs, units }: Prepared,
): Promise<AcceptedInference> {
  const { statement, terms } = await parts.statements.make(model.description, request);
  const started = performance.now();
  const session = await parts.models.session(model);
  const outputs = (await session.run(inputs)).map((tensor) => outputJson(model.description, tensor));
  const answerMs = performance.now() - started;
  const isCommitted = model.description.inputMode === 'committed';
  const salt = isCommitted ? (request.salt ?? `0x${randomBytes(31).toString('hex')}`) : null;
  const stored: StoredRequest = {
    statement,
    terms,
    minimumSetupClass: request.minimumSetupClass ?? null,
    oracle: parts.oracle,
  };
  return {
    id: `inf_${randomBytes(16).toString('hex')}`,
    tenantId: caller.tenantId,
    modelId: model.id,
    batchId: batchId ?? null,
    settlement: request.settlement,
    units,
    retentionMs: Math.min(request.retentionMs ?? parts.retentionMs, parts.retentionMs),
    request: stored,
    outputs: { tensors: outputs },
    timings: { answer: Math.round(answerMs * 1000) / 1000 },
    tensors: joinTensors(model.description.inputs, inputs),
    salt: salt === null ? null : Buffer.from(salt.slice(2), 'hex'),
    dayLimit: caller.unitsPerDay,
  };
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
