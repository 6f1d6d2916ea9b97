/**
 * Proofs, verifying keys and public signals as bytes and as snarkjs JSON. One value has one text and one byte
 * string; everything decoded passes the gate (gate.ts). Layouts: docs/architecture.md, "Encodings".
 */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { q, r } from './curve.js';
import {
  MalformedProof,
  MalformedVerifyingKey,
  type Refuse,
  checkKeyPoints,
  checkProof,
  closedRecord,
  describe,
  inField,
  maxSignals,
  pair,
} from './gate.js';
import type { Fq2Element, G1Point, G2Point, Proof, VerifyingKey } from './keys.js';

export const proofBytes = 256;
const fixedKeyBytes = 64 + 3 * 128;

export function encodeProof(proof: Proof): Uint8Array {
  const { a, b, c } = checkProof(proof);
  return concatenate([g1Bytes(a), g2Bytes(b), g1Bytes(c)]);
}

/** Exactly 256 bytes or MalformedProof. */
export function decodeProof(bytes: Uint8Array): Proof {
  if (!(bytes instanceof Uint8Array) || bytes.length !== proofBytes) {
    throw new MalformedProof('proof', `${proofBytes} bytes`, describeBytes(bytes));
  }
  return checkProof({ a: g1At(bytes, 0), b: g2At(bytes, 64), c: g1At(bytes, 192) });
}

export function verifyingKeyBytes(key: VerifyingKey): Uint8Array {
  const { alpha, beta, gamma, delta, ic } = checkKeyPoints(key);
  const g2 = [beta, gamma, delta].map(g2Bytes);
  return concatenate([g1Bytes(alpha), ...g2, ...ic.map(g1Bytes)]);
}

export function decodeVerifyingKey(bytes: Uint8Array): VerifyingKey {
  const icBytes = bytes instanceof Uint8Array ? bytes.length - fixedKeyBytes : -1;
  if (icBytes < 64 || icBytes % 64 !== 0 || icBytes > 64 * (maxSignals + 1)) {
    throw new MalformedVerifyingKey('key', `448 + 64·n bytes, n ≥ 1`, describeBytes(bytes));
  }
  const ic = Array.from({ length: icBytes / 64 }, (_, i) => g1At(bytes, fixedKeyBytes + 64 * i));
  const [beta, gamma, delta] = [64, 192, 320].map((offset) => g2At(bytes, offset));
  return checkKeyPoints({ alpha: g1At(bytes, 0), beta, gamma, delta, ic });
}

/** keccak256 of `verifyingKeyBytes`, as 0x and 64 lower-case hex digits: the name of a key everywhere. */
export function vkHash(key: VerifyingKey): string {
  return `0x${Array.from(keccak_256(verifyingKeyBytes(key)), hexByte).join('')}`;
}

export function proofToJson(proof: Proof): Record<string, unknown> {
  const { a, b, c } = checkProof(proof);
  return { pi_a: g1Json(a), pi_b: g2Json(b), pi_c: g1Json(c), protocol: 'groth16', curve: 'bn128' };
}

export function proofFromJson(json: unknown): Proof {
  const fields = closedRecord(json, 'proof', proofFields, MalformedProof);
  expectText(fields.protocol, 'proof.protocol', 'groth16', MalformedProof);
  expectText(fields.curve, 'proof.curve', 'bn128', MalformedProof);
  return checkProof({
    a: parseG1(fields.pi_a, 'proof.pi_a', MalformedProof),
    b: parseG2(fields.pi_b, 'proof.pi_b', MalformedProof),
    c: parseG1(fields.pi_c, 'proof.pi_c', MalformedProof),
  });
}

/** Without `vk_alphabeta_12`, which snarkjs itself ignores when it verifies. */
export function verifyingKeyToJson(key: VerifyingKey): Record<string, unknown> {
  const { alpha, beta, gamma, delta, ic } = checkKeyPoints(key);
  return {
    protocol: 'groth16',
    curve: 'bn128',
    nPublic: ic.length - 1,
    vk_alpha_1: g1Json(alpha),
    vk_beta_2: g2Json(beta),
    vk_gamma_2: g2Json(gamma),
    vk_delta_2: g2Json(delta),
    IC: ic.map(g1Json),
  };
}

