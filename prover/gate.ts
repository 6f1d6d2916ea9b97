/**
 * The strict gate: what may reach a pairing. Refused here, before any library sees a value: wrong arity, a signal
 * ≥ r, a coordinate ≥ q, anything projective, infinity, points off the curve or off the subgroup, unknown or
 * missing fields, values of another type. Libraries reduce, normalise or ignore these; two encodings of one proof
 * are two identities to whoever stores them (SECURITY P01–P09).
 */
import { isInSubgroup, isOnG1, isOnTwist, q, r } from './curve.js';
import type { Fq2Element, G1Point, G2Point, Proof, VerifyingKey } from './keys.js';

/** 2^16 signals would be 4 MiB of key; ours have fewer than 100. Bounds the work done for a hostile key. */
export const maxSignals = 1 << 16;

/** The gate for signals already parsed: exactly `count` bigints in [0, r). */
export function checkSignals(signals: readonly bigint[], count: number): readonly bigint[] {
  if (!Array.isArray(signals) || signals.length !== count) {
    throw new MalformedProof('signals', `${count} values`, describe(signals));
  }
  for (let i = 0; i < count; i++) inField(signals[i], `signals[${i}]`, r, MalformedProof);
  return signals;
}

export function checkProof(proof: Proof): Proof {
  const { a, b, c } = closedRecord(proof, 'proof', ['a', 'b', 'c'], MalformedProof);
  const checked = {
    a: checkG1(a, 'proof.a', MalformedProof),
    b: checkG2(b, 'proof.b', MalformedProof),
    c: checkG1(c, 'proof.c', MalformedProof),
  };
  checkSubgroup(checked.b, 'proof.b', MalformedProof);
  return checked;
}

/** Every element is a point of its group. Whether the key is safe to use is asked elsewhere (γ ≠ δ and so on). */
export function checkKeyPoints(key: VerifyingKey): VerifyingKey {
  const refuse = MalformedVerifyingKey;
  const names = ['alpha', 'beta', 'gamma', 'delta', 'ic'];
  const fields = closedRecord(key, 'key', names, refuse);
  if (!Array.isArray(fields.ic) || fields.ic.length < 1 || fields.ic.length > maxSignals + 1) {
    throw new refuse('key.ic', `1 to ${maxSignals + 1} points`, describe(fields.ic));
  }
  const checked = {
    alpha: checkG1(fields.alpha, 'key.alpha', refuse),
    beta: checkG2(fields.beta, 'key.beta', refuse),
    gamma: checkG2(fields.gamma, 'key.gamma', refuse),
    delta: checkG2(fields.delta, 'key.delta', refuse),
    ic: Array.from(fields.ic, (point, i) => checkG1(point, `key.ic[${i}]`, refuse)),
  };
  for (const name of ['beta', 'gamma', 'delta'] as const) checkSubgroup(checked[name], `key.${name}`, refuse);
  return checked;
}

export type Refuse = typeof MalformedProof | typeof MalformedVerifyingKey;

function checkG1(point: unknown, where: string, refuse: Refuse): G1Point {
  const [x, y] = pair(point, where, refuse);
  const checked: G1Point = [inField(x, `${where}.x`, q, refuse), inField(y, `${where}.y`, q, refuse)];
  if (checked[0] === 0n && checked[1] === 0n) throw new refuse(where, 'a finite point', 'infinity');
  if (!isOnG1(checked)) throw new refuse(where, 'a point of y² = x³ + 3', 'a point off the curve');
  return checked;
}

function checkG2(point: unknown, where: string, refuse: Refuse): G2Point {
  const [x, y] = pair(point, where, refuse).map((coordinate, i): Fq2Element => {
    const name = `${where}.${i === 0 ? 'x' : 'y'}`;
    const [c0, c1] = pair(coordinate, name, refuse);
    return [inField(c0, `${name}.c0`, q, refuse), inField(c1, `${name}.c1`, q, refuse)];
  });
  const checked: G2Point = [x, y];
  if (checked.flat().every((c) => c === 0n)) throw new refuse(where, 'a finite point', 'infinity');
  if (!isOnTwist(checked)) throw new refuse(where, 'a point of the twist', 'a point off the curve');
  return checked;
}

/** Last and apart: a millisecond each, so nothing malformed gets this far. */
function checkSubgroup(point: G2Point, where: string, refuse: Refuse): void {
  if (!isInSubgroup(point)) throw new refuse(where, 'in the subgroup of order r', 'a point outside it');
}

export function pair(value: unknown, where: string, refuse: Refuse): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== 2) {
    throw new refuse(where, 'a pair', describe(value));
  }
  return value;
}

export function inField(value: unknown, where: string, modulus: bigint, refuse: Refuse): bigint {
  if (typeof value !== 'bigint' || value < 0n || value >= modulus) {
    throw new refuse(where, `an integer below ${modulus === q ? 'q' : 'r'}`, describe(value));
  }
  return value;
}

/** An object with exactly these own keys: a closed set, so that nothing rides along. */
export function closedRecord(
  value: unknown,
  where: string,
  names: readonly string[],
  refuse: Refuse,
  optional: readonly string[] = [],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new refuse(where, 'an object', describe(value));
  }
  const present = Object.keys(value);
  const missing = names.find((name) => !present.includes(name));
  if (missing !== undefined) throw new refuse(where, `a field "${missing}"`, 'none');
  const unknown = present.find((name) => !names.includes(name) && !optional.includes(name));
  if (unknown !== undefined) throw new refuse(where, names.join(', '), describe(unknown));
  return value as Record<string, unknown>;
}

/** Short and printable whatever comes in: errors travel to logs and terminals. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (typeof value === 'bigint') return value.toString(16).length > 64 ? 'a huge integer' : `${value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'number' || typeof value === 'boolean' ? `${value}` : typeof value;
}

abstract class Malformed extends Error {
  constructor(
    readonly where: string,
    readonly expected: string,
    readonly got: string,
  ) {
    super(`${where}: must be ${expected}, got ${got}`);
    this.name = new.target.name;
  }
}

/** Bytes, text or values that are not a proof or not public signals: nothing was verified. */
export class MalformedProof extends Malformed {}

/** Bytes, text or values that are not a verifying key. */
export class MalformedVerifyingKey extends Malformed {}
