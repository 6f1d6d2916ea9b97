/** Which bin of a sorted list of cuts a value lies in, as one-hot bits: one gadget for all thresholds of a feature. */
import { AffineWriter, evaluateElement, type AffineTensor } from '../affine.js';
import { countAtMost } from '../import/fit.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { rangeBits, rangeCheck } from './range.js';

/** Bin of x: the number of cuts at or below it. */
export function reference(cuts: readonly number[], x: number): number {
  return countAtMost(cuts, x);
}

/** Constraints for one value in [lo, hi]. */
export function cost(cuts: readonly number[], lo: number, hi: number): number {
  return cuts.length + 1 + 2 * rangeBits(widest(edgesOf(cuts, lo, hi)));
}

/**
 * Proves   h_j = 1 for the bin j ≥ 1 of x and 0 for all others; bin 0 is 1 − Σ h_j and gets no wire.
 * Assumes  x inside the tensor's bounds; cuts ascending and distinct, inside (lo, hi].
 * Cost     cuts + 1 bit rows, and two ranges of the widest bin. Returns the first of the wires.
 *
 * All h_j and 1 − Σ h_j are bits, so exactly one of them is 1: call it j. Then lower = Σ lower_j·h_j and upper likewise
 * are the edges of bin j, and the ranges prove lower ≤ x < upper. The bins are disjoint: j is the bin of x.
 */
export function constrain(circuit: Builder, x: AffineTensor, cuts: readonly number[]): number {
  const edges = edgesOf(cuts, x.lo[0], x.hi[0]);
  const first = circuit.exists('bins', cuts.length, (values, at) => {
    const bin = countAtMost(cuts, evaluateElement(x, 0, values));
    for (let j = 0; j < cuts.length; j++) values[at + j] = bin === j + 1 ? 1 : 0;
  });
  circuit.boolean('bins', first, cuts.length);
  circuit.a.constant(1);
  for (let j = 0; j < cuts.length; j++) circuit.a.add(first + j, -1);
  circuit.enforceBoolean('bins/one of them');
  const width = widest(edges);
  rangeCheck(circuit, 'bins/above lower edge', distance(x, first, edges, 'lower', width), 0, width);
  rangeCheck(circuit, 'bins/below upper edge', distance(x, first, edges, 'upper', width), 0, width);
  return first;
}

/**
 * Adds the bit "an odd number of these cuts lies above x"; for one cut that is x < cut.
 * @param places of the cuts among all `count` cuts, ascending.
 */
export function addOddAbove(
  sum: LinearCombination,
  first: number,
  count: number,
  places: readonly number[],
): void {
  // Bin 0 has no wire: it is 1 − Σ of the others, and all of these cuts lie above it.
  const inBinZero = places.length % 2;
  sum.constant(inBinZero);
  for (let j = 0; j < count; j++) {
    const difference = parityAbove(places, j) - inBinZero;
    if (difference !== 0) sum.add(first + j, difference);
  }
}

/** The same on an assignment. */
export function isOddAbove(
  values: Int32Array,
  first: number,
  count: number,
  places: readonly number[],
): boolean {
  for (let j = 0; j < count; j++) if (values[first + j] === 1) return parityAbove(places, j) === 1;
  return places.length % 2 === 1;
}

/** Of the cuts above the bin that begins with cut j. */
function parityAbove(places: readonly number[], j: number): number {
  return places.reduce((odd, place) => (place > j ? 1 - odd : odd), 0);
}

interface Edges {
  /** First value of each bin. */
  readonly lower: readonly number[];
  /** Last value of each bin. */
  readonly upper: readonly number[];
}

function edgesOf(cuts: readonly number[], lo: number, hi: number): Edges {
  return { lower: [lo, ...cuts], upper: [...cuts.map((cut) => cut - 1), hi] };
}

function widest({ lower, upper }: Edges): number {
  return lower.reduce((most, low, j) => Math.max(most, upper[j] - low + 1), 1);
}

/** x − lower edge, or upper edge − x; the range check decides where it lies. */
function distance(
  x: AffineTensor,
  first: number,
  edges: Edges,
  side: 'lower' | 'upper',
  width: number,
): AffineTensor {
  const sign = side === 'lower' ? 1 : -1;
  const own = edges[side];
  const sum = new LinearCombination().addElement(x, 0, sign).constant(-sign * own[0]);
  for (let j = 1; j < own.length; j++) sum.add(first + j - 1, -sign * (own[j] - own[0]));
  const writer = new AffineWriter();
  writer.combination(sum.normalize(), 0, width - 1);
  return writer.finish([1]);
}
