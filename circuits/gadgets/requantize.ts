/**
 * Requantization with saturation: the rounding division that turns an accumulator into an int8 activation. What it
 * must compute is decided by a fit (circuits/import/fit.ts), integers that reproduce the runtime's float formula
 * at every threshold; this file only proves the integer relation.
 */
import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement, termCount } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import * as isZero from './is-zero.js';
import { DivisionPlan, rounded, type Requantize } from './division-plan.js';
import { addRange, rangeBits, requireHeadroom, writeKeptBits, writeRangeBits } from './range.js';

export function reference(r: Requantize, accumulator: number): number {
  const y = rounded(r, accumulator);
  return y < r.yMin ? r.yMin : y > r.yMax ? r.yMax : y;
}

/** Constraints of one requantization of an accumulator in [lo, hi]; an estimate only where exceptions apply. */
export function cost(r: Requantize, lo: number, hi: number): number {
  return new DivisionPlan([r], Float64Array.of(lo), Float64Array.of(hi), () => 0).rowsOf(0);
}

/**
 * Proves   y = clamp(floor(u / b), 0, Y − 1) + yMin for u = a·acc + c + Σ δₑ·[acc = e] shifted by −b·yMin
 *          (floor fit), or round-half-even of m·acc/2^k in place of the floor (half-even fit).
 * Assumes  acc inside the tensor's bounds; 4·|u| < modulus (checked).
 * Cost     4 + ceil(log2 n) + ceil(log2 Y) + ceil(log2 b) constraints; less where the bounds allow it,
 *          and one less for a short accumulator (`hiddenBits`).
 *
 * With t = floor(u / b), K = n·Y and exact ranges O in [0, n − 1], ylow in [0, Y − 1], r in [0, b − 1]:
 *
 *   1  s·s = s              s: t ≥ 0
 *   2  g·(s − g) = 0        g: t ≥ Y
 *   3  oᵢ·(1 − s + g − oᵢ) = 0
 *   4  yⱼ·yⱼ = yⱼ   5  rₖ·rₖ = rₖ
 *   6  u = b·(−K(1 − s) + Y·g + Y·O + ylow) + r
 *   7  (s − g)·ylow = y − (Y − 1)·g
 *
 * By 2, g is 0, or 1 with s = 1. s = 1, g = 0: by 3 O = 0, so t = ylow in [0, Y − 1]. s = 1, g = 1: t = Y + Y·O + ylow
 * ≥ Y. s = 0: t = −K + Y·O + ylow in [−K, −1]. The three intervals are disjoint, and r in [0, b − 1] makes t the
 * floor; so s, g, O, ylow, r are determined by u, and 7 gives y = ylow, Y − 1 and 0.
 *
 * Half-even: with the parity p of the rounded integer, in place of r stands p + e + 2x, e in [0, 2^k − 2],
 * x·(1 − p − x) = 0: [1, 2^k − 1] for odd, [0, 2^k] for even. Both ends of a tie are claimed by the even integer only.
 */
