/**
 * A staircase that no single division reproduces: y = first + the number of thresholds ≤ x. The prover names the step
 * by a one-hot, and two ranges show that x lies between the edges of that step.
 */
import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import { countAtMost } from '../import/fit.js';
import type { Builder } from '../r1cs/builder.js';
import { addRange, rangeBits, requireHeadroom, writeRangeBits } from './range.js';

export interface Staircase {
  /** y below the first threshold. */
  readonly first: number;
  /** Ascending; a step of two levels is listed twice. */
  readonly thresholds: readonly number[];
}

export function reference({ first, thresholds }: Staircase, x: number): number {
  return first + countAtMost(thresholds, x);
}

/** Constraints of one element in [lo, hi]. */
export function cost({ thresholds }: Staircase, lo: number, hi: number): number {
  const steps = stepsOf(thresholds, lo, hi);
  return steps.length === 1 ? 0 : steps.length + 3 + 2 * rangeBits(widest(steps));
}

/**
 * Proves   y = first + #{thresholds ≤ x} for every element.
 * Assumes  x inside the tensor's bounds; 4·(hi − lo) < modulus (checked).
 * Cost     steps + 3 + 2·ceil(log2 width) constraints for the steps that the bounds reach, the widest of that width.
 *
 *   hₖ boolean, Σ hₖ = 1;  x = Σ lowerₖ·hₖ + p;  x = Σ upperₖ·hₖ − q;  p, q in [0, width).
 *
 * With h naming step k the ranges give lowerₖ ≤ x ≤ upperₖ. The steps partition [lo, hi], so exactly one fits; p and q
 * then follow from x, and y = Σ levelₖ·hₖ is a combination.
 */
export function constrain(circuit: Builder, x: AffineTensor, staircase: Staircase): AffineTensor {
  const count = x.constants.length;
  const plans = Array.from({ length: count }, (_, i) => {
    const steps = stepsOf(staircase.thresholds, x.lo[i], x.hi[i]);
    const width = widest(steps);
    requireHeadroom(circuit, x.hi[i] - x.lo[i] + 2 * width);
    return { steps, width, bits: steps.length === 1 ? 0 : steps.length + 2 * rangeBits(width) };
  });
  let total = 0;
  const offsets = plans.map(({ bits }) => (total += bits) - bits);
  const first = circuit.exists('step and edge bits', total, (values, at) => {
    plans.forEach(({ steps, width }, i) => {
      if (steps.length === 1) return;
      const value = evaluateElement(x, i, values);
      const step = Math.max(
        steps.findIndex(({ to }) => value <= to),
        0,
      );
      const from = at + offsets[i];
      values[from + step] = 1;
      writeRangeBits(values, from + steps.length, width, value - steps[step].from);
      writeRangeBits(values, from + steps.length + rangeBits(width), width, steps[step].to - value);
    });
  });
  circuit.boolean('step and edge bits', first, total);

  const writer = new AffineWriter();
  plans.forEach(({ steps, width }, i) => {
    const levels = steps.map(({ level }) => staircase.first + level);
    if (steps.length === 1) {
      writer.end(levels[0], levels[0], levels[0]);
      return;
    }
    const step = first + offsets[i];
    const above = step + steps.length;
    steps.forEach((_, k) => circuit.a.add(step + k, 1));
    circuit.c.constant(1);
    circuit.enforceLinear('one step');
    steps.forEach(({ from }, k) => circuit.a.add(step + k, from));
    addRange(circuit.a, above, width, 1);
    circuit.c.addElement(x, i, 1);
    circuit.enforceLinear('lower edge');
    steps.forEach(({ to }, k) => circuit.a.add(step + k, to));
    addRange(circuit.a, above + rangeBits(width), width, -1);
    circuit.c.addElement(x, i, 1);
    circuit.enforceLinear('upper edge');
    levels.forEach((level, k) => {
      if (level !== 0) writer.term(step + k, level);
    });
    writer.end(0, Math.min(...levels), Math.max(...levels));
  });
  return writer.finish(x.shape);
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
