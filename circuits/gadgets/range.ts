/**
 * Exact ranges of any size. For n ≥ 2 and k = ceil(log2 n) the weights 1, 2, 4, …, 2^(k−2), n − 2^(k−1) reach, by
 * subset sums, every value of [0, n − 1] and nothing else: the first k − 1 cover [0, 2^(k−1) − 1], and the last,
 * which is at most 2^(k−1), shifts that interval so that it ends at n − 1. So bits alone prove the range; which
 * bits is not unique unless n is a power of two, their weighted sum is.
 */
import type { AffineTensor } from '../affine.js';
import { evaluateElement, termCount } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import type { LinearCombination } from '../r1cs/linear-combination.js';

/** Bits of an exact range [0, size). */
export function rangeBits(size: number): number {
  if (size <= 1) return 0;
  if (size <= 2 ** 31) return 32 - Math.clz32(size - 1);
  const bits = Math.ceil(Math.log2(size));
  // The logarithm is rounded: just above 2^49 and beyond it is the power itself, one bit short.
  return 2 ** bits < size ? bits + 1 : bits;
}

/** Weight of bit j in the exact range [0, size). */
export function rangeWeight(size: number, j: number): number {
  const bits = rangeBits(size);
  return j < bits - 1 ? POWERS[j] : size - POWERS[bits - 1];
}

/** Powers of two that a double holds exactly. */
const POWERS = Float64Array.from({ length: 54 }, (_, j) => 2 ** j);

/** The canonical bits of a value: the last weight only when the others cannot reach it. */
export function writeRangeBits(values: Int32Array, first: number, size: number, value: number): void {
  const bits = rangeBits(size);
  if (bits === 0) return;
  const half = 2 ** (bits - 1);
  const top = value >= half ? 1 : 0;
  let rest = top === 1 ? value - (size - half) : value;
  for (let j = 0; j < bits - 1; j++) {
    const next = Math.floor(rest / 2);
    values[first + j] = rest - 2 * next;
    rest = next;
  }
  values[first + bits - 1] = top;
}

/** Longest combination that is written twice to save its own row. */
const SHORT_TERMS = 8;

/**
 * How many bits of an exact range get no wire: with a short combination the bit of weight 1 is stated as "the rest of
 * the sum is 0 or 1" (A = B = the combination), which makes the sum's own row unnecessary. Not where a second bit
 * has weight 1: that one could then take over unnoticed.
 */
export function hiddenBits(size: number, termCount: number): 0 | 1 {
  const bits = rangeBits(size);
  if (bits === 0 || termCount > SHORT_TERMS) return 0;
  return bits > 1 && rangeWeight(size, bits - 1) === 1 ? 0 : 1;
}

/** The canonical bits from `fromBit` on. */
export function writeKeptBits(
  values: Int32Array,
  first: number,
  size: number,
  value: number,
  fromBit: number,
): void {
  const bits = rangeBits(size);
  for (let j = bits - 1; j >= fromBit; j--) {
    const weight = rangeWeight(size, j);
    const isTaken = j === bits - 1 ? value >= 2 ** (bits - 1) : Math.floor(value / weight) % 2 === 1;
    values[first + j - fromBit] = isTaken ? 1 : 0;
    if (isTaken && j === bits - 1) value -= weight;
  }
}

/** Adds scale·Σ weightⱼ·bitⱼ for the bits from `fromBit` on. */
export function addRange(
  combination: LinearCombination,
  first: number,
  size: number,
  scale: number,
  fromBit = 0,
): void {
  const bits = rangeBits(size);
  for (let j = fromBit; j < bits; j++) {
    const weight = j < bits - 1 ? POWERS[j] : size - POWERS[bits - 1];
    combination.add(first + j - fromBit, scale * weight);
  }
}

/** Σ weightⱼ·bitⱼ under an assignment. */
export function readRange(values: Int32Array, first: number, size: number): number {
  let sum = 0;
  for (let j = 0, bits = rangeBits(size); j < bits - 1; j++) sum += POWERS[j] * values[first + j];
  const top = rangeBits(size) - 1;
  return top < 0 ? 0 : sum + rangeWeight(size, top) * values[first + top];
}

/**
 * Proves   lo ≤ x < lo + size for every element x of the tensor.
 * Assumes  size < modulus/4 (checked), so that no other integer of the field's small range fits.
 * Cost     ceil(log2 size) constraints an element, and one more where no bit can be hidden (`hiddenBits`).
 */
export function rangeCheck(circuit: Builder, label: string, x: AffineTensor, lo: number, size: number): void {
  requireHeadroom(circuit, size);
  const bits = rangeBits(size);
  const count = x.constants.length;
  const hidden = new Uint8Array(count);
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) {
    hidden[i] = hiddenBits(size, termCount(x, i));
    offsets[i + 1] = offsets[i] + bits - hidden[i];
  }
  const first = circuit.exists(`${label}/bits`, offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      writeKeptBits(values, at + offsets[i], size, evaluateElement(x, i, values) - lo, hidden[i]);
    }
  });
  circuit.boolean(`${label}/bits`, first, offsets[count]);
  for (let i = 0; i < count; i++) {
    circuit.a.addElement(x, i, 1).constant(-lo);
    addRange(circuit.a, first + offsets[i], size, -1, hidden[i]);
    if (hidden[i] === 1) circuit.enforceBoolean(`${label}/sum`);
    else circuit.enforceLinear(`${label}/sum`);
  }
}

/** Two bits of head-room under the field: |values| < size keep sums and differences apart modulo it. */
export function requireHeadroom(circuit: Builder, magnitude: number): void {
  if (BigInt(Math.ceil(magnitude)) * 4n >= circuit.modulus) {
    throw new RangeError(
      `magnitude ${magnitude} leaves less than two bits under the modulus ${circuit.modulus}`,
    );
  }
}
