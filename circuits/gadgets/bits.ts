import type { AffineTensor } from '../affine.js';
import { evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { requireHeadroom } from './range.js';

/** Bit j of the two's complement of x. */
export function reference(x: number, j: number): number {
  return Math.floor(x / 2 ** j) & 1;
}

/**
 * Proves   bit t·width + j is bit j of the two's complement of element t; returns the first bit's wire.
 * Assumes  every element in [0, 2^width), or in [−2^(width−1), 2^(width−1)) if signed, by its bounds (checked).
 * Cost     width + 1 constraints an element.
 *
 *   x = Σ_{j < width − 1} 2ʲ·bⱼ ± 2^(width−1)·b_{width−1}, minus if signed: distinct bits give distinct integers.
 */
export function constrain(circuit: Builder, x: AffineTensor, width: number, signed: boolean): number {
  const count = x.constants.length;
  requireHeadroom(circuit, 2 ** width);
  const [min, max] = signed ? [-(2 ** (width - 1)), 2 ** (width - 1) - 1] : [0, 2 ** width - 1];
  for (let i = 0; i < count; i++) {
    if (x.lo[i] < min || x.hi[i] > max)
      throw new RangeError(`[${x.lo[i]}, ${x.hi[i]}] does not fit ${width} bits`);
  }
  const first = circuit.exists('bits', count * width, (values, at) => {
    for (let i = 0; i < count; i++) {
      const value = evaluateElement(x, i, values);
      for (let j = 0; j < width; j++) values[at + i * width + j] = reference(value, j);
    }
  });
  circuit.boolean('bits', first, count * width);
  for (let i = 0; i < count; i++) {
    circuit.a.addElement(x, i, 1);
    for (let j = 0; j < width; j++) {
      circuit.c.add(first + i * width + j, signed && j === width - 1 ? -(2 ** j) : 2 ** j);
    }
    circuit.enforceLinear('bits');
  }
  return first;
}
