/** From the numbers that were sent to the integers that were committed: what opens the commitment in the proof. */
import { elementQuantization, quantizeValue } from '../../circuits/boundary.js';
import { orderedFloat } from '../../circuits/ordered-float.js';
import type { Manifest } from '../../circuits/manifest.js';
import type { Opening } from '../verifier/schema.js';

/** Row-major numbers of a model's only input, or of each input by name. */
export type Input = ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>;

export const isSingle = (input: Input): input is ArrayLike<number> =>
  Array.isArray(input) || ArrayBuffer.isView(input);

/** The input as the model's own boundary makes it: by QuantizeLinear, in the order of float32, or as it is. */
export function openingOf(
  { inputs, inputMode }: Pick<Manifest, 'inputs' | 'inputMode'>,
  input: Input,
  salt: string | null,
): Opening {
  return {
    salt: inputMode === 'committed' ? salt : null,
    inputs: inputs.map(({ name, dtype, shape, quantization, encoding }) => {
      const given = isSingle(input) ? input : input[name];
      const values = Array.from(given ?? [], (value, i) => {
        if (encoding === 'ordered-float32') return orderedFloat(value);
        return quantization
          ? quantizeValue(value, elementQuantization(quantization, shape, i), dtype)
          : value;
      });
      return { name, dtype, shape: [...shape], values };
    }),
  };
}
