import type { AffineTensor } from '../affine.js';
import { evaluateElement, wiresAsTensor } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { requireHeadroom } from './range.js';

export function reference(x: number, y: number): number {
  return x * y;
}

/** The pairs to be multiplied: element left[t] − leftZero of x times element right[t] − rightZero of y. */
export interface Pairs {
  readonly left: ArrayLike<number>;
  readonly right: ArrayLike<number>;
  readonly leftZero: number;
  readonly rightZero: number;
}

/**
 * Proves   pₜ = (x_left − leftZero)·(y_right − rightZero) for every pair t.
 * Assumes  4·|p| < modulus (checked), |p| < 2^31 so that a wire holds it (checked).
 * Cost     1 constraint a pair.
 */
export function constrain(circuit: Builder, x: AffineTensor, y: AffineTensor, pairs: Pairs): AffineTensor {
  const { left, right, leftZero, rightZero } = pairs;
  const count = left.length;
  const lo = new Float64Array(count);
  const hi = new Float64Array(count);
  for (let t = 0; t < count; t++) {
    const [x0, x1] = [x.lo[left[t]] - leftZero, x.hi[left[t]] - leftZero];
    const [y0, y1] = [y.lo[right[t]] - rightZero, y.hi[right[t]] - rightZero];
    lo[t] = Math.min(x0 * y0, x0 * y1, x1 * y0, x1 * y1);
    hi[t] = Math.max(x0 * y0, x0 * y1, x1 * y0, x1 * y1);
    const magnitude = Math.max(-lo[t], hi[t]);
    requireHeadroom(circuit, magnitude);
    if (lo[t] < -(2 ** 31) || hi[t] >= 2 ** 31)
      throw new RangeError(`product of magnitude ${magnitude} does not fit an int32 wire`);
  }
  const first = circuit.exists('product', count, (values, at) => {
    for (let t = 0; t < count; t++) {
      const factor = evaluateElement(x, left[t], values) - leftZero;
      values[at + t] = factor * (evaluateElement(y, right[t], values) - rightZero);
    }
  });
  for (let t = 0; t < count; t++) {
    circuit.a.addElement(x, left[t], 1).constant(-leftZero);
    circuit.b.addElement(y, right[t], 1).constant(-rightZero);
    circuit.c.add(first + t, 1);
    circuit.enforce('product');
  }
  return wiresAsTensor([count], first, lo, hi);
}
