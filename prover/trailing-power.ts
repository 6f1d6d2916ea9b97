/**
 * The one point of the circuit hash that is no point. For circuits above 2¹⁴ rows snarkjs 0.7 hashes whole chunks of
 * τ^(i+n) − τ^i and so, when the powers are exactly as many as the circuit needs, takes 64 bytes from behind section 2
 * for a point. Its WebAssembly does not reduce them first, and single subtractions then drop multiples of 2²⁵⁶. To
 * arrive at the same hash this file does the same arithmetic: 256-bit words, one correction each.
 */
import { bn254 } from '@noble/curves/bn254.js';
import { fieldBytes, g1Bytes, q, readLittleEndian, writeLittleEndian } from './files/points.js';

const word = 1n << 256n;
const minusInverse = word - modularInverse();

/** q⁻¹ mod 2²⁵⁶ by Newton's iteration. */
function modularInverse(): bigint {
  let x = 1n;
  for (let i = 0; i < 8; i++) x = (x * (2n - q * x)) & (word - 1n);
  return x;
}

const wrap = (value: bigint): bigint => value & (word - 1n);
const subtract = (a: bigint, b: bigint): bigint => (a >= b ? a - b : wrap(wrap(a - b) + q));
const add = (a: bigint, b: bigint): bigint => {
  const sum = a + b;
  return sum >= word || sum >= q ? wrap(sum - q) : sum;
};
const multiply = (a: bigint, b: bigint): bigint => {
  const t = a * b;
  const m = wrap(wrap(t) * minusInverse);
  const u = (t + m * q) >> 256n;
  return u >= q ? wrap(u - q) : u;
};

/** `bytes` − `point`, by snarkjs's mixed addition (madd-2007-bl), in file form. */
export function subtractFromBytes(bytes: Uint8Array, point: Uint8Array): Uint8Array {
  const [x1, y1] = [0, fieldBytes].map((at) => readLittleEndian(bytes, at));
  const [x2, py] = [0, fieldBytes].map((at) => readLittleEndian(point, at));
  const y2 = subtract(0n, py);
  const h = subtract(x2, x1);
  const hh = multiply(h, h);
  const i = add(add(hh, hh), add(hh, hh));
  const j = multiply(h, i);
  const dy = subtract(y2, y1);
  const r = add(dy, dy);
  const v = multiply(x1, i);
  const x3 = subtract(subtract(multiply(r, r), j), add(v, v));
  const yj = multiply(y1, j);
  const y3 = subtract(multiply(subtract(v, x3), r), add(yj, yj));
  const z3 = add(h, h);

  // Back to affine, in Montgomery form throughout: (a·R)(b·R)/R = ab·R.
  const { Fp } = bn254.fields;
  const R = word % q;
  const z = Fp.mul(z3 % q, Fp.inv(R));
  const inverse = Fp.inv(z);
  const square = Fp.sqr(inverse);
  const out = new Uint8Array(g1Bytes);
  writeLittleEndian(out, 0, Fp.mul(x3 % q, square));
  writeLittleEndian(out, fieldBytes, Fp.mul(y3 % q, Fp.mul(square, inverse)));
  return out;
}