/** Accepts snarkjs's own export, `vk_alphabeta_12` included: that field is a cache and is not read. */
export function verifyingKeyFromJson(json: unknown): VerifyingKey {
  const refuse = MalformedVerifyingKey;
  const fields = closedRecord(json, 'key', keyFields, refuse, ['vk_alphabeta_12']);
  expectText(fields.protocol, 'key.protocol', 'groth16', refuse);
  expectText(fields.curve, 'key.curve', 'bn128', refuse);
  if (!Array.isArray(fields.IC) || fields.IC.length < 1 || fields.IC.length > maxSignals + 1) {
    throw new refuse('key.IC', `1 to ${maxSignals + 1} points`, describe(fields.IC));
  }
  if (fields.nPublic !== fields.IC.length - 1) {
    throw new refuse('key.nPublic', `${fields.IC.length - 1}`, describe(fields.nPublic));
  }
  return checkKeyPoints({
    alpha: parseG1(fields.vk_alpha_1, 'key.vk_alpha_1', refuse),
    beta: parseG2(fields.vk_beta_2, 'key.vk_beta_2', refuse),
    gamma: parseG2(fields.vk_gamma_2, 'key.vk_gamma_2', refuse),
    delta: parseG2(fields.vk_delta_2, 'key.vk_delta_2', refuse),
    ic: Array.from(fields.IC, (point, i) => parseG1(point, `key.IC[${i}]`, refuse)),
  });
}

/** snarkjs's `public.json`: strict decimals below r. The count is checked against a key by `verify`. */
export function parseSignals(values: unknown): bigint[] {
  if (!Array.isArray(values) || values.length > maxSignals) {
    throw new MalformedProof('signals', `an array of at most ${maxSignals}`, describe(values));
  }
  return Array.from(values, (v, i) => parseDecimal(v, `signals[${i}]`, r, MalformedProof));
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');

export function fieldBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 31, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}

export function bytesToInteger(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Array.from(bytes, hexByte).join('')}`);
}

const g1Bytes = ([x, y]: G1Point): Uint8Array => concatenate([x, y].map(fieldBytes));
const g2Bytes = ([x, y]: G2Point): Uint8Array => concatenate([x[1], x[0], y[1], y[0]].map(fieldBytes));

const wordAt = (bytes: Uint8Array, offset: number): bigint =>
  bytesToInteger(bytes.subarray(offset, offset + 32));
const g1At = (bytes: Uint8Array, at: number): G1Point => [wordAt(bytes, at), wordAt(bytes, at + 32)];
const g2At = (bytes: Uint8Array, at: number): G2Point => [
  [wordAt(bytes, at + 32), wordAt(bytes, at)],
  [wordAt(bytes, at + 96), wordAt(bytes, at + 64)],
];

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

const proofFields = ['pi_a', 'pi_b', 'pi_c', 'protocol', 'curve'];
const keyFields = [
  ...['protocol', 'curve', 'nPublic', 'vk_alpha_1', 'vk_beta_2', 'vk_gamma_2', 'vk_delta_2', 'IC'],
];

const g1Json = ([x, y]: G1Point): string[] => [`${x}`, `${y}`, '1'];
const g2Json = ([x, y]: G2Point): string[][] => [
  [`${x[0]}`, `${x[1]}`],
  [`${y[0]}`, `${y[1]}`],
  ['1', '0'],
];

/** ASCII digits, no sign, no leading zero, below the modulus: one text for one number. */
function parseDecimal(value: unknown, where: string, modulus: bigint, refuse: Refuse): bigint {
  // 77 digits hold q; the length is bounded before BigInt sees the text.
  if (typeof value !== 'string' || value.length > 77 || !/^(0|[1-9][0-9]*)$/.test(value)) {
    throw new refuse(where, 'a decimal string without sign or leading zeros', describe(value));
  }
  return inField(BigInt(value), where, modulus, refuse);
}

function triple(value: unknown, where: string, refuse: Refuse): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== 3) {
    throw new refuse(where, 'three coordinates', describe(value));
  }
  return value;
}

function parseG1(value: unknown, where: string, refuse: Refuse): G1Point {
  const [x, y, z] = triple(value, where, refuse);
  expectText(z, `${where}[2]`, '1', refuse);
  return [parseDecimal(x, `${where}[0]`, q, refuse), parseDecimal(y, `${where}[1]`, q, refuse)];
}

function parseG2(value: unknown, where: string, refuse: Refuse): G2Point {
  const rows = triple(value, where, refuse).map((row, i) => pair(row, `${where}[${i}]`, refuse));
  expectText(rows[2][0], `${where}[2][0]`, '1', refuse);
  expectText(rows[2][1], `${where}[2][1]`, '0', refuse);
  const [x, y] = [0, 1].map((i): Fq2Element => [
    parseDecimal(rows[i][0], `${where}[${i}][0]`, q, refuse),
    parseDecimal(rows[i][1], `${where}[${i}][1]`, q, refuse),
  ]);
  return [x, y];
}

function expectText(value: unknown, where: string, expected: string, refuse: Refuse): void {
  if (value !== expected) throw new refuse(where, JSON.stringify(expected), describe(value));
}

const describeBytes = (value: unknown): string =>
  value instanceof Uint8Array ? `${value.length} bytes` : describe(value);
