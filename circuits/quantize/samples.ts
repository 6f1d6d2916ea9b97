/** Arrays of samples, as `.npz` files hold them, cut into one model input each. */
import { InputRefused } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { sizeOf } from '../onnx/shape.js';
import type { CalibrationInput } from './calibrate.js';
import type { NpyArray } from './npz.js';

/** Names looked for, in this order, when the model has one input and no array bears its name. */
const CALIBRATION_NAMES = ['x_calib', 'calibration', 'x', 'X', 'input', 'inputs'];
const EVALUATION_NAMES = ['x', 'X', 'x_test', 'input', 'inputs'];
const LABEL_NAMES = ['y', 'labels', 'label', 'y_test'];

/** Every sample of every graph input; the arrays of all inputs must hold equally many. Throws InputRefused. */
export function samplesOf(
  graph: Graph,
  arrays: ReadonlyMap<string, NpyArray>,
  purpose: 'calibration' | 'evaluation',
): CalibrationInput[] {
  const columns = graph.inputs.map((input) => {
    const names = purpose === 'calibration' ? CALIBRATION_NAMES : EVALUATION_NAMES;
    const wanted = graph.inputs.length === 1 ? [input.name, ...names] : [input.name];
    const name = wanted.find((candidate) => arrays.has(candidate));
    if (!name) refuse(`input "${input.name}"`, 'array', wanted.join(' or '), [...arrays.keys()].join(', '));
    const { data } = arrays.get(name)!;
    const size = sizeOf(input.shape);
    if (data.length === 0 || data.length % size !== 0)
      refuse(
        `array "${name}"`,
        'elements',
        `a multiple of ${size} = [${input.shape.join(',')}]`,
        String(data.length),
      );
    return { input, size, data };
  });
  const counts = columns.map(({ data, size }) => data.length / size);
  if (counts.some((count) => count !== counts[0]))
    refuse('arrays', 'samples', 'equally many', counts.join(', '));
  return Array.from(
    { length: counts[0] ?? 0 },
    (_, i) =>
      new Map(
        columns.map(({ input, size, data }) => {
          const values = Float32Array.from(data.subarray(i * size, (i + 1) * size));
          return [input.name, { dtype: 'float32', shape: input.shape, data: values }];
        }),
      ),
  );
}

/** Integer labels, one a sample, if the file has them. */
export function labelsOf(arrays: ReadonlyMap<string, NpyArray>, samples: number): number[] | undefined {
  const name = LABEL_NAMES.find((candidate) => arrays.has(candidate));
  if (!name) return undefined;
  const labels = Array.from(arrays.get(name)!.data);
  if (labels.length !== samples) refuse(`array "${name}"`, 'labels', `${samples}`, `${labels.length}`);
  return labels.every((label) => Number.isInteger(label) && label >= 0) ? labels : undefined;
}

function refuse(where: string, what: string, expected: string, got: string): never {
  throw new InputRefused({ where, what, expected, got });
}
