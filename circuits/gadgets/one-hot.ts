import type { AffineTensor } from '../affine.js';
import { evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { requireHeadroom } from './range.js';

/** The bits of x: 1 at x − lo. */
export function reference(x: number, lo: number, size: number): number[] {
  return Array.from({ length: size }, (_, k) => Number(x === lo + k));
}

/**
 * Proves   lo ≤ x < lo + size and hₖ = 1 exactly if x = lo + k, for every element; returns the first h wire.
 * Assumes  4·size² < modulus (checked).
 * Cost     size + 2 constraints an element.
 *
 *   h boolean;  Σ hₖ = 1: with size < modulus exactly one is 1;  x = lo + Σ k·hₖ names it.
 */
export function constrain(circuit: Builder, x: AffineTensor, lo: number, size: number): number {
  requireHeadroom(circuit, size * size);
  const count = x.constants.length;
  const first = circuit.exists('one-hot', count * size, (values, at) => {
    for (let i = 0; i < count; i++) {
      const chosen = evaluateElement(x, i, values) - lo;
      for (let k = 0; k < size; k++) values[at + i * size + k] = chosen === k ? 1 : 0;
    }
  });
  circuit.boolean('one-hot', first, count * size);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < size; k++) circuit.a.add(first + i * size + k, 1);
    circuit.c.constant(1);
    circuit.enforceLinear('one-hot sum');
    for (let k = 0; k < size; k++) circuit.a.add(first + i * size + k, k);
    circuit.c.addElement(x, i, 1).constant(-lo);
    circuit.enforceLinear('one-hot choice');
  }
  return first;
}
