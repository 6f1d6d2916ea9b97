/** Pairing checks of ceremonies. Points are members of their groups already. */
import { bn254 } from '@noble/curves/bn254.js';
import type { G1Point, G2Point } from './keys.js';

const g1 = ([x, y]: G1Point) => bn254.G1.Point.fromAffine({ x, y });
const g2 = ([x, y]: G2Point) =>
  bn254.G2.Point.fromAffine({ x: { c0: x[0], c1: x[1] }, y: { c0: y[0], c1: y[1] } });
const isZero = (point: G1Point | G2Point): boolean => point.flat().every((c) => c === 0n);

/** One s with b = s·a and d = s·c: e(a, d) = e(b, c). False when any of them is infinity. */
export function isSameRatio(
  [a, b]: readonly [G1Point, G1Point],
  [c, d]: readonly [G2Point, G2Point],
): boolean {
  if ([a, b, c, d].some(isZero)) return false;
  const product = bn254.pairingBatch([
    { g1: g1(a), g2: g2(d) },
    { g1: g1(b).negate(), g2: g2(c) },
  ]);
  return bn254.fields.Fp12.eql(product, bn254.fields.Fp12.ONE);
}
