import type { AffineTensor } from '../affine.js';
import { AffineWriter } from '../affine.js';
import { LinearCombination } from '../r1cs/linear-combination.js';

/**
 * Inner products of activations with constant weights: a linear combination and its interval, no constraint.
 * `add` takes weight·(x − zeroPoint).
 */
export class InnerProducts {
  private readonly writer = new AffineWriter();
  private readonly sum = new LinearCombination();
  private lo = 0;
  private hi = 0;

  constructor(private readonly x: AffineTensor) {}

  add(index: number, weight: number, zeroPoint: number): void {
    if (weight === 0) return;
    this.sum.addElement(this.x, index, weight).constant(-weight * zeroPoint);
    const atLo = weight * (this.x.lo[index] - zeroPoint);
    const atHi = weight * (this.x.hi[index] - zeroPoint);
    this.lo += weight > 0 ? atLo : atHi;
    this.hi += weight > 0 ? atHi : atLo;
  }

  end(bias: number): void {
    this.sum.constant(bias).normalize();
    this.writer.combination(this.sum, this.lo + bias, this.hi + bias);
    this.sum.clear();
    this.lo = 0;
    this.hi = 0;
  }

  finish(shape: readonly number[]): AffineTensor {
    return this.writer.finish(shape);
  }
}
