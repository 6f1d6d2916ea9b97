import { AffineWriter, type AffineTensor } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import * as atLeast from './at-least.js';
import * as product from './product.js';

/** Position of the largest value; among equals the first, or the last. */
export function reference(values: readonly number[], isLast: boolean): number {
  let best = 0;
  for (let i = 1; i < values.length; i++)
    if (isLast ? values[i] >= values[best] : values[i] > values[best]) best = i;
  return best;
}

/**
 * The position of the largest element of each column; `layers[k]` holds the k-th element of every column.
 *
 * Proves   i = the lowest (or highest) position of the maximum of each column.
 * Assumes  elements inside int32 and their bounds.
 * Cost     for each further layer a sign (at-least) and two products (three where differences pass 31 bits), one for the
 *          last, whose maximum nobody reads.
 *
 *   m₀ = x₀, i₀ = 0;  s = [m − x ≥ 0] (or [m − x − 1 ≥ 0] for the last of equals);  m′ = x + s·(m − x),  i′ = k + s·(i − k).
 *
 * s is determined (at-least), so m′ is the larger of the two and i′ its position: with ≥ an equal element that comes later
 * does not move i, so ties keep the lowest position, and with > they take the highest.
 */
export function constrain(circuit: Builder, layers: readonly AffineTensor[], isLast: boolean): AffineTensor {
  const [first] = layers;
  const { shape } = first;
  const count = first.lo.length;
  const pairs = {
    left: Uint32Array.from({ length: count }, (_, i) => i),
    right: Uint32Array.from({ length: count }, (_, i) => i),
    leftZero: 0,
    rightZero: 0,
  };
  let best = first;
  let at = constant(count, shape, 0);
  for (let k = 1; k < layers.length; k++) {
    const lead = difference(best, layers[k], 0);
    const keeps = atLeast.constrain(circuit, isLast ? difference(best, layers[k], -1) : lead);
    const position = product.constrain(circuit, keeps, difference(at, constant(count, shape, k), 0), pairs);
    at = bounded(
      sum(constant(count, shape, k), position),
      () => 0,
      () => k,
    );
    if (k === layers.length - 1) break;
    const [old, next] = [best, layers[k]];
    const isWide = lead.lo.some((lo, i) => Math.max(-lo, lead.hi[i]) >= 2 ** 31);
    // A difference that fits no wire is chosen side by side: s·m + (1 − s)·x.
    const chosen = isWide
      ? sum(
          product.constrain(circuit, keeps, old, pairs),
          product.constrain(circuit, difference(constant(count, shape, 1), keeps, 0), next, pairs),
        )
      : sum(next, product.constrain(circuit, keeps, lead, pairs));
    best = bounded(
      { ...chosen, shape },
      (i) => Math.max(old.lo[i], next.lo[i]),
      (i) => Math.max(old.hi[i], next.hi[i]),
    );
  }
  return at;
}

function constant(count: number, shape: readonly number[], value: number): AffineTensor {
  const writer = new AffineWriter();
  for (let i = 0; i < count; i++) writer.end(value, value, value);
  return writer.finish(shape);
}

function bounded(
  x: AffineTensor,
  lo: (index: number) => number,
  hi: (index: number) => number,
): AffineTensor {
  return { ...x, lo: x.lo.map((_, i) => lo(i)), hi: x.hi.map((_, i) => hi(i)) };
}

/** x − y + offset. */
function difference(x: AffineTensor, y: AffineTensor, offset: number): AffineTensor {
  const writer = new AffineWriter();
  const combination = new LinearCombination();
  for (let i = 0; i < x.lo.length; i++) {
    combination.clear().addElement(x, i, 1).addElement(y, i, -1).constant(offset).normalize();
    writer.combination(combination, x.lo[i] - y.hi[i] + offset, x.hi[i] - y.lo[i] + offset);
  }
  return writer.finish(x.shape);
}

function sum(x: AffineTensor, y: AffineTensor): AffineTensor {
  const writer = new AffineWriter();
  const combination = new LinearCombination();
  for (let i = 0; i < x.lo.length; i++) {
    combination.clear().addElement(x, i, 1).addElement(y, i, 1).normalize();
    writer.combination(combination, x.lo[i] + y.lo[i], x.hi[i] + y.hi[i]);
  }
  return writer.finish(x.shape);
}
