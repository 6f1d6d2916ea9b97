import type { Dtype } from '../../circuits/onnx/graph.js';
import type { Random } from './random.js';

/** Inclusive. */
export type Range = readonly [number, number];

/** What a circuit carries of each integer type: wires are int32, so of the wider types their common part. */
export const carriedRanges: Partial<Record<Dtype, Range>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 31 - 1],
  int64: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, 2 ** 31 - 1],
  bool: [0, 1],
};

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
