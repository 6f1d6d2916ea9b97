import type { Random } from './random.js';

/** An integer in [lo, hi]. */
export function between(random: Random, lo: number, hi: number): number {
  return lo + random.below(hi - lo + 1);
}

export function integers(random: Random, count: number, lo: number, hi: number): Int32Array {
  return Int32Array.from({ length: count }, () => between(random, lo, hi));
}

/** Rounded, clipped, roughly normal. */
export function normals(
  random: Random,
  count: number,
  deviation: number,
  lo: number,
  hi: number,
): Int32Array {
  return Int32Array.from({ length: count }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += random.uint32() / 2 ** 32;
    return Math.min(Math.max(Math.round(sum * deviation), lo), hi);
  });
}
