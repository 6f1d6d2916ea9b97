import { bn254 } from '@noble/curves/bn254.js';
import { r } from '../../prover/curve.js';
import type { G1Point, G2Point, Proof, VerifyingKey } from '../../prover/keys.js';

/**
 * Groth16's zero-knowledge simulator, for tests: whoever knows the trapdoor makes a proof of any statement without
 * a witness. C = (A·B − αβ − γ·Σ sᵢ·icᵢ) / δ in the exponent. Gives thousands of valid proofs in seconds, and is
 * the forgery that the class `dev-single-party` warns of.
 */
export interface Simulator {
  readonly key: VerifyingKey;
  prove(signals: readonly bigint[]): Proof;
}

export interface Trapdoor {
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly gamma: bigint;
  readonly delta: bigint;
  readonly ic: readonly bigint[];
}

/** @param nextScalar draws from [1, r); seeded by the caller, so that a failure can be replayed. */
export function simulator(signalCount: number, nextScalar: () => bigint): Simulator {
  const ic = Array.from({ length: signalCount + 1 }, nextScalar);
  return simulatorFrom(
    { alpha: nextScalar(), beta: nextScalar(), gamma: nextScalar(), delta: nextScalar(), ic },
    nextScalar,
  );
}

export function simulatorFrom(trapdoor: Trapdoor, nextScalar: () => bigint): Simulator {
  const { alpha, beta, gamma, delta, ic } = trapdoor;
  const key = {
    alpha: g1(alpha),
    beta: g2(beta),
    gamma: g2(gamma),
    delta: g2(delta),
    ic: ic.map((exponent) => g1(exponent)),
  };
  return {
    key,
    prove(signals) {
      const [a, b] = [nextScalar(), nextScalar()];
      const sum = signals.reduce((acc, s, i) => acc + s * ic[i + 1], ic[0]);
      const numerator = a * b - alpha * beta - gamma * sum;
      return { a: g1(a), b: g2(b), c: g1(modulo(numerator * inverse(delta))) };
    },
  };
}

export function g1(exponent: bigint): G1Point {
  const { x, y } = bn254.G1.Point.BASE.multiply(exponent).toAffine();
  return [x, y];
}

export function g2(exponent: bigint): G2Point {
  const { x, y } = bn254.G2.Point.BASE.multiply(exponent).toAffine();
  return [
    [x.c0, x.c1],
    [y.c0, y.c1],
  ];
}

export const modulo = (value: bigint): bigint => ((value % r) + r) % r;
const inverse = (value: bigint): bigint => bn254.fields.Fr.inv(modulo(value));
