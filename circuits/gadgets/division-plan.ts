import { roundHalfEven, type FloorFit, type HalfEvenFit } from '../import/fit.js';
import type { Builder } from '../r1cs/builder.js';
import type { LinearCombination } from '../r1cs/linear-combination.js';
import { hiddenBits, rangeBits, readRange } from './range.js';
import type { EqualityTest } from './is-zero.js';

const NONE: readonly { readonly acc: number; readonly delta: number }[] = [];

export interface Requantize {
  readonly fit: FloorFit | HalfEvenFit;
  readonly zeroPoint: number;
  /** Inclusive saturation range of y. */
  readonly yMin: number;
  readonly yMax: number;
}

/** The integer before saturation, zero point included. */
export function rounded({ fit, zeroPoint }: Requantize, accumulator: number): number {
  if (fit.kind === 'halfEven') return roundHalfEven((fit.m * accumulator) / 2 ** fit.k) + zeroPoint;
  let numerator = fit.a * accumulator + fit.c;
  for (const { acc, delta } of fit.exceptions) if (acc === accumulator) numerator += delta;
  return Math.floor(numerator / fit.b) + zeroPoint;
}

/**
 * What the bounds of each accumulator leave of the general requantization: which flags it needs, how many output
 * levels and overflow steps are reachable, and where its wires stand in the blocks.
 */
export class DivisionPlan {
  readonly count: number;
  /** y is one known value. */
  readonly constant: Uint8Array;
  /** The divisor is 1 and saturation out of reach: y is the numerator itself. */
  readonly linear: Uint8Array;
  /** t < 0 is reachable / t ≥ levels is reachable. */
  readonly low: Uint8Array;
  readonly high: Uint8Array;
  /** Remainder bits without a wire. */
  readonly hidden: Uint8Array;
  /** Where an element's bits start: s, ylow bits, remainder bits. */
  readonly bitOffsets: Uint32Array;
  /** Where its g and O bits start. */
  readonly overflowOffsets: Uint32Array;
  readonly activeCount: number;
  /** Largest y the bounds allow. */
  readonly top: Float64Array;
  private readonly levels: Float64Array;
  private readonly overflow: Float64Array;
  /** y at t = 0. */
  private readonly floor: Float64Array;
  private readonly specs: Uint32Array;

  constructor(
    private readonly requantizations: readonly Requantize[],
    private readonly lo: Float64Array,
    private readonly hi: Float64Array,
    specOf: (index: number) => number,
    /** Wires in the accumulator of element i. */
    termsOf: (index: number) => number = () => Infinity,
  ) {
    const count = (this.count = lo.length);
    this.constant = new Uint8Array(count);
    this.linear = new Uint8Array(count);
    this.low = new Uint8Array(count);
    this.hidden = new Uint8Array(count);
    this.high = new Uint8Array(count);
    this.bitOffsets = new Uint32Array(count + 1);
    this.overflowOffsets = new Uint32Array(count + 1);
    this.top = new Float64Array(count);
    this.levels = new Float64Array(count);
    this.overflow = new Float64Array(count);
    this.floor = new Float64Array(count);
    this.specs = new Uint32Array(count);
    let active = 0;
    for (let i = 0; i < count; i++) {
      this.specs[i] = specOf(i);
      this.bound(i);
      const terms = termsOf(i) + this.exceptionsOf(i).length;
      if (!this.isFree(i) && !this.isHalfEven(i)) this.hidden[i] = hiddenBits(this.divisor(i), terms);
      if (!this.isFree(i)) active++;
      this.bitOffsets[i + 1] = this.bitOffsets[i] + this.bitsOf(i);
      this.overflowOffsets[i + 1] = this.overflowOffsets[i] + this.overflowBitsOf(i);
    }
    this.activeCount = active;
  }

  get bitCount(): number {
    return this.bitOffsets[this.count];
  }

  get overflowCount(): number {
    return this.overflowOffsets[this.count];
  }

  shape(i: number): { levels: number; overflow: number; floor: number } {
    return { levels: this.levels[i], overflow: this.overflow[i], floor: this.floor[i] };
  }

  /** No wire and no row: y is constant or linear. */
  isFree(i: number): boolean {
    return this.constant[i] + this.linear[i] > 0;
  }

  rowsOf(i: number): number {
    if (this.isFree(i)) return 0;
    const tie = this.isHalfEven(i) ? 1 : 0;
    return this.bitsOf(i) + this.overflowBitsOf(i) + 2 + tie + 2 * this.exceptionsOf(i).length;
  }

  isHalfEven(i: number): boolean {
    return this.spec(i).fit.kind === 'halfEven';
  }

  divisor(i: number): number {
    const { fit } = this.spec(i);
    return fit.kind === 'halfEven' ? 2 ** fit.k : fit.b;
  }

  /** u = scale·acc + offset, shifted so that t = 0 is y = floor; half-even: plus half a divisor. */
  scale(i: number): number {
    const { fit } = this.spec(i);
    return fit.kind === 'halfEven' ? fit.m : fit.a;
  }

  offset(i: number): number {
    const { fit, zeroPoint } = this.spec(i);
    const shift = this.divisor(i) * (zeroPoint - this.floor[i]);
    return (fit.kind === 'halfEven' ? 2 ** (fit.k - 1) : fit.c) + shift;
  }

  /** t of a half-even element from its shifted u: the parity is that of the integer before the zero point. */
  roundHalfEven(i: number, u: number): number {
    const b = this.divisor(i);
    const shift = this.spec(i).zeroPoint - this.floor[i];
    return roundHalfEven((u - b / 2) / b - shift) + shift;
  }

