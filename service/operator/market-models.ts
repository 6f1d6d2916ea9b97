/**
 * The models an operator may prove: those of its installation that a prover can load. Whoever acknowledges an opening may
 * lock collateral, so everything is asked here that could keep a fulfilment from being accepted.
 */
import { elementQuantization } from '../../circuits/boundary.js';
import { InputRefused } from '../../circuits/errors.js';
import { check, type CompiledModel } from '../../circuits/index.js';
import type { Manifest } from '../../circuits/manifest.js';
import { floatOfOrder } from '../../circuits/ordered-float.js';
import { inputDigestOf, type MarketTerms } from '../chain/market.js';
import { Problem } from '../errors.js';
import { readTensor, type TensorSpec, type TensorValues } from '../inference/tensors.js';
import type { ModelDescription } from '../model-description.js';
import type { ModelRow } from '../store/models.js';
import { inputSignals, signalLayout } from '../verifier/manifest.js';
import type { Receipt } from '../verifier/schema.js';
import type { OpenCommitment, Opening } from './openings.js';

export interface MarketModels {
  /** null for a model that nobody here can prove now. */
  rowCount(modelId: string): Promise<number | null>;
  readonly open: OpenCommitment;
}

/** The input signals that an opening leads to, without a circuit: cheap enough for whoever knows a request's id. */
export function committedSignals(manifest: Manifest, { inputs, salt }: Opening): readonly bigint[] {
  requireNames(manifest, inputs);
  const layout = signalLayout(manifest as unknown as Receipt['manifest']);
  const tensors = layout.inputs.map(({ name, dtype, shape, elementCount }) => {
    const values = [...(inputs[name] ?? [])];
    if (values.length !== elementCount)
      refuse(`input "${name}"`, 'size', `${elementCount} elements`, String(values.length));
    return { name, dtype, shape: [...shape], values };
  });
  return inputSignals(layout, { inputs: tensors, salt });
}

/**
 * The input signals that an opening leads to in the circuit. An input without an answer has no proof (a division by 0, an index outside
 * its table), and terms that count outputs among the inputs leave none. Throws InputRefused.
 */
export function openedSignals(
  compiled: CompiledModel,
  opening: Opening,
  inputSignalCount: number,
): readonly bigint[] {
  const { inputMode, inputs: specs } = compiled.manifest;
  const count = inputMode === 'committed' ? 1 : specs.reduce((sum, tensor) => sum + tensor.signalCount, 0);
  if (inputSignalCount !== count)
    refuse('terms', 'inputSignalCount', String(count), String(inputSignalCount));
  requireNames(compiled.manifest, opening.inputs);
  const inputs = new Map<string, Int32Array>();
  for (const [name, values] of Object.entries(opening.inputs)) {
    const integers = Int32Array.from(values);
    const bad = values.findIndex((value, i) => value !== integers[i]);
    if (bad >= 0) refuse(`input "${name}"`, `element ${bad}`, 'a 32-bit integer', String(values[bad]));
    inputs.set(name, integers);
  }
  compiled.reference(inputs);
  const statement = compiled.computeWitness({ inputs, ctx: 0n, salt: BigInt(opening.salt) });
  const checked = check(compiled.r1cs, statement.witness, { labels: compiled.labels });
  if (!checked.ok) refuse('input', 'proof', 'possible', `none (${checked.label})`);
  return statement.publicSignals.slice(1, 1 + count);
}

function requireNames({ inputs }: Manifest, given: Opening['inputs']): void {
  const stranger = Object.keys(given).find((name) => !inputs.some((spec) => spec.name === name));
  if (stranger !== undefined)
    refuse(`input "${stranger}"`, 'name', inputs.map(({ name }) => name).join(' or '), stranger);
}

/**
 * What the model is given so that these are its integers: of a float input, the numbers that it rounds to them. Throws
 * Problem for what no caller of the API could give either: places in the order of floats that are NaN or infinite.
 */
export function givenTensors(
  description: ModelDescription,
  opening: Opening,
): ReadonlyMap<string, TensorValues> {
  const { inputs } = description.manifest as unknown as Manifest;
  return new Map(
    description.inputs.map((spec: TensorSpec, i) => {
      const { quantization, encoding, shape } = inputs[i]!;
      const integers = opening.inputs[spec.name]!;
      const numbers =
        encoding === 'ordered-float32'
          ? integers.map(floatOfOrder)
          : quantization === undefined
            ? integers
            : integers.map((value, at) => {
                const { scale, zeroPoint } = elementQuantization(quantization, shape, at);
                return Math.fround((value - zeroPoint) * scale);
              });
      return [spec.name, readTensor(spec, { data: numbers }, `opening.inputs.${spec.name}`)];
    }),
  );
}

export interface MarketModelsOptions {
  readonly find: (modelId: string) => Promise<ModelRow | null>;
  readonly isProvable: (model: ModelRow) => Promise<boolean>;
  readonly circuit: (model: ModelRow) => Promise<CompiledModel>;
}

const mostVerdicts = 10_000;

export function marketModels({ find, isProvable, circuit }: MarketModelsOptions): MarketModels {
  // A witness blocks this process: one for each commitment, however often its opening is sent.
  const verdicts = new Map<string, Promise<void>>();
  const prove = async (model: ModelRow, opening: Opening, terms: MarketTerms): Promise<void> => {
    const { inputSignalCount, inputDigest } = terms;
    requireDigest(openedSignals(await circuit(model), opening, inputSignalCount), inputDigest);
    givenTensors(model.description, opening);
  };
  return {
    async rowCount(modelId) {
      const model = await find(modelId);
      return model !== null && (await isProvable(model)) ? model.description.rowCount : null;
    },
    async open(terms, opening) {
      const { modelId, inputDigest, inputSignalCount } = terms;
      const model = (await find(modelId)) ?? refuse('request', 'modelId', 'one of this operator', modelId);
      const manifest = model.description.manifest as unknown as Manifest;
      requireDigest(committedSignals(manifest, opening), inputDigest);
      const key = [modelId, inputDigest, inputSignalCount].join();
      const known = verdicts.get(key) ?? prove(model, opening, terms);
      if (!verdicts.has(key) && verdicts.size >= mostVerdicts) verdicts.clear();
      verdicts.set(key, known);
      await known.catch((error: unknown) => {
        if (!(error instanceof InputRefused || error instanceof Problem)) verdicts.delete(key);
        throw error;
      });
    },
  };
}

function requireDigest(signals: readonly bigint[], expected: string): void {
  const got = inputDigestOf(signals);
  if (got !== expected) refuse('opening', 'input digest', expected, got);
}

function refuse(where: string, what: string, expected: string, got: string): never {
  throw new InputRefused({ where, what, expected, got });
}
