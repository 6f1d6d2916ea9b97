/**
 * Elementwise functions of two quantized values, such as a residual Add: integers A, B, c, b with
 *
 *   clamp(floor((A·p + B·q + c)/b)) = the float formula, for every one of the 65,536 pairs (p, q).
 *
 * The pairs are all evaluated; for given A, B, b each pair allows an interval of c, and a form is exact when the
 * intervals meet.
 */
export interface SumForm {
  readonly coefficients: readonly number[];
  readonly offset: number;
  readonly divisor: number;
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
const MAX_DIVISOR = 2 ** 13;

export function fitSum(f: PairFunction): SumForm | undefined {
  const pairs = allPairs(f);
  const sample = tellingPairs(pairs, f);
  for (let b = 1; b <= MAX_DIVISOR; b++) {
    for (const a0 of around(b * f.slopes[0])) {
      for (const a1 of around(b * f.slopes[1])) {
        if (!interval(sample, f.y, a0, a1, b)) continue;
        const range = interval(pairs, f.y, a0, a1, b);
        if (range) return { coefficients: [a0, a1], offset: middle(range), divisor: b };
      }
    }
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

/** Pairs next to a step of y along q, thinned: nearly every wrong form already fails on them. */
function tellingPairs(pairs: Pairs, { q: [q0, q1], y: [low, high] }: PairFunction): Pairs {
  const width = q1 - q0 + 1;
  const chosen: number[] = [];
  for (let i = 1; i < pairs.y.length; i++) {
    const y = pairs.y[i]!;
    if (i % width === 0 || y === pairs.y[i - 1]!) continue;
    if ((y > low && y < high) || i % 7 === 0) chosen.push(i - 1, i);
  }
  const every = Math.max(1, Math.floor(chosen.length / 1024));
  const kept = chosen.filter((_, i) => i % every === 0);
  return {
    p: Int32Array.from(kept, (i) => pairs.p[i]!),
    q: Int32Array.from(kept, (i) => pairs.q[i]!),
    y: Int32Array.from(kept, (i) => pairs.y[i]!),
  };
}

function around(x: number): number[] {
  const down = Math.floor(x);
  return Number.isInteger(x) ? [x] : [down, down + 1];
}

/** The c with floor((a0·p + a1·q + c)/b) = y for every pair; a saturated y bounds c on one side only. */
function interval(
  { p, q, y }: Pairs,
  [yMin, yMax]: readonly [number, number],
  a0: number,
  a1: number,
  b: number,
): [number, number] | undefined {
  let low = -Infinity;
  let high = Infinity;
  for (let i = 0; i < y.length; i++) {
    const rest = b * y[i]! - a0 * p[i]! - a1 * q[i]!;
    if (y[i]! > yMin && rest > low) low = rest;
    if (y[i]! < yMax && rest + b - 1 < high) high = rest + b - 1;
    if (low > high) return undefined;
  }
  return [low, high];
}

function middle([low, high]: readonly [number, number]): number {
  if (low === -Infinity) return high === Infinity ? 0 : high;
  return high === Infinity ? low : Math.floor((low + high) / 2);
}
