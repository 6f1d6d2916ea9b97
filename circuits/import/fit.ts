/**
 * Requantization in integers: ONNX Runtime computes y = saturate(rne(f32(f32(acc)·M)) + zp). As a function of the
 * integer acc this is a non-decreasing staircase of at most 256 steps, so the float multiply is fully described by
 * its thresholds, found here by bisection over the very same float32 arithmetic. A circuit then needs integers with
 *
 *   floor((a·acc + c + Σ δ_e·[acc = e]) / b) = the staircase, at every threshold of the reachable range.
 *
 * Step y at threshold T holds exactly if a·T + c ≥ b·y and a·(T − 1) + c < b·y; for given a and b each step allows
 * an interval of c, and a triple is exact when the intervals meet. Nothing is assumed about M: what is returned was
 * checked at every threshold, and outside the thresholds both sides are constant or saturated.
 */
import { ModelRefused } from '../errors.js';

export interface Requantization {
  /** M = f32(f32(sx·sw)/sy), a float32. */
  readonly multiplier: number;
  /** Inclusive range of the int32 accumulator, bias included. */
  readonly accMin: number;
  readonly accMax: number;
  readonly zeroPoint: number;
  /** Inclusive range y saturates to. */
  readonly yMin: number;
  readonly yMax: number;
}

/** y = clamp(floor((a·acc + c + Σ delta·[acc = e]) / b) + zeroPoint, yMin, yMax). a, b > 0. */
export interface FloorFit {
  readonly kind: 'floor';
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly exceptions: readonly { readonly acc: number; readonly delta: number }[];
}

/** y = clamp(rne(m·acc / 2^k) + zeroPoint, yMin, yMax), ties to even before the zero point. k ≥ 2. */
export interface HalfEvenFit {
  readonly kind: 'halfEven';
  readonly m: number;
  readonly k: number;
}

/** y = y(accMin) + the number of thresholds ≤ acc; ascending, a step of two levels is listed twice. */
export interface ThresholdFit {
  readonly kind: 'thresholds';
  /** y at accMin. */
  readonly first: number;
  readonly thresholds: readonly number[];
}

export type RequantizationFit = FloorFit | HalfEvenFit | ThresholdFit;

/** Beyond this many exceptional accumulators (2 rows each) the threshold table is cheaper. */
export const MAX_EXCEPTIONS = 16;

const SMALLEST_NORMAL_F32 = 2 ** -126;

