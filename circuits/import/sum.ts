/**
 * Elementwise functions of two quantized values, such as a residual Add: integers A, B, c, b with
 *
 *   clamp(floor((A·p + B·q + c)/b)) = the float formula, for every one of the 65,536 pairs (p, q).
 *
 * The pairs are all evaluated; for given A, B, b each pair allows an interval of c, and a form is exact when the
 * intervals meet.
 */
import { roundHalfEven } from './fit.js';

export interface SumForm {
  readonly coefficients: readonly number[];
  readonly offset: number;
  readonly divisor: number;
  /** Present where the division rounds half to even instead of down: it is added afterwards. */
  readonly zeroPoint?: number;
}

export interface PairFunction {
  /** Inclusive ranges of the two raw integers and of y. */
  readonly p: readonly [number, number];
  readonly q: readonly [number, number];
  readonly y: readonly [number, number];
  readonly valueAt: (p: number, q: number) => number;
  /** ∂y/∂p and ∂y/∂q of the unrounded formula. */
  readonly slopes: readonly [number, number];
}

/** Largest divisor tried; each doubling is one more row in every circuit that uses the form. */
const MAX_DIVISOR = 2 ** 18;
const MAX_EVEN_SHIFT = 16;

export function fitSum(f: PairFunction): SumForm | undefined {
  const pairs = allPairs(f);
  const order = tellingFirst(pairs, f);
  for (let b = 1; b <= MAX_DIVISOR; b++) {
    for (const a0 of around(b * f.slopes[0])) {
      for (const a1 of around(b * f.slopes[1])) {
        const range = interval(pairs, order, f.y, a0, a1, b);
        if (range) return { coefficients: [a0, a1], offset: middle(range), divisor: b };
      }
    }
  }
  return undefined;
}

/**
 * Scales that are powers of two make exact ties, which a plain floor cannot send to even: then
 * y = clamp(rne((A·p + B·q + c)/2^k) + zero point), if the slopes are such fractions and every pair agrees.
 */
export function fitEvenSum(
  f: PairFunction & { readonly zeroPoints: readonly [number, number, number] },
): SumForm | undefined {
  // Integer slopes make no ties.
  if (f.slopes.every(Number.isInteger)) return undefined;
  const [zp, zq, zy] = f.zeroPoints;
  const [yMin, yMax] = f.y;
  for (let k = 2; k <= MAX_EVEN_SHIFT; k++) {
    const divisor = 2 ** k;
    const coefficients = f.slopes.map((slope) => slope * divisor) as [number, number];
    if (!coefficients.every(Number.isInteger)) continue;
    const [a0, a1] = coefficients;
    const offset = -a0 * zp - a1 * zq;
    const { p, q, y } = allPairs(f);
    const agrees = y.every((want, i) => {
      const rounded = roundHalfEven((a0 * p[i]! + a1 * q[i]! + offset) / divisor) + zy;
      return Math.min(Math.max(rounded, yMin), yMax) === want;
    });
    return agrees ? { coefficients, offset, divisor, zeroPoint: zy } : undefined;
  }
  return undefined;
}

interface Pairs {
  readonly p: Int32Array;
  readonly q: Int32Array;
  readonly y: Int32Array;
}

function allPairs({ p: [p0, p1], q: [q0, q1], valueAt }: PairFunction): Pairs {
  const count = (p1 - p0 + 1) * (q1 - q0 + 1);
  const pairs = { p: new Int32Array(count), q: new Int32Array(count), y: new Int32Array(count) };
  let i = 0;
  for (let p = p0; p <= p1; p++) {
    for (let q = q0; q <= q1; q++, i++) {
      pairs.p[i] = p;
      pairs.q[i] = q;
      pairs.y[i] = valueAt(p, q);
    }
  }
  return pairs;
}

/** The numbers of all pairs, those next to a step of y along q first: nearly every wrong form fails on one of them. */
function tellingFirst({ y }: Pairs, { q: [q0, q1] }: PairFunction): Int32Array {
  const width = q1 - q0 + 1;
  const isTelling = (i: number): boolean =>
    (i % width > 0 && y[i] !== y[i - 1]) || (i % width < width - 1 && y[i] !== y[i + 1]);
  const order = new Int32Array(y.length);
  let front = 0;
  let back = y.length;
  for (let i = 0; i < y.length; i++) order[isTelling(i) ? front++ : --back] = i;
  return order;
}

function around(x: number): number[] {
  const down = Math.floor(x);
  return Number.isInteger(x) ? [x] : [down, down + 1];
}

/**
 * The c with floor((a0·p + a1·q + c)/b) = y for every pair; a saturated y bounds c on one side only. The two pairs that
 * leave no c move to the front of the order: the next form most likely fails on them too.
 */
function interval(
  { p, q, y }: Pairs,
  order: Int32Array,
  [yMin, yMax]: readonly [number, number],
  a0: number,
  a1: number,
  b: number,
): [number, number] | undefined {
  let low = -Infinity;
  let high = Infinity;
  let lowAt = 0;
  let highAt = 0;
  for (let k = 0; k < order.length; k++) {
    const i = order[k]!;
    const rest = b * y[i]! - a0 * p[i]! - a1 * q[i]!;
    if (y[i]! > yMin && rest > low) [low, lowAt] = [rest, k];
    if (y[i]! < yMax && rest + b - 1 < high) [high, highAt] = [rest + b - 1, k];
    if (low > high) {
      toFront(order, Math.max(lowAt, highAt));
      toFront(order, Math.min(lowAt, highAt) + 1);
      return undefined;
    }
  }
  return [low, high];
}

/** Halfway to the front: a single odd failure does not push out what fails often. */
function toFront(order: Int32Array, k: number): void {
  const to = Math.min(k >> 1, order.length - 1);
  const at = Math.min(k, order.length - 1);
  [order[to], order[at]] = [order[at]!, order[to]!];
}

function middle([low, high]: readonly [number, number]): number {
  if (low === -Infinity) return high === Infinity ? 0 : high;
  return high === Infinity ? low : Math.floor((low + high) / 2);
}