  /** Parity of the integer before the zero point, when ylow is its low part. */
  parityOf(i: number, ylow: number): number {
    return Math.abs(ylow + this.parityShift(i)) % 2;
  }

  /** Adds scale·parity, linear in the lowest bit of ylow because levels is a power of two here. */
  addParity(i: number, combination: LinearCombination, ylow: number, scale: number): void {
    if (this.parityShift(i) % 2 === 0) combination.add(ylow, scale);
    else combination.constant(scale).add(ylow, -scale);
  }

  readLow(i: number, values: Int32Array, bits: number): number {
    return readRange(values, bits + this.bitOffsets[i] + this.low[i], this.levels[i]);
  }

  /** Bit rows of s, ylow and the remainder; the tie bit has a row of its own. */
  booleanWires(i: number, circuit: Builder, first: number): void {
    const tie = this.isHalfEven(i) ? 1 : 0;
    circuit.boolean('quotient and remainder bits', first, this.bitsOf(i) - tie);
  }

  /** Largest magnitude in the quotient row. */
  magnitude(i: number): number {
    const numerator = Math.max(Math.abs(this.lo[i]), Math.abs(this.hi[i])) * this.scale(i);
    const quotient = this.divisor(i) * (this.levels[i] * (2 * this.overflow[i] + 2) + 1);
    return numerator + Math.abs(this.offset(i)) + quotient;
  }

  /** Collects the equality tests of reachable exceptions; returns, by element, which test adds which delta. */
  exceptionTests(tests: EqualityTest[]): (i: number) => readonly { test: number; delta: number }[] {
    const byElement = new Map<number, { test: number; delta: number }[]>();
    for (let i = 0; i < this.count; i++) {
      if (this.isFree(i)) continue;
      for (const { acc, delta } of this.exceptionsOf(i)) {
        const list = byElement.get(i) ?? [];
        list.push({ test: tests.length, delta });
        byElement.set(i, list);
        tests.push({ index: i, value: acc });
      }
    }
    const none: readonly { test: number; delta: number }[] = [];
    return byElement.size === 0 ? () => none : (i) => byElement.get(i) ?? none;
  }

  private spec(i: number): Requantize {
    return this.requantizations[this.specs[i]];
  }

  private parityShift(i: number): number {
    return this.floor[i] - this.spec(i).zeroPoint;
  }

  private exceptionsOf(i: number): readonly { acc: number; delta: number }[] {
    const { fit } = this.spec(i);
    if (fit.kind === 'halfEven' || fit.exceptions.length === 0) return NONE;
    return fit.exceptions.filter(({ acc }) => acc >= this.lo[i] && acc <= this.hi[i]);
  }

  private bitsOf(i: number): number {
    if (this.isFree(i)) return 0;
    const b = this.divisor(i);
    const remainder = this.isHalfEven(i) ? rangeBits(b - 1) + 1 : rangeBits(b) - this.hidden[i];
    return this.low[i] + rangeBits(this.levels[i]) + remainder;
  }

  private overflowBitsOf(i: number): number {
    return this.isFree(i) ? 0 : this.high[i] + rangeBits(this.overflow[i]);
  }

  private bound(i: number): void {
    const spec = this.spec(i);
    const { yMin, yMax, fit } = spec;
    // Between exceptions the staircase is monotone, so its range is taken at the ends and at the exceptions.
    const [first, last] = [rounded(spec, this.lo[i]), rounded(spec, this.hi[i])];
    let yLo = Math.min(first, last);
    let yHi = Math.max(first, last);
    for (const { acc } of this.exceptionsOf(i)) {
      for (let near = acc - 1; near <= acc + 1; near++) {
        if (near < this.lo[i] || near > this.hi[i]) continue;
        const y = rounded(spec, near);
        yLo = Math.min(yLo, y);
        yHi = Math.max(yHi, y);
      }
    }
    const clampedLo = Math.min(Math.max(yLo, yMin), yMax);
    const clampedHi = Math.min(Math.max(yHi, yMin), yMax);
    this.floor[i] = clampedLo;
    this.top[i] = clampedHi;
    if (clampedLo === clampedHi) {
      this.constant[i] = 1;
      return;
    }
    this.low[i] = yLo < yMin ? 1 : 0;
    this.high[i] = yHi > yMax ? 1 : 0;
    const plain = fit.kind === 'floor' && fit.b === 1 && this.exceptionsOf(i).length === 0;
    if (plain && this.low[i] + this.high[i] === 0) this.linear[i] = 1;
    let levels = clampedHi - clampedLo + 1;
    if (fit.kind === 'halfEven') {
      // The parity must be one bit of ylow, so the levels are a power of two: all of them where y saturates above,
      // else rounded up, as the bounds keep t below.
      if (this.high[i] === 1 && !Number.isInteger(Math.log2(yMax - yMin + 1)))
        throw new RangeError(`half-even rounding needs a power of two of levels, got [${yMin}, ${yMax}]`);
      if (this.high[i] === 1) this.floor[i] = yMin;
      levels = 2 ** rangeBits(this.high[i] === 1 ? yMax - yMin + 1 : levels);
    }
    this.levels[i] = levels;
    const below = this.low[i] === 1 ? Math.ceil((this.floor[i] - yLo) / levels) : 0;
    const above = this.high[i] === 1 ? Math.ceil((yHi - this.floor[i] + 1) / levels) - 1 : 0;
    this.overflow[i] = Math.max(below, above, 1);
  }
}
