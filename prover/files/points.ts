/**
 * Points and scalars as iden3 files hold them. A coordinate is 32 bytes little-endian in Montgomery form
 * (x·2²⁵⁶ mod q); G1 is x y, G2 is x.c0 x.c1 y.c0 y.c1; the point at infinity is all zero bytes.
 */
import { bn254 } from '@noble/curves/bn254.js';
import type { G1Point, G2Point } from '../keys.js';
import { refuse } from './container.js';

export const fieldBytes = 32;
export const g1Bytes = 64;
export const g2Bytes = 128;

/** Order of the scalar field and of G1 and G2. */
export const r = bn254.fields.Fr.ORDER;
/** Order of the coordinate field. */
export const q = bn254.fields.Fp.ORDER;

const R = 1n << 256n;
const montgomeryR = R % q;
const inverseMontgomeryR = bn254.fields.Fp.inv(montgomeryR);

export function readLittleEndian(bytes: Uint8Array, offset = 0): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, fieldBytes);
  let value = 0n;
  for (let i = 24; i >= 0; i -= 8) value = (value << 64n) | view.getBigUint64(i, true);
  return value;
}

export function writeLittleEndian(bytes: Uint8Array, offset: number, value: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, fieldBytes);
  for (let i = 0; i < 4; i++)
    view.setBigUint64(8 * i, (value >> BigInt(64 * i)) & 0xffff_ffff_ffff_ffffn, true);
}

/** value·2⁻²⁵⁶ for either modulus. */
export const inverseMontgomery = (value: bigint, modulus: bigint): bigint =>
  (value * (modulus === q ? inverseMontgomeryR : bn254.fields.Fr.inv(R % r))) % modulus;

/** Out of Montgomery form. */
export function readCoordinate(bytes: Uint8Array, offset: number): bigint {
  return (readLittleEndian(bytes, offset) * inverseMontgomeryR) % q;
}

/** Refuses what is not canonical: a second encoding of the same number is a second file with the same meaning. */
function readCanonical(bytes: Uint8Array, offset: number, where: string, what: string): bigint {
  const value = readLittleEndian(bytes, offset);
  if (value >= q) refuse(where, what, 'a coordinate below q', `0x${value.toString(16)}`);
  return (value * inverseMontgomeryR) % q;
}

export function writeCoordinate(bytes: Uint8Array, offset: number, value: bigint): void {
  writeLittleEndian(bytes, offset, (value * montgomeryR) % q);
}

/** On the curve and not infinity, or MalformedFile. G1 has cofactor 1, so there is no subgroup to leave. */
export function readG1(bytes: Uint8Array, offset: number, where: string, what: string): G1Point {
  const x = readCanonical(bytes, offset, where, what);
  const y = readCanonical(bytes, offset + 32, where, what);
  if (x === 0n && y === 0n) refuse(where, what, 'a point', 'infinity');
  if ((y * y - x * x * x - 3n) % q !== 0n) refuse(where, what, 'a point of G1', 'a pair off the curve');
  return [x, y];
}

/** On the twist, in the subgroup of order r, and not infinity, or MalformedFile. */
export function readG2(bytes: Uint8Array, offset: number, where: string, what: string): G2Point {
  const [x0, x1, y0, y1] = [0, 32, 64, 96].map((at) => readCanonical(bytes, offset + at, where, what));
  if (x0 === 0n && x1 === 0n && y0 === 0n && y1 === 0n) refuse(where, what, 'a point', 'infinity');
  const point = bn254.G2.Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } });
  try {
    point.assertValidity();
  } catch {
    refuse(where, what, 'a point of G2', 'a pair off the curve or outside the subgroup');
  }
  return [
    [x0, x1],
    [y0, y1],
  ];
}

export function writeG1(bytes: Uint8Array, offset: number, [x, y]: G1Point): void {
  writeCoordinate(bytes, offset, x);
  writeCoordinate(bytes, offset + 32, y);
}

export function writeG2(bytes: Uint8Array, offset: number, [[x0, x1], [y0, y1]]: G2Point): void {
  [x0, x1, y0, y1].forEach((value, i) => writeCoordinate(bytes, offset + 32 * i, value));
}

export function encodeG1(point: G1Point): Uint8Array {
  const bytes = new Uint8Array(g1Bytes);
  writeG1(bytes, 0, point);
  return bytes;
}

export function encodeG2(point: G2Point): Uint8Array {
  const bytes = new Uint8Array(g2Bytes);
  writeG2(bytes, 0, point);
  return bytes;
}

/** Section 4 holds value·R² mod r: times a plain witness value that gives Montgomery form at once. */
export const coefficientForm = (value: bigint): bigint => (value * (((R % r) * (R % r)) % r)) % r;
