/**
 * Number-theoretic transforms over Fr, slow and readable: the specification of native/ntt.hpp.
 *
 * A polynomial of degree < n = 2^k is its coefficients c_0 … c_(n−1), or its values at 1, ω, …, ω^(n−1). Evaluating
 * splits it by the parity of the exponent: f(x) = even(x²) + x·odd(x²), and x² runs twice over half as many points.
 */
import { bn254 } from '@noble/curves/bn254.js';
import { domainGenerator } from './qap.js';

const Fr = bn254.fields.Fr;

/** f at g·ωⁱ, i = 0 … n − 1. */
export function evaluate(coefficients: readonly bigint[], g = 1n): bigint[] {
  const n = coefficients.length;
  if (n === 1) return [coefficients[0]];
  const half = (parity: 0 | 1): bigint[] =>
    evaluate(
      coefficients.filter((_, i) => i % 2 === parity),
      Fr.sqr(g),
    );
  const [even, odd] = [half(0), half(1)];
  const omega = domainGenerator(n);
  const values: bigint[] = new Array(n);
  for (let i = 0, x = g; i < n / 2; i++, x = Fr.mul(x, omega)) {
    // ω^(n/2) = −1, so −x is the point half the domain away
    values[i] = Fr.add(even[i], Fr.mul(x, odd[i]));
    values[i + n / 2] = Fr.sub(even[i], Fr.mul(x, odd[i]));
  }
  return values;
}

/** The coefficients of the polynomial with these values at 1, ω, …: evaluation at ω⁻ⁱ, divided by n. */
export function interpolate(values: readonly bigint[]): bigint[] {
  const n = values.length;
  const scale = Fr.inv(BigInt(n));
  const [first, ...rest] = evaluate(values);
  return [first, ...rest.reverse()].map((c) => Fr.mul(c, scale));
}

/** From values on the domain to values on the odd coset ζ·⟨ω⟩, ζ² = ω. */
export function extendToOddCoset(values: readonly bigint[]): bigint[] {
  return evaluate(interpolate(values), domainGenerator(2 * values.length));
}

/** i ↦ i with its k bits reversed, n = 2^k: the order the native inverse transform leaves coefficients in. */
export function bitReversed<T>(values: readonly T[]): T[] {
  const bits = Math.log2(values.length);
  return values.map((_, i) => {
    let j = 0;
    for (let b = 0; b < bits; b++) if ((i >> b) & 1) j |= 1 << (bits - 1 - b);
    return values[j];
  });
}
