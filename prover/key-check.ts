/**
 * What makes a verifying key unusable although every point of it is valid. A key with γ = ±δ lets anyone forge
 * (take A = α, B = β, C = ∓Σ xᵢ·ICᵢ), and snarkjs's own key check passes it: γ = δ is the state of a phase-2 key
 * before its first contribution. With β = γ, both known multiples of one another, A = α + Σ xᵢ·ICᵢ forges as well.
 * VerifyingKeyCheck.sol refuses the same keys.
 */
import { bn254 } from '@noble/curves/bn254.js';
import type { G2Point, VerifyingKey } from './keys.js';

/** A key that must not be exported, registered, served or trusted. */
export class UnsafeVerifyingKey extends Error {
  constructor(
    readonly what: string,
    readonly expected: string,
    readonly got: string,
  ) {
    super(`verifying key: ${what} must be ${expected}, got ${got}`);
    this.name = 'UnsafeVerifyingKey';
  }
}

const g2 = bn254.G2.Point.BASE.toAffine();
const generator: G2Point = [
  [g2.x.c0, g2.x.c1],
  [g2.y.c0, g2.y.c1],
];
/** Points with one x are equal or opposite. */
const isSameUpToSign = ([a]: G2Point, [b]: G2Point): boolean => a[0] === b[0] && a[1] === b[1];
const isInfinity = (point: readonly (bigint | readonly bigint[])[]): boolean =>
  point.flat().every((coordinate) => coordinate === 0n);

/**
 * Throws UnsafeVerifyingKey. Points are taken to be on their curves and in their subgroups already (the
 * readers see to that); the independence of the public columns comes from the extra rows of qap.ts.
 */
export function checkVerifyingKey(vk: VerifyingKey, publicCount: number): void {
  if (vk.ic.length !== publicCount + 1) {
    throw new UnsafeVerifyingKey('IC count', `${publicCount + 1}`, `${vk.ic.length}`);
  }
  for (const name of ['alpha', 'beta', 'gamma', 'delta'] as const) {
    if (isInfinity(vk[name])) throw new UnsafeVerifyingKey(name, 'a finite point', 'infinity');
  }
  if (isSameUpToSign(vk.gamma, vk.delta)) {
    throw new UnsafeVerifyingKey(
      'delta',
      'different from gamma (a contribution was made)',
      'gamma or its negation: anyone can forge',
    );
  }
  if (isSameUpToSign(vk.delta, generator))
    throw new UnsafeVerifyingKey('delta', 'not the generator', 'the generator: its secret is 1 or −1');
  for (const name of ['gamma', 'delta'] as const) {
    if (isSameUpToSign(vk.beta, vk[name]))
      throw new UnsafeVerifyingKey('beta', `different from ${name}`, `${name} or its negation`);
  }
  // A point and its negation have one x: x·(P) + x'·(−P) would let one proof stand for two statements.
  const seen = new Map<bigint, number>();
  vk.ic.forEach((point, i) => {
    if (isInfinity(point)) throw new UnsafeVerifyingKey(`IC[${i}]`, 'a finite point', 'infinity');
    const twin = seen.get(point[0]);
    if (twin !== undefined)
      throw new UnsafeVerifyingKey(`IC[${i}]`, `not IC[${twin}] or its negation`, 'a repeated point');
    seen.set(point[0], i);
  });
}
