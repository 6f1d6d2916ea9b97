/**
 * The models an operator may prove: those of its installation that a prover can load. An opening is put to the whole of
 * what the circuit will demand of an input, so that what was acknowledged can be proved.
 */
import { elementQuantization } from '../../circuits/boundary.js';
import { InputRefused } from '../../circuits/errors.js';
import { inputRange } from '../../circuits/inputs.js';
import type { Manifest } from '../../circuits/manifest.js';
import { floatOfOrder } from '../../circuits/ordered-float.js';
import { elementCount } from '../../circuits/tensor.js';
import { readTensor, type TensorSpec, type TensorValues } from '../inference/tensors.js';
import type { ModelDescription } from '../model-description.js';
import type { ModelRow } from '../store/models.js';
import { inputSignals, signalLayout } from '../verifier/manifest.js';
import type { Tensor } from '../verifier/schema.js';
import type { OpenCommitment, Opening } from './openings.js';

export interface MarketModels {
  /** null for a model that nobody here can prove now. */
  rowCount(modelId: string): Promise<number | null>;
  readonly open: OpenCommitment;
}

const manifestOf = (description: ModelDescription): Manifest => description.manifest as unknown as Manifest;

/** The signals an opening leads to. Throws InputRefused for what is no input of the model. */
export function openedSignals(description: ModelDescription, opening: Opening): readonly bigint[] {
  const { inputs } = manifestOf(description);
  const unknown = Object.keys(opening.inputs).find((name) => !inputs.some((input) => input.name === name));
  if (unknown !== undefined) refuse(unknown, 'name', inputs.map(({ name }) => name).join(' or '), unknown);
  const tensors = inputs.map(({ name, dtype, shape, range }): Tensor => {
    const values = Object.hasOwn(opening.inputs, name) ? opening.inputs[name]! : [];
    const count = elementCount(shape);
    if (values.length !== count) refuse(name, 'size', `${count} integers`, String(values.length));
    const { min, max } = inputRange(dtype, range);
    const bad = values.findIndex((value) => !Number.isInteger(value) || value < min || value > max);
    if (bad >= 0) refuse(name, `element ${bad}`, `from ${min} to ${max}`, String(values[bad]));
    return { name, dtype: dtype as Tensor['dtype'], shape: [...shape], values: [...values] };
  });
  return inputSignals(signalLayout(description.manifest as never), { inputs: tensors, salt: opening.salt });
}

/**
 * What the model is given so that these are its integers: of a float input, the numbers that it rounds to them. Throws
 * Problem for what no caller of the API could give either: places in the order of floats that are NaN or infinite.
 */
export function givenTensors(
  description: ModelDescription,
  opening: Opening,
): ReadonlyMap<string, TensorValues> {
  const { inputs } = manifestOf(description);
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

/** Of the models that `find` knows. */
export function marketModels(
  find: (modelId: string) => Promise<ModelRow | null>,
  isProvable: (model: ModelRow) => Promise<boolean>,
): MarketModels {
  return {
    async rowCount(modelId) {
      const model = await find(modelId);
      return model !== null && (await isProvable(model)) ? model.description.rowCount : null;
    },
    async open(modelId, opening, inputSignalCount) {
      const model = await find(modelId);
      if (model === null) refuse(modelId, 'model', 'one of this operator', 'another');
      const signals = openedSignals(model.description, opening);
      givenTensors(model.description, opening);
      return signals.slice(0, inputSignalCount);
    },
  };
}

function refuse(where: string, what: string, expected: string, got: string): never {
  throw new InputRefused({ where: `input "${where}"`, what, expected, got });
}
