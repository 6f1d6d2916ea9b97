/** Matrix product of two activations: one constraint a scalar product, then one requantization an output. */
import { constantTensor } from '../affine.js';
import { Quantized } from '../quantized.js';
import {
  broadcastIndices,
  broadcastShape,
  dtypeRange,
  elementCount,
  type IntTensor,
  type TensorType,
} from '../tensor.js';
import { accumulate, centered } from './bilinear.js';
import type { ConstrainContext, NodeView } from './op.js';
import { outputRescalings, requantizeReference, type OutputQuantization } from './q-linear.js';

/** Shapes by numpy's matmul: the last two axes multiply, the others broadcast. */
export interface MatrixProduct {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** First element of the matrix of each batch, in a and in b. */
  readonly starts: readonly [Uint32Array, Uint32Array];
  readonly shape: readonly number[];
}

export function matrixProduct(view: NodeView, a: readonly number[], b: readonly number[]): MatrixProduct {
  const refuse = () =>
    view.refuse('operand shapes', 'that multiply', `[${a.join(',')}] and [${b.join(',')}]`);
  if (a.length < 1 || b.length < 1) return refuse();
  // A list stands for one row on the left, for one column on the right.
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [rows, inner] = left.slice(-2);
  const [rightInner, columns] = right.slice(-2);
  const batch = broadcastShape(left.slice(0, -2), right.slice(0, -2));
  if (inner !== rightInner || !batch) return refuse();
  const startsOf = (shape: readonly number[], size: number) =>
    broadcastIndices(shape.slice(0, -2), batch).map((index) => index * size);
  const starts = [startsOf(left, rows * inner), startsOf(right, inner * columns)] as const;
  const shape = [...batch, ...(a.length === 1 ? [] : [rows]), ...(b.length === 1 ? [] : [columns])];
  return { rows, inner, columns, starts, shape };
}

export function eachProduct(
  { rows, inner, columns, starts }: MatrixProduct,
  product: (left: number, right: number) => void,
  end: () => void,
): void {
  for (let batch = 0; batch < starts[0].length; batch++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let k = 0; k < inner; k++) {
          product(starts[0][batch] + row * inner + k, starts[1][batch] + column + k * columns);
        }
        end();
      }
    }
  }
}

export interface ActivationProduct {
  readonly matrices: MatrixProduct;
  readonly zeroPoints: readonly [number, number];
  readonly output: OutputQuantization;
}

export function reference(
  { matrices, zeroPoints, output }: ActivationProduct,
  [a, b]: readonly IntTensor[],
  type: TensorType,
): IntTensor {
  const data = new Int32Array(elementCount(type.shape));
  let at = 0;
  let sum = 0;
  eachProduct(
    matrices,
    (left, right) => (sum += (a.data[left] - zeroPoints[0]) * (b.data[right] - zeroPoints[1])),
    () => {
      data[at++] = requantizeReference(output, 0, sum);
      sum = 0;
    },
  );
  return { ...type, data };
}

export function constrain(
  { circuit, label, types }: ConstrainContext,
  { matrices, zeroPoints, output }: ActivationProduct,
  inputs: readonly Quantized[],
): Quantized {
  const [a, b] = inputs.map((input, k) =>
    centered(input.force(circuit), constantTensor([], [zeroPoints[k]])),
  );
  const accumulator = accumulate(circuit, a, b, types[0].shape, (product, end) =>
    eachProduct(matrices, product, end),
  );
  const { min, max } = dtypeRange(output.dtype)!;
  return Quantized.pending(types[0], label, {
    accumulator,
    rescalings: outputRescalings(output),
    rescalingOf: () => 0,
    yMin: min,
    yMax: max,
  });
}
