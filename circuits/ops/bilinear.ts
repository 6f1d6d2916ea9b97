/** Sums of products of two tensors: free where one side is constant, one constraint a product where neither is. */
import { AffineWriter, type AffineTensor } from '../affine.js';
import * as product from '../gadgets/product.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { broadcastIndices, type TensorType } from '../tensor.js';
import { InnerProducts } from './inner-product.js';

/** Calls `product` for each term and `end` after the last term of each output element. */
export type Terms = (product: (left: number, right: number) => void, end: () => void) => void;

/** The accumulators Σ x[left]·y[right], in the order in which `terms` ends them. */
export function accumulate(
  circuit: Builder,
  x: AffineTensor,
  y: AffineTensor,
  shape: readonly number[],
  terms: Terms,
): AffineTensor {
  if (y.wires.length === 0) return weighted(x, y, shape, terms);
  if (x.wires.length === 0)
    return weighted(y, x, shape, (add, end) => terms((left, right) => add(right, left), end));
  const left: number[] = [];
  const right: number[] = [];
  const ends: number[] = [];
  terms(
    (i, j) => {
      left.push(i);
      right.push(j);
    },
    () => ends.push(left.length),
  );
  const products = product.constrain(circuit, x, y, { left, right, leftZero: 0, rightZero: 0 });
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  let from = 0;
  for (const end of ends) {
    let lo = 0;
    let hi = 0;
    sum.clear();
    for (; from < end; from++) {
      sum.addElement(products, from, 1);
      lo += products.lo[from];
      hi += products.hi[from];
    }
    writer.combination(sum.normalize(), lo, hi);
  }
  return writer.finish(shape);
}

function weighted(
  x: AffineTensor,
  weights: AffineTensor,
  shape: readonly number[],
  terms: Terms,
): AffineTensor {
  const products = new InnerProducts(x);
  terms(
    (input, weight) => products.add(input, weights.constants[weight], 0),
    () => products.end(0),
  );
  return products.finish(shape);
}

/** x − zero, the zero point broadcast to x (numpy rules). */
export function centered(x: AffineTensor, zero: AffineTensor | undefined): AffineTensor {
  if (!zero) return x;
  const indices = broadcastIndices(zero.shape, x.shape);
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let i = 0; i < indices.length; i++) {
    const z = indices[i];
    sum.clear().addElement(x, i, 1).addElement(zero, z, -1).normalize();
    writer.combination(sum, x.lo[i] - zero.hi[z], x.hi[i] - zero.lo[z]);
  }
  return writer.finish(x.shape);
}

/** The same on integers. */
export function centeredIntegers(
  x: TensorType & { data: Int32Array },
  zero: (TensorType & { data: Int32Array }) | undefined,
): Int32Array {
  if (!zero) return x.data;
  const indices = broadcastIndices(zero.shape, x.shape);
  return x.data.map((value, i) => value - zero.data[indices[i]]);
}
