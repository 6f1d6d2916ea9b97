/**
 * Multi-scalar multiplication Σ kᵢ·Pᵢ by Pippenger's method, slow and readable: the specification of native/msm.hpp.
 *
 *   c      bits of a window             kᵢ = Σ_w digit_w(kᵢ)·2^(cw), digits signed: −2^(c−1) ≤ digit < 2^(c−1)
 *   B_j    bucket j of one window       sum of ±Pᵢ over all i with |digit| = j, so Σ j·B_j is the window's sum
 *
 * Σ j·B_j needs no multiplication: add the buckets from the top, and add up those running sums.
 */

/** What the method asks of a group; every point type of a curve library offers it. */
export interface GroupPoint<P> {
  add(other: P): P;
  double(): P;
  negate(): P;
}

export function msm<P extends GroupPoint<P>>(
  points: readonly P[],
  scalars: readonly bigint[],
  zero: P,
  windowBits = 8,
): P {
  if (points.length !== scalars.length) {
    throw new RangeError(`msm: scalars must be ${points.length}, got ${scalars.length}`);
  }
  const digits = scalars.map((scalar) => signedDigits(scalar, windowBits));
  const windowCount = Math.max(0, ...digits.map((list) => list.length));
  let sum = zero;
  for (let w = windowCount - 1; w >= 0; w--) {
    for (let i = 0; i < windowBits; i++) sum = sum.double();
    const buckets: P[] = new Array(2 ** (windowBits - 1)).fill(zero);
    points.forEach((point, i) => {
      const digit = digits[i][w] ?? 0;
      if (digit > 0) buckets[digit - 1] = buckets[digit - 1].add(point);
      if (digit < 0) buckets[-digit - 1] = buckets[-digit - 1].add(point.negate());
    });
    sum = sum.add(weightedSum(buckets, zero));
  }
  return sum;
}

/** Σ (j + 1)·buckets[j]. */
export function weightedSum<P extends GroupPoint<P>>(buckets: readonly P[], zero: P): P {
  let running = zero;
  let total = zero;
  for (let j = buckets.length - 1; j >= 0; j--) {
    running = running.add(buckets[j]);
    total = total.add(running);
  }
  return total;
}

/** Least significant first. A digit of 2^(c−1) or more becomes negative and carries one. */
export function signedDigits(scalar: bigint, windowBits: number): number[] {
  if (scalar < 0n) throw new RangeError(`scalar: must not be negative, got ${scalar}`);
  const base = 2 ** windowBits;
  const digits: number[] = [];
  let carry = 0;
  for (let rest = scalar; rest > 0n || carry > 0; rest >>= BigInt(windowBits)) {
    const digit = Number(rest & BigInt(base - 1)) + carry;
    carry = digit >= base / 2 ? 1 : 0;
    digits.push(digit - carry * base);
  }
  return digits;
}
