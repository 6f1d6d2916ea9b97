/**
 * BN254 ("alt_bn128", EIP-196/197), just enough of it to say whether a point is a point: no pairing, no secrets,
 * so plain bigints. Encodings, because libraries disagree:
 *
 *   Fq    32 bytes big-endian, canonical: value < q. There is no flag bit and no Montgomery form.
 *   G1    x ‖ y, y² = x³ + 3.
 *   Fq2   c0 + c1·u with u² = −1. In memory [c0, c1]; in bytes c1 first (EVM order). snarkjs JSON writes c0 first.
 *   G2    x ‖ y on the twist y² = x³ + 3/(9 + u). Its group has order r·(2q − r), so being on the curve is not
 *         enough: a point must also lie in the subgroup of order r.
 *
 * Infinity has no encoding here. It is never a legal element of a proof or a verifying key.
 */
import type { Fq2Element, G1Point, G2Point } from './keys.js';

/** Base field modulus, 36x⁴ + 36x³ + 24x² + 6x + 1. */
export const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
/** Group order, 36x⁴ + 36x³ + 18x² + 6x + 1. */
export const r = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
/** The curve's seed; 6x² = t − 1 where t is the trace of Frobenius. */
const seed = 4965661367192848881n;

export const g1Generator: G1Point = [1n, 2n];
export const g2Generator: G2Point = [
  [
    10857046999023057135944570762232829481370756359578518086990519993285655852781n,
    11559732032986387107991004021392285783925812861821192530917403151452391805634n,
  ],
  [
    8495653923123431417604973247489272438418190587263600148770280649306958101930n,
    4082367875863433681332203403145435568316851327593401208105741076214120093531n,
  ],
];

export function isOnG1([x, y]: G1Point): boolean {
  return (y * y - x * x * x - 3n) % q === 0n;
}

export function isOnTwist([x, y]: G2Point): boolean {
  return isZero(subtract(square(y), add(multiply(square(x), x), twistB)));
}

/**
 * Membership in the subgroup of order r, for a point of the twist. ψ (untwist, Frobenius, twist) satisfies
 * ψ² − tψ + q = 0 on the whole curve, so ψ(Q) = [t − 1]Q gives [(t − 1)² − t(t − 1) + q]Q = [q + 1 − t]Q = [r]Q = 0.
 * Conversely ψ acts as q ≡ t − 1 on the subgroup. Half the length of multiplying by r.
 */
export function isInSubgroup(point: G2Point): boolean {
  const [x, y] = point;
  const image: G2Point = [multiply(conjugate(x), frobeniusX), multiply(conjugate(y), frobeniusY)];
  return equalsAffine(scale(point, 6n * seed * seed), image);
}

type Jacobian = readonly [x: Fq2Element, y: Fq2Element, z: Fq2Element];

/** Double-and-add in Jacobian coordinates; z = 0 is infinity. Cost grows with the scalar: public scalars only. */
function scale(point: G2Point, scalar: bigint): Jacobian {
  let sum: Jacobian = [
    [1n, 0n],
    [1n, 0n],
    [0n, 0n],
  ];
  for (const bit of scalar.toString(2)) {
    sum = double(sum);
    if (bit === '1') sum = addAffine(sum, point);
  }
  return sum;
}

// dbl-2009-l and madd-2007-bl of the Explicit-Formulas Database, a = 0.
function double([x, y, z]: Jacobian): Jacobian {
  const a = square(x);
  const b = square(y);
  const c = square(b);
  const d = times(2n, subtract(square(add(x, b)), add(a, c)));
  const e = times(3n, a);
  const x3 = subtract(square(e), times(2n, d));
  return [x3, subtract(multiply(e, subtract(d, x3)), times(8n, c)), times(2n, multiply(y, z))];
}

function addAffine(p: Jacobian, [x2, y2]: G2Point): Jacobian {
  const [x1, y1, z1] = p;
  if (isZero(z1)) return [x2, y2, [1n, 0n]];
  const z1z1 = square(z1);
  const h = subtract(multiply(x2, z1z1), x1);
  const slope = times(2n, subtract(multiply(y2, multiply(z1, z1z1)), y1));
  if (isZero(h))
    return isZero(slope)
      ? double(p)
      : [
          [1n, 0n],
          [1n, 0n],
          [0n, 0n],
        ];
  const hh = square(h);
  const i = times(4n, hh);
  const j = multiply(h, i);
  const v = multiply(x1, i);
  const x3 = subtract(subtract(square(slope), j), times(2n, v));
  const y3 = subtract(multiply(slope, subtract(v, x3)), times(2n, multiply(y1, j)));
  return [x3, y3, times(2n, multiply(z1, h))];
}

function equalsAffine([x, y, z]: Jacobian, [x2, y2]: G2Point): boolean {
  if (isZero(z)) return false;
  const zz = square(z);
  return isZero(subtract(multiply(x2, zz), x)) && isZero(subtract(multiply(y2, multiply(zz, z)), y));
}

const modulo = (value: bigint): bigint => {
  const rest = value % q;
  return rest < 0n ? rest + q : rest;
};
const isZero = ([c0, c1]: Fq2Element): boolean => c0 === 0n && c1 === 0n;
const add = (a: Fq2Element, b: Fq2Element): Fq2Element => [modulo(a[0] + b[0]), modulo(a[1] + b[1])];
const subtract = (a: Fq2Element, b: Fq2Element): Fq2Element => [modulo(a[0] - b[0]), modulo(a[1] - b[1])];
const times = (k: bigint, a: Fq2Element): Fq2Element => [modulo(k * a[0]), modulo(k * a[1])];
const multiply = (a: Fq2Element, b: Fq2Element): Fq2Element => [
  modulo(a[0] * b[0] - a[1] * b[1]),
  modulo(a[0] * b[1] + a[1] * b[0]),
];
const square = (a: Fq2Element): Fq2Element => [
  modulo((a[0] + a[1]) * (a[0] - a[1])),
  modulo(2n * a[0] * a[1]),
];
const conjugate = ([c0, c1]: Fq2Element): Fq2Element => [c0, modulo(-c1)];

function power(base: Fq2Element, exponent: bigint): Fq2Element {
  let result: Fq2Element = [1n, 0n];
  for (const bit of exponent.toString(2)) {
    result = square(result);
    if (bit === '1') result = multiply(result, base);
  }
  return result;
}

const xi: Fq2Element = [9n, 1n];
/** 3/ξ; the inverse as a power, so that nothing is transcribed. */
const twistB = times(3n, power(xi, q * q - 2n));
const frobeniusX = power(xi, (q - 1n) / 3n);
const frobeniusY = power(xi, (q - 1n) / 2n);