/** Round half to even, of a float. */
export function roundHalfEven(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** The float formula itself: the meaning that a fit is checked against. */
export function requantizeFloat({ multiplier, zeroPoint, yMin, yMax }: Requantization, acc: number): number {
  const y = roundHalfEven(Math.fround(Math.fround(acc) * multiplier)) + zeroPoint;
  return y < yMin ? yMin : y > yMax ? yMax : y;
}

export function fitRequantization(r: Requantization): RequantizationFit {
  const refuse = (what: string, expected: string, got: number): never => {
    throw new ModelRefused({ where: 'requantization', what, expected, got: String(got) });
  };
  if (!(r.multiplier >= SMALLEST_NORMAL_F32 && r.multiplier < Infinity))
    refuse('multiplier', 'a positive normal float32', r.multiplier);
  if (r.multiplier !== Math.fround(r.multiplier)) refuse('multiplier', 'a float32', r.multiplier);
  if (r.accMin < -(2 ** 31) || r.accMax > 2 ** 31 - 1)
    refuse('accumulator', 'inside int32', r.accMin < -(2 ** 31) ? r.accMin : r.accMax);
  const staircase = staircaseOf((acc) => requantizeFloat(r, acc), r);
  return fitStaircase({ ...staircase, slope: r.multiplier, zeroPoint: r.zeroPoint, halfEven: halfEvenOf(r) });
}

/** A non-decreasing integer function on [accMin, accMax] with values in [yMin, yMax]. */
export interface Staircase {
  readonly accMin: number;
  readonly accMax: number;
  readonly yMin: number;
  readonly yMax: number;
  readonly first: number;
  readonly thresholds: readonly number[];
}

/** Thresholds of a non-decreasing function by bisection. */
export function staircaseOf(
  valueAt: (acc: number) => number,
  { accMin, accMax, yMin, yMax }: { accMin: number; accMax: number; yMin: number; yMax: number },
): Staircase {
  const first = valueAt(accMin);
  const last = valueAt(accMax);
  const thresholds: number[] = [];
  let below = accMin;
  for (let y = first + 1; y <= last; y++) {
    // valueAt(below) < y unless the previous step already jumped past y.
    if (valueAt(below) < y) {
      let above = accMax;
      let stride = 1;
      // Gallop first: the steps are about evenly spaced.
      while (below + stride < above && valueAt(below + stride) < y) {
        below += stride;
        stride *= 2;
      }
      if (below + stride < above) above = below + stride;
      while (above - below > 1) {
        const middle = below + Math.floor((above - below) / 2);
        if (valueAt(middle) < y) below = middle;
        else above = middle;
      }
      below = above;
    }
    thresholds.push(below);
  }
  return { accMin, accMax, yMin, yMax, first, thresholds };
}

/**
 * The cheapest integer form of a staircase whose average slope is about `slope`, exact everywhere.
 * `halfEven` offers an exact-tie form, used when it reproduces every threshold and no plain triple does.
 */
export function fitStaircase(
  s: Staircase & {
    readonly slope: number;
    readonly zeroPoint: number;
    readonly halfEven?: HalfEvenFit | undefined;
  },
): RequantizationFit {
  const steps = stepsOf(s, s.zeroPoint);
  const exact = searchExact(steps, s.slope);
  if (exact) return exact;
  if (s.halfEven && halfEvenHolds(s.halfEven, s, s.zeroPoint)) return s.halfEven;
  return searchWithExceptions(steps, s) ?? { kind: 'thresholds', first: s.first, thresholds: s.thresholds };
}

/**
 * What (a, b, c) must satisfy: at each of `lower` a·acc + c ≥ b·y, at each of `upper` a·acc + c < b·y. y is before the
 * zero point. The outermost steps stand first: they reject a wrong slope soonest.
 */
interface Steps {
  readonly lower: Bounds;
  readonly upper: Bounds;
}

interface Bounds {
  readonly acc: Float64Array;
  readonly y: Float64Array;
}

function stepsOf(s: Staircase, zeroPoint: number): Steps {
  const count = s.thresholds.length;
  const last = s.first + count;
  // A saturated end needs no bound of its own: the clamp takes whatever lies beyond it.
  const lower = boundsOf(count, s.first > s.yMin ? [s.accMin, s.first - zeroPoint] : undefined);
  const upper = boundsOf(count, last < s.yMax ? [s.accMax, last + 1 - zeroPoint] : undefined);
  outermostFirst(count).forEach((i, place) => {
    const y = s.first + 1 + i - zeroPoint;
    for (const [bounds, acc] of [
      [lower, s.thresholds[i]!],
      [upper, s.thresholds[i]! - 1],
    ] as const) {
      const at = bounds.acc.length - count + place;
      bounds.acc[at] = acc;
      bounds.y[at] = y;
    }
  });
  return { lower, upper };
}

function boundsOf(count: number, end: readonly [number, number] | undefined): Bounds {
  const bounds = {
    acc: new Float64Array(count + (end ? 1 : 0)),
    y: new Float64Array(count + (end ? 1 : 0)),
  };
  if (end) [bounds.acc[0], bounds.y[0]] = end;
  return bounds;
}

function outermostFirst(count: number): number[] {
  const order: number[] = [];
  for (let low = 0, high = count - 1; low <= high; low++, high--) {
    order.push(low);
    if (high !== low) order.push(high);
  }
  return order;
}

/** The integers c that satisfy every step for this (a, b), or undefined. */
function intervalOfC({ lower, upper }: Steps, a: number, b: number): { lo: number; hi: number } | undefined {
  let lo = -Infinity;
  let hi = Infinity;
  const count = Math.max(lower.acc.length, upper.acc.length);
  for (let i = 0; i < count; i++) {
    if (i < lower.acc.length) lo = Math.max(lo, b * lower.y[i]! - a * lower.acc[i]!);
    if (i < upper.acc.length) hi = Math.min(hi, b * upper.y[i]! - 1 - a * upper.acc[i]!);
    if (lo > hi) return undefined;
  }
  return { lo, hi };
}

/** Whether the two outermost steps already leave no c: what nearly every wrong slope fails at. */
function outermostTest({ lower, upper }: Steps): (a: number, b: number) => boolean {
  if (lower.acc.length < 2 || upper.acc.length < 2) return () => false;
  const [p, py, q, qy] = [lower.acc[0]!, lower.y[0]!, lower.acc[1]!, lower.y[1]!];
  const [r, ry, s, sy] = [upper.acc[0]!, upper.y[0]!, upper.acc[1]!, upper.y[1]!];
  return (a, b) => Math.max(b * py - a * p, b * qy - a * q) > Math.min(b * ry - a * r, b * sy - a * s) - 1;
}

/** Largest a (slope below 1) or b (slope above 1) tried: 7 bits is what arbitrary scales need, the rest is margin. */
const SEARCH_LIMIT = 2048;
/** a·acc, b·y and their sums stay exact in a double and far below the field. */
const MAX_COEFFICIENT = 2 ** 22;

/** What is added to the rounded partner of a or b, in this order. */
const NEAR = [0, 1, -1, 2];

/**
 * Calls `visit` with pairs (a, b) with a/b near the slope, b ascending (b is what the range check of the remainder pays
 * for), until it returns true.
 */
function eachCandidate(slope: number, limit: number, visit: (a: number, b: number) => boolean): void {
  for (let i = 1; i <= limit; i++) {
    const partner = slope < 1 ? i / slope : i * slope;
    if (partner > MAX_COEFFICIENT && i > 1) return;
    const base = Math.floor(partner);
    for (const near of NEAR) {
      const j = base + near;
      if (j >= 1 && (slope < 1 ? visit(i, j) : visit(j, i))) return;
    }
  }
}

function searchExact(steps: Steps, slope: number): FloorFit | undefined {
  let found: FloorFit | undefined;
  const isRuledOut = outermostTest(steps);
  // No step is reachable: y is constant, and any slope small enough to stay inside one step will do.
  eachCandidate(slope, SEARCH_LIMIT, (a, b) => {
    if (isRuledOut(a, b)) return false;
    const interval = intervalOfC(steps, a, b);
    if (!interval) return false;
    const c = Math.min(Math.max(Math.floor(b / 2), interval.lo), interval.hi);
    found = { kind: 'floor', a, b, c, exceptions: [] };
    return true;
  });
  return found;
}

/** Approximations a/b of the slope tried for each bit length of b. */
const TRIED_PER_LENGTH = 4;

/**
 * Fewest bits of b plus two rows an exception. For each of the closest a/b the best c is found by a sweep, and the
 * steps it violates bound the exceptions from below; the exceptions themselves are counted most promising first.
 */
function searchWithExceptions(
  steps: Steps,
  s: Staircase & { slope: number; zeroPoint: number },
): FloorFit | undefined {
  const band = bandOf(s, s.slope);
  const isHopeful = ([a, b]: readonly [number, number]): boolean =>
    s.thresholds.length - mostSatisfiable(band, s.slope, a, b) <= MAX_EXCEPTIONS;
  const shortlist = closestPairs(s.slope)
    .filter(isHopeful)
    .map(([a, b]) => {
      const { c, violated } = mostAgreeableC(steps, a, b);
      return { a, b, c, bits: Math.ceil(Math.log2(b)), bound: Math.ceil(Math.log2(b)) + 2 * violated };
    });
  shortlist.sort((p, q) => p.bound - q.bound || p.b - q.b);
  let best: { cost: number; fit: FloorFit } | undefined;
  for (const { a, b, c, bits, bound } of shortlist) {
    if (bound - bits > 2 * MAX_EXCEPTIONS) continue;
    if (best && bound >= best.cost) break;
    const exceptions = exceptionsOf(s, a, b, c);
    if (!exceptions) continue;
    const cost = bits + 2 * exceptions.length;
    if (!best || cost < best.cost) best = { cost, fit: { kind: 'floor', a, b, c, exceptions } };
  }
  return best?.fit;
}

/** For each bit length of b, the pairs whose quotient is nearest the slope. */
function closestPairs(slope: number): [number, number][] {
  const byLength = new Map<number, { pair: [number, number]; error: number }[]>();
  eachCandidate(slope, 256, (a, b) => {
    const error = Math.abs(a / b - slope);
    const length = Math.ceil(Math.log2(b));
    const kept = byLength.get(length) ?? [];
    byLength.set(length, kept);
    if (kept.length === TRIED_PER_LENGTH && error >= kept[kept.length - 1]!.error) return false;
    kept.push({ pair: [a, b], error });
    kept.sort((p, q) => p.error - q.error);
    kept.length = Math.min(kept.length, TRIED_PER_LENGTH);
    return false;
  });
  return [...byLength.values()].flatMap((kept) => kept.map(({ pair }) => pair));
}

/**
 * At least as many steps as any single c can satisfy. Step y wants c in [b·y − a·T, b·y − a·T + a − 1]. With T on the
 * line y/slope but for a band of width w, two satisfied steps lie at most a·(1 + w)/|b − a/slope| levels apart.
 */
function mostSatisfiable(band: number, slope: number, a: number, b: number): number {
  return (a * (1 + band)) / Math.abs(b - a / slope) + 1;
}

/** How far the thresholds stray from a line of the given slope: the width of the band that holds them. */
function bandOf({ thresholds }: Staircase, slope: number): number {
  let low = Infinity;
  let high = -Infinity;
  thresholds.forEach((threshold, i) => {
    const distance = threshold - i / slope;
    low = Math.min(low, distance);
    high = Math.max(high, distance);
  });
  return high - low;
}

/** The c that violates the fewest steps, by a sweep over the sorted ends of their intervals. */
function mostAgreeableC({ lower, upper }: Steps, a: number, b: number): { c: number; violated: number } {
  const from = lower.acc.map((acc, i) => b * lower.y[i]! - a * acc).sort();
  const to = upper.acc.map((acc, i) => b * upper.y[i]! - 1 - a * acc).sort();
  let c = Math.floor(b / 2);
  let violated = Infinity;
  for (let i = 0, ended = 0; i < from.length; i++) {
    while (ended < to.length && to[ended]! < from[i]!) ended++;
    const now = from.length - 1 - i + ended;
    if (now < violated) [violated, c] = [now, from[i]!];
  }
  return { c, violated };
}

/** Every accumulator at which the triple misses the staircase, with the correction that puts it right. */
function exceptionsOf(
  s: Staircase & { zeroPoint: number },
  a: number,
  b: number,
  c: number,
): { acc: number; delta: number }[] | undefined {
  const exceptions = new Map<number, number>();
  const clampAt = (acc: number): number =>
    Math.min(Math.max(Math.floor((a * acc + c) / b) + s.zeroPoint, s.yMin), s.yMax);
  const valueAt = (acc: number): number => s.first + countAtMost(s.thresholds, acc);
  const visit = (acc: number): boolean => {
    const want = valueAt(acc);
    const got = clampAt(acc);
    if (want === got) return false;
    const target = b * (want - s.zeroPoint) + (want < got ? b - 1 : 0);
    exceptions.set(acc, target - (a * acc + c));
    return true;
  };
  // The two staircases differ only next to a threshold of either: walk outwards from each until they agree.
  const starts = new Set<number>([s.accMin, s.accMax]);
  s.thresholds.forEach((threshold, i) => {
    starts.add(threshold).add(threshold - 1);
    const own = Math.ceil((b * (s.first + 1 + i - s.zeroPoint) - c) / a);
    starts.add(own).add(own - 1);
  });
  for (const start of starts) {
    if (start < s.accMin || start > s.accMax || exceptions.has(start)) continue;
    for (const direction of [1, -1]) {
      for (let acc = start; acc >= s.accMin && acc <= s.accMax && visit(acc); acc += direction) {
        if (exceptions.size > MAX_EXCEPTIONS) return undefined;
      }
    }
  }
  return [...exceptions].map(([acc, delta]) => ({ acc, delta })).sort((p, q) => p.acc - q.acc);
}

/** How many ascending thresholds are ≤ acc. */
export function countAtMost(thresholds: readonly number[], acc: number): number {
  let low = 0;
  let high = thresholds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (thresholds[middle]! <= acc) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** M as m/2^k, if ties can occur: m·acc = 2^(k−1)·odd needs |acc| ≥ 2^(k−1). */
function halfEvenOf({ multiplier, accMin, accMax }: Requantization): HalfEvenFit | undefined {
  let m = multiplier;
  let k = 0;
  while (!Number.isInteger(m)) {
    m *= 2;
    k++;
  }
  if (k === 1) [m, k] = [2 * m, 2]; // the tie relation of a circuit needs k ≥ 2
  if (k < 2 || 2 ** (k - 1) > Math.max(accMax, -accMin) || m > MAX_COEFFICIENT) return undefined;
  return { kind: 'halfEven', m, k };
}

/** rne(m·acc/2^k) ≥ y exactly if 2·m·acc > (2y − 1)·2^k, or equal and y even. */
function halfEvenHolds({ m, k }: HalfEvenFit, s: Staircase, zeroPoint: number): boolean {
  const reaches = (acc: number, y: number): boolean => {
    const left = BigInt(m) * BigInt(acc) * 2n;
    const right = BigInt(2 * y - 1) << BigInt(k);
    return left > right || (left === right && y % 2 === 0);
  };
  const { lower, upper } = stepsOf(s, zeroPoint);
  return (
    lower.acc.every((acc, i) => reaches(acc, lower.y[i]!)) &&
    upper.acc.every((acc, i) => !reaches(acc, upper.y[i]!))
  );
}

/** What a fit computes: the reference that tests hold against the float formula. */
export function applyFit(fit: RequantizationFit, r: Omit<Requantization, 'multiplier'>, acc: number): number {
  if (fit.kind === 'thresholds') return fit.first + countAtMost(fit.thresholds, acc);
  let y: number;
  if (fit.kind === 'floor') {
    const delta = fit.exceptions.find((e) => e.acc === acc)?.delta ?? 0;
    y = Math.floor((fit.a * acc + fit.c + delta) / fit.b);
  } else {
    y = Number(roundHalfEvenShift(BigInt(fit.m) * BigInt(acc), BigInt(fit.k)));
  }
  return Math.min(Math.max(y + r.zeroPoint, r.yMin), r.yMax);
}

function roundHalfEvenShift(x: bigint, k: bigint): bigint {
  const down = x >> k;
  const twice = (x - (down << k)) * 2n;
  const one = 1n << k;
  return twice > one || (twice === one && (down & 1n) === 1n) ? down + 1n : down;
}
