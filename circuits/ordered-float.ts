/** Float32 as integers of the same order: what only compares stays exact. */

/** All NaNs are one value, the one above +∞. */
export const ORDERED_NAN = 0x7f800001;

/** From −∞ to NaN. Every integer in it is the place of one float, so what is proven of an integer is said of a float. */
export const ORDERED_RANGE: readonly [number, number] = [-0x7f800000, ORDERED_NAN];

/** Order of float32 as int32: monotone, −0 is +0, NaN stands above all numbers. */
export function orderedFloat(x: number): number {
  if (Number.isNaN(x)) return ORDERED_NAN;
  scratch.setFloat32(0, x === 0 ? 0 : x);
  const bits = scratch.getInt32(0);
  return bits >= 0 ? bits : -(bits & 0x7fffffff);
}

/** The float32 whose place that is, of a place in ORDERED_RANGE. */
export function floatOfOrder(order: number): number {
  scratch.setUint32(0, order >= 0 ? order : 0x80000000 | -order);
  return scratch.getFloat32(0);
}
const scratch = new DataView(new ArrayBuffer(4));