export function constrain(
  circuit: Builder,
  accumulator: AffineTensor,
  requantizations: readonly Requantize[],
  specOf: (index: number) => number,
): AffineTensor {
  const plan = new DivisionPlan(requantizations, accumulator.lo, accumulator.hi, specOf, (i) =>
    termCount(accumulator, i),
  );
  const count = plan.count;
  for (let i = 0; i < count; i++) {
    const magnitude = plan.magnitude(i);
    requireHeadroom(circuit, magnitude);
    if (magnitude > Number.MAX_SAFE_INTEGER) throw new RangeError(`magnitude ${magnitude} is not exact`);
  }

  const tests: isZero.EqualityTest[] = [];
  const testsOf = plan.exceptionTests(tests);
  const flags = isZero.constrain(circuit, accumulator, tests);
  const numerator = (values: Int32Array, i: number): number => {
    let u = plan.scale(i) * evaluateElement(accumulator, i, values) + plan.offset(i);
    for (const { test, delta } of testsOf(i)) u += delta * values[flags + test];
    return u;
  };

  // Quotient and remainder of one element, split as the relation wants them.
  const split = { s: 0, g: 0, o: 0, ylow: 0, rest: 0 };
  const divide = (values: Int32Array, i: number): typeof split => {
    const u = numerator(values, i);
    const b = plan.divisor(i);
    const t = plan.isHalfEven(i) ? plan.roundHalfEven(i, u) : Math.floor(u / b);
    split.rest = u - b * t;
    const { levels, overflow } = plan.shape(i);
    split.s = plan.low[i] === 1 && t < 0 ? 0 : 1;
    split.g = plan.high[i] === 1 && t >= levels ? 1 : 0;
    const inside = split.s === 0 ? t + levels * overflow : split.g === 1 ? t - levels : t;
    split.o = split.s === 0 || split.g === 1 ? Math.floor(inside / levels) : 0;
    split.ylow = inside - levels * split.o;
    return split;
  };

  const bits = circuit.exists('quotient and remainder bits', plan.bitCount, (values, first) => {
    for (let i = 0; i < count; i++) {
      if (plan.isFree(i)) continue;
      const { s, ylow, rest } = divide(values, i);
      const at = first + plan.bitOffsets[i];
      const { levels } = plan.shape(i);
      if (plan.low[i] === 1) values[at] = s;
      const y = at + plan.low[i];
      writeRangeBits(values, y, levels, ylow);
      const remainder = y + rangeBits(levels);
      if (plan.isHalfEven(i)) {
        const odd = plan.parityOf(i, ylow);
        const x = odd === 0 && rest > plan.divisor(i) - 2 ? 1 : 0;
        writeRangeBits(values, remainder, plan.divisor(i) - 1, rest - odd - 2 * x);
        values[remainder + rangeBits(plan.divisor(i) - 1)] = x;
      } else {
        writeKeptBits(values, remainder, plan.divisor(i), rest, plan.hidden[i]);
      }
    }
  });
  const overflow = circuit.exists('overflow', plan.overflowCount, (values, first) => {
    for (let i = 0; i < count; i++) {
      if (plan.low[i] + plan.high[i] === 0) continue;
      const { g, o } = divide(values, i);
      const at = first + plan.overflowOffsets[i];
      if (plan.high[i] === 1) values[at] = g;
      writeRangeBits(values, at + plan.high[i], plan.shape(i).overflow, o);
    }
  });
  const outputs = circuit.exists('y', plan.activeCount, (values, first) => {
    for (let i = 0, next = first; i < count; i++) {
      if (plan.isFree(i)) continue;
      const { levels, floor } = plan.shape(i);
      const s = plan.low[i] === 1 ? values[bits + plan.bitOffsets[i]] : 1;
      const g = plan.high[i] === 1 ? values[overflow + plan.overflowOffsets[i]] : 0;
      const ylow = plan.readLow(i, values, bits);
      values[next++] = (s - g) * ylow + (levels - 1) * g + floor;
    }
  });

  const writer = new AffineWriter();
  const shifted = new LinearCombination();
  for (let i = 0, y = outputs; i < count; i++) {
    const { levels, overflow: n, floor } = plan.shape(i);
    if (plan.constant[i] === 1) {
      writer.end(floor, floor, floor);
      continue;
    }
    if (plan.linear[i] === 1) {
      shifted
        .clear()
        .addElement(accumulator, i, plan.scale(i))
        .constant(plan.offset(i) + floor);
      writer.combination(shifted, floor, floor + levels - 1);
      continue;
    }
    const low = plan.low[i] === 1;
    const high = plan.high[i] === 1;
    const b = plan.divisor(i);
    const s = bits + plan.bitOffsets[i];
    const ylow = s + plan.low[i];
    const remainder = ylow + rangeBits(levels);
    const g = overflow + plan.overflowOffsets[i];
    const o = g + plan.high[i];

    plan.booleanWires(i, circuit, s);
    if (high) {
      circuit.a.add(g, 1);
      if (low) circuit.b.add(s, 1).add(g, -1);
      else circuit.b.constant(1).add(g, -1);
      circuit.enforce('upper overflow');
    }
    for (let j = 0; j < rangeBits(n); j++) {
      circuit.a.add(o + j, 1);
      circuit.b.add(o + j, -1);
      if (low) circuit.b.constant(1).add(s, -1);
      if (high) circuit.b.add(g, 1);
      circuit.enforce('overflow bits');
    }

    // u − b·(−K(1 − s) + Y·g + Y·O + ylow) = r
    circuit.a.addElement(accumulator, i, plan.scale(i)).constant(plan.offset(i));
    for (const { test, delta } of testsOf(i)) circuit.a.add(flags + test, delta);
    if (low) circuit.a.constant(b * n * levels).add(s, -b * n * levels);
    if (high) circuit.a.add(g, -b * levels);
    addRange(circuit.a, o, n, -b * levels);
    addRange(circuit.a, ylow, levels, -b);
    if (plan.isHalfEven(i)) {
      const x = remainder + rangeBits(b - 1);
      addRange(circuit.c, remainder, b - 1, 1);
      circuit.c.add(x, 2);
      plan.addParity(i, circuit.c, ylow, 1);
      circuit.enforceLinear('quotient');
      circuit.a.add(x, 1);
      circuit.b.constant(1).add(x, -1);
      plan.addParity(i, circuit.b, ylow, -1);
      circuit.enforce('tie');
    } else {
      addRange(circuit.a, remainder, b, -1, plan.hidden[i]);
      if (plan.hidden[i] === 1) circuit.enforceBoolean('quotient');
      else circuit.enforceLinear('quotient');
    }

    // (s − g)·ylow = y − (Y − 1)·g
    addRange(circuit.b, ylow, levels, 1);
    circuit.c.add(y, 1).constant(-floor);
    if (high) circuit.c.add(g, -(levels - 1));
    if (low) circuit.a.add(s, 1);
    else circuit.a.constant(1);
    if (high) circuit.a.add(g, -1);
    circuit.enforce('y');

    writer.term(y, 1);
    writer.end(0, floor, plan.top[i]);
    y++;
  }
  return writer.finish(accumulator.shape);
}
