/**
 * A staircase that no single division reproduces: y = first + the number of thresholds ≤ x. The prover names the step,
 * a table gives its two edges, and two range checks show that x lies between them.
 */
import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement, wiresAsTensor } from '../affine.js';
import { countAtMost } from '../import/fit.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { rangeBits, rangeCheck } from './range.js';
import * as table from './table.js';

/** Products of three 256-entry tables that share their bits. */
const MOST_PRODUCTS = 11 + 3 * 15;

export interface Staircase {
  /** y below the first threshold. */
  readonly first: number;
  /** Ascending; a step of two levels is listed twice. */
  readonly thresholds: readonly number[];
}

export function reference({ first, thresholds }: Staircase, x: number): number {
  return first + countAtMost(thresholds, x);
}

/** An upper estimate of the constraints of one element in [lo, hi]. */
export function cost({ thresholds }: Staircase, lo: number, hi: number): number {
  const steps = stepsOf(thresholds, lo, hi);
  return steps.length === 1 ? 0 : rangeBits(steps.length) + MOST_PRODUCTS + 2 * rangeBits(widest(steps));
}

/**
 * Proves   y = first + #{thresholds ≤ x} for every element.
 * Assumes  x inside the tensor's bounds; 4·(hi − lo) < modulus (checked by the range checks).
 * Cost     three tables that share their bits, and two ranges of the widest step.
 *
 * With k the index of a step, tables give its edges, and the ranges prove lower[k] ≤ x < lower[k + 1]. The steps
 * partition [lo, hi] and the indices past them are empty, so exactly one k satisfies both.
 */
export function constrain(circuit: Builder, x: AffineTensor, staircase: Staircase): AffineTensor {
  const count = x.constants.length;
  const lo = x.lo.reduce((least, value) => Math.min(least, value), Infinity);
  const hi = x.hi.reduce((most, value) => Math.max(most, value), -Infinity);
  const steps = stepsOf(staircase.thresholds, lo, hi);
  const levels = steps.map(({ level }) => staircase.first + level);
  if (steps.length === 1) {
    const writer = new AffineWriter();
    for (let i = 0; i < count; i++) writer.end(levels[0], levels[0], levels[0]);
    return writer.finish(x.shape);
  }
  // Steps past the last are empty, so that no other k fits.
  const size = 2 ** rangeBits(steps.length);
  const edges = Array.from({ length: size }, (_, k) => (k < steps.length ? steps[k].from : hi + 1));
  const results = Array.from({ length: size }, (_, k) => levels[Math.min(k, levels.length - 1)]);
  const first = circuit.exists('step', count, (values, at) => {
    for (let i = 0; i < count; i++) values[at + i] = countAtMost(edges, evaluateElement(x, i, values)) - 1;
  });
  const last = new Float64Array(count).fill(size - 1);
  const k = wiresAsTensor(x.shape, first, new Float64Array(count), last);
  const [lower, next, y] = table.constrainMany(circuit, k, 0, [edges, [...edges.slice(1), hi + 1], results]);
  const width = widest(steps);
  rangeCheck(circuit, 'above lower edge', difference(x, lower, 0, width), 0, width);
  rangeCheck(circuit, 'below upper edge', difference(next, x, -1, width), 0, width);
  return y;
}

interface Step {
  readonly from: number;
  readonly to: number;
  /** Thresholds at or below it. */
  readonly level: number;
}

/** The steps that meet [lo, hi], empty ones left out. */
function stepsOf(thresholds: readonly number[], lo: number, hi: number): Step[] {
  const steps: Step[] = [];
  let from = lo;
  for (let level = countAtMost(thresholds, lo); from <= hi; level = countAtMost(thresholds, from)) {
    const to = level < thresholds.length ? Math.min(thresholds[level] - 1, hi) : hi;
    steps.push({ from, to, level });
    from = to + 1;
  }
  return steps;
}

function widest(steps: readonly Step[]): number {
  return steps.reduce((most, { from, to }) => Math.max(most, to - from + 1), 1);
}

/** p − q + offset, element by element; the range check decides where it lies. */
function difference(p: AffineTensor, q: AffineTensor, offset: number, width: number): AffineTensor {
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let i = 0; i < p.constants.length; i++) {
    sum.clear().addElement(p, i, 1).addElement(q, i, -1).constant(offset).normalize();
    writer.combination(sum, 0, width - 1);
  }
  return writer.finish(p.shape);
}
