/** Matrix product of two activations: one constraint a scalar product, then one requantization an output. */
import { AffineWriter } from '../affine.js';
import * as product from '../gadgets/product.js';
import { Quantized } from '../quantized.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import {
  broadcastIndices,
  broadcastShape,
  dtypeRange,
  elementCount,
  type IntTensor,
  type TensorType,
} from '../tensor.js';
import type { ConstrainContext, NodeView } from './op.js';
import { outputRescalings, requantizeReference, type OutputQuantization } from './q-linear.js';

export interface ActivationProduct {
  readonly batch: readonly number[];
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** First element of the matrix of each batch, in a and in b. */
  readonly starts: readonly [Uint32Array, Uint32Array];
  readonly zeroPoints: readonly [number, number];
  readonly output: OutputQuantization;
  readonly shape: readonly number[];
}

/** Shapes by numpy's matmul: the last two axes multiply, the others broadcast; rank 2 or more. */
export function activationProduct(
  view: NodeView,
  [a, b]: readonly [readonly number[], readonly number[]],
  zeroPoints: readonly [number, number],
  output: OutputQuantization,
): ActivationProduct {
  if (a.length < 2 || b.length < 2)
    view.refuse('operand shapes', 'of rank 2 or more', `[${a.join(',')}] and [${b.join(',')}]`);
  if (output.multipliers.length > 1) view.refuse('scales', 'per tensor for two activations', 'per column');
  const [rows, inner] = a.slice(-2);
  const [bInner, columns] = b.slice(-2);
  const batch = broadcastShape(a.slice(0, -2), b.slice(0, -2));
  if (inner !== bInner || !batch) {
    return view.refuse('operand shapes', 'that multiply', `[${a.join(',')}] and [${b.join(',')}]`);
  }
  const startsOf = (shape: readonly number[], size: number) =>
    broadcastIndices(shape.slice(0, -2), batch).map((index) => index * size);
  const starts = [startsOf(a, rows * inner), startsOf(b, inner * columns)] as const;
  return { batch, rows, inner, columns, starts, zeroPoints, output, shape: [...batch, rows, columns] };
}

function* elements(p: ActivationProduct): Generator<{ left: number; right: number }> {
  for (let batch = 0; batch < p.starts[0].length; batch++) {
    for (let row = 0; row < p.rows; row++) {
      for (let column = 0; column < p.columns; column++) {
        yield { left: p.starts[0][batch] + row * p.inner, right: p.starts[1][batch] + column };
      }
    }
  }
}

export function reference(p: ActivationProduct, [a, b]: readonly IntTensor[], type: TensorType): IntTensor {
  const data = new Int32Array(elementCount(type.shape));
  let out = 0;
  for (const { left, right } of elements(p)) {
    let sum = 0;
    for (let k = 0; k < p.inner; k++) {
      const x = a.data[left + k] - p.zeroPoints[0];
      sum += product.reference(x, b.data[right + k * p.columns] - p.zeroPoints[1]);
    }
    data[out++] = requantizeReference(p.output, 0, sum);
  }
  return { ...type, data };
}

export function constrain(
  { circuit, label, types }: ConstrainContext,
  p: ActivationProduct,
  [a, b]: readonly Quantized[],
): Quantized {
  const count = elementCount(types[0].shape);
  const left = new Uint32Array(count * p.inner);
  const right = new Uint32Array(count * p.inner);
  let at = 0;
  for (const element of elements(p)) {
    for (let k = 0; k < p.inner; k++, at++) {
      left[at] = element.left + k;
      right[at] = element.right + k * p.columns;
    }
  }
  const pairs = { left, right, leftZero: p.zeroPoints[0], rightZero: p.zeroPoints[1] };
  const products = product.constrain(circuit, a.force(circuit), b.force(circuit), pairs);
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let i = 0; i < count; i++) {
    let lo = 0;
    let hi = 0;
    sum.clear();
    for (let k = i * p.inner; k < (i + 1) * p.inner; k++) {
      sum.addElement(products, k, 1);
      lo += products.lo[k];
      hi += products.hi[k];
    }
    writer.combination(sum.normalize(), lo, hi);
  }
  const { min, max } = dtypeRange(p.output.dtype)!;
  return Quantized.pending(types[0], label, {
    accumulator: writer.finish(types[0].shape),
    rescalings: outputRescalings(p.output),
    rescalingOf: () => 0,
    yMin: min,
    yMax: max,
  });
}
