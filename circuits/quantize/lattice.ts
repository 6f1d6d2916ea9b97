/**
 * Lattice scales: activation scales are powers of two and the weight scale of each output channel makes
 *
 *     M = inputScale · weightScale / outputScale = 1 / b,   b odd.
 *
 * Then rne(f32(f32(acc)·M)) = floor((acc + (b − 1)/2) / b) for every accumulator short of saturation: an odd b
 * has no ties, and inputScale·weightScale/outputScale is exactly f32(1/b) in float32, because two of the
 * three factors are powers of two.
 */

/** Above it the float path stops agreeing with the integer one inside the unsaturated range (DESIGN §2). */
export const LARGEST_DIVISOR = 32767;

/** Smallest and largest exponent of an activation scale: products of two stay far from float32's limits. */
const EXPONENT_MIN = -24;
const EXPONENT_MAX = 24;

export type CalibrationMethod = 'minmax' | 'percentile' | 'mse';

/** What calibration saw of one value. `sample` is a deterministic subsample of its elements. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
  readonly sample: Float32Array;
}

/** Rounds half to even, as ONNX does. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  if (fraction !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The exponent e of the scale 2^e for levels steps a side; an extreme value may lose one step. */
export function chooseExponent(range: ValueRange, levels: number, method: CalibrationMethod): number {
  const clampExponent = (e: number): number => Math.min(EXPONENT_MAX, Math.max(EXPONENT_MIN, e));
  const covering = (magnitude: number): number =>
    magnitude > 0 ? clampExponent(Math.ceil(Math.log2(magnitude / (levels + 1)))) : clampExponent(-7);
  const widest = covering(Math.max(Math.abs(range.min), Math.abs(range.max)));
  if (method === 'minmax') return widest;
  if (method === 'percentile') {
    const magnitudes = range.sample.map(Math.abs).sort();
    return covering(magnitudes[Math.floor((magnitudes.length - 1) * 0.9995)] ?? 0);
  }
  let best = widest;
  let bestError = Infinity;
  for (let e = widest; e >= clampExponent(widest - 4); e--) {
    const error = squaredError(range.sample, 2 ** e, levels);
    if (error < bestError) [best, bestError] = [e, error];
  }
  return best;
}

function squaredError(values: Float32Array, scale: number, levels: number): number {
  let error = 0;
  for (const value of values) {
    const q = Math.min(levels, Math.max(-levels, Math.round(value / scale)));
    error += (q * scale - value) ** 2;
  }
  return error;
}

/** One output channel on the lattice. */
export interface ChannelQuantization {
  /** b: the divisor of the accumulator. */
  readonly divisor: number;
  /** Float32 weight scale outputScale / (inputScale · b). */
  readonly scale: number;
  readonly weights: Int8Array;
}

/**
 * Picks b for one channel: the odd number for which the rounded weights are closest to the given ones.
 * `ratio` = outputScale / inputScale, a power of two; `levels` = greatest weight magnitude (127 for 8 bits).
 */
export function quantizeChannel(
  weights: Float32Array,
  ratio: number,
  levels: number,
  divisorMax: number,
): ChannelQuantization {
  let peak = 0;
  for (const w of weights) peak = Math.max(peak, Math.abs(w));
  // The scale that just spans the weights is peak / levels, so this divisor clips nothing.
  const spanning = peak > 0 ? (ratio * levels) / peak : divisorMax;
  const highest = toOdd(Math.min(divisorMax, Math.max(1, spanning * 1.25)));
  const lowest = toOdd(Math.max(1, Math.min(highest, spanning * 0.8)));
  const stride = Math.max(2, 2 * Math.floor((highest - lowest) / 64));
  let best = highest;
  let bestError = Infinity;
  for (let b = highest; b >= lowest; b -= stride) {
    const error = squaredError(weights, ratio / b, levels);
    if (error < bestError) [best, bestError] = [b, error];
  }
  const scale = Math.fround(ratio / best);
  const rounded = Int8Array.from(weights, (w) =>
    Math.min(levels, Math.max(-levels, roundHalfEven(w / scale))),
  );
  return { divisor: best, scale, weights: rounded };
}

/** The greatest odd integer ≤ x, at least 1. */
function toOdd(x: number): number {
  const n = Math.max(1, Math.floor(x));
  return n % 2 === 1 ? n : n - 1;
}
