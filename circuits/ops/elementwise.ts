/** What elementwise operators of two operands share: numpy broadcasting, and sums of elements as combinations. */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { broadcastIndices, broadcastShape, elementCount, type IntTensor } from '../tensor.js';
import type { NodeView } from './op.js';

/** The joint shape of all operands; refuses shapes that do not broadcast. */
export function jointShape(view: NodeView): number[] {
  return view.operands
    .map((_, i) => view.operand(i, `input ${i}`).shape)
    .reduce<number[]>((p, q) => {
      const shape = broadcastShape(p, q);
      return (
        shape ?? view.refuse('operand shapes', 'that broadcast', `[${p.join(',')}] and [${q.join(',')}]`)
      );
    }, []);
}

/** Integers of an operand under the joint shape. */
export function spreadIntegers({ data, shape }: IntTensor, to: readonly number[]): Int32Array {
  if (data.length === elementCount(to)) return data;
  const indices = broadcastIndices(shape, to);
  return Int32Array.from(indices, (from) => data[from]);
}

/** Combinations of an operand under the joint shape. */
export function spread(tensor: AffineTensor, to: readonly number[]): AffineTensor {
  if (tensor.constants.length === elementCount(to)) return { ...tensor, shape: to };
  return gathered(tensor, to, broadcastIndices(tensor.shape, to));
}

/** Σ scale·x + offset, element by element, for tensors of one shape. Bounds follow by interval arithmetic. */
export function combined(
  terms: readonly { readonly tensor: AffineTensor; readonly scale: number }[],
  offset = 0,
): AffineTensor {
  const [{ tensor: first }] = terms;
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let i = 0; i < first.constants.length; i++) {
    sum.clear().constant(offset);
    let lo = offset;
    let hi = offset;
    for (const { tensor, scale } of terms) {
      sum.addElement(tensor, i, scale);
      lo += scale * (scale > 0 ? tensor.lo[i] : tensor.hi[i]);
      hi += scale * (scale > 0 ? tensor.hi[i] : tensor.lo[i]);
    }
    writer.combination(sum.normalize(), lo, hi);
  }
  return writer.finish(first.shape);
}

/** Elementwise pairs of two tensors of one size, for the product gadget. */
export function elementPairs(count: number): {
  left: Uint32Array;
  right: Uint32Array;
  leftZero: number;
  rightZero: number;
} {
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  return { left: all, right: all, leftZero: 0, rightZero: 0 };
}
