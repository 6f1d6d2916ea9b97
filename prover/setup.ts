/**
 * Groth16 setup (eprint 2016/260, §3.2) by one party that knows τ, α, β, γ, δ: class `dev-single-party`.
 * Whoever runs it could keep the five numbers and forge every proof of the circuit.
 */
import { randomBytes } from 'node:crypto';
import { bn254 } from '@noble/curves/bn254.js';
import type { Fp2 } from '@noble/curves/abstract/tower.js';
import type { R1cs } from '../circuits/r1cs/r1cs.js';
import { multiplyG1, multiplyG2, type AffinePoint } from './fixed-base.js';
import {
  coefficientForm,
  fieldBytes,
  g1Bytes,
  g2Bytes,
  writeG1,
  writeG2,
  writeLittleEndian,
} from './files/points.js';
import { coefficientBytes, writeZkeyFile } from './files/zkey.js';
import { checkVerifyingKey } from './key-check.js';
import type { G1Point, G2Point, VerifyingKey } from './keys.js';
import { domainSizeFor, evaluateQap, lagrangeAt } from './qap.js';

const Fr = bn254.fields.Fr;

/** The trapdoor. All nonzero, gamma ≠ delta, delta ≠ 1, τ outside the domain of 2n points. */
export interface ToxicWaste {
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly gamma: bigint;
  readonly delta: bigint;
  readonly tau: bigint;
}

/** The circuit cannot have a sound key. */
export class UnsoundCircuit extends Error {
  constructor(
    readonly what: string,
    readonly expected: string,
    readonly got: string,
  ) {
    super(`circuit: ${what} must be ${expected}, got ${got}`);
    this.name = 'UnsoundCircuit';
  }
}

export interface SetupOptions {
  /** Called with the share of the work that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/**
 * Writes a proving key for `r1cs` to `zkeyPath` from a trapdoor drawn from the operating system's generator
 * and kept nowhere. Throws UnsoundCircuit.
 */
export async function setupDevelopment(
  r1cs: R1cs,
  zkeyPath: string,
  options: SetupOptions = {},
): Promise<VerifyingKey> {
  return setupWith(r1cs, drawToxicWaste(), zkeyPath, options);
}

/** Deterministic core: the same trapdoor gives the same file. For tests, and for the attacks of T02. */
export async function setupWith(
  r1cs: R1cs,
  toxicWaste: ToxicWaste,
  zkeyPath: string,
  { onProgress }: SetupOptions = {},
): Promise<VerifyingKey> {
  checkCircuit(r1cs);
  checkToxicWaste(toxicWaste, domainSizeFor(r1cs));
  const scalars = keyScalars(r1cs, toxicWaste);
  onProgress?.(0.05);
  const { alpha, beta, gamma, delta } = toxicWaste;
  const [alpha1, beta1, delta1] = multiplyG1([alpha, beta, delta]) as G1Point[];
  const [beta2, gamma2, delta2] = multiplyG2([beta, gamma, delta]).map(toG2Point);
  const ic = multiplyG1(scalars.ic) as (G1Point | null)[];
  // In file order; the G2 section costs as much as the rest together.
  const a = g1Section(scalars.a);
  onProgress?.(0.2);
  const b1 = g1Section(scalars.b);
  onProgress?.(0.35);
  const b2 = g2Section(scalars.b);
  onProgress?.(0.75);
  const c = g1Section(scalars.c);
  onProgress?.(0.85);
  const h = g1Section(scalars.h);
  const verifyingKey: VerifyingKey = {
    alpha: alpha1,
    beta: beta2,
    gamma: gamma2,
    delta: delta2,
    ic: ic.map((p) => p ?? [0n, 0n]),
  };
  checkVerifyingKey(verifyingKey, r1cs.publicCount);
  writeZkeyFile(zkeyPath, {
    header: {
      wireCount: r1cs.wireCount,
      publicCount: r1cs.publicCount,
      domainSize: domainSizeFor(r1cs),
      alpha1,
      beta1,
      beta2,
      gamma2,
      delta1,
      delta2,
    },
    ic: g1Points(ic),
    coefficients: encodeCoefficients(r1cs),
    a,
    b1,
    b2,
    c,
    h,
    // No ceremony: a zero circuit hash and no contribution.
    contributions: new Uint8Array(64 + 4),
  });
  onProgress?.(1);
  return verifyingKey;
}

/** C05: a public signal in no constraint could be changed freely under one proof. */
export function checkCircuit(r1cs: R1cs): void {
  const { wireCount, publicCount, constraintCount } = r1cs;
  if (constraintCount < 1) throw new UnsoundCircuit('constraint count', 'at least 1', `${constraintCount}`);
  if (publicCount >= wireCount)
    throw new UnsoundCircuit('public count', `below the wire count ${wireCount}`, `${publicCount}`);
  const isUsed = new Uint8Array(wireCount);
  for (const matrix of [r1cs.a, r1cs.b, r1cs.c]) for (const wire of matrix.wires) isUsed[wire] = 1;
  for (let s = 1; s <= publicCount; s++) {
    if (isUsed[s] === 0)
      throw new UnsoundCircuit(`public signal ${s}`, 'in some constraint', 'a signal in none');
  }
}

function checkToxicWaste({ alpha, beta, gamma, delta, tau }: ToxicWaste, domainSize: number): void {
  for (const [name, value] of Object.entries({ alpha, beta, gamma, delta, tau })) {
    if (value <= 0n || value >= Fr.ORDER) throw new RangeError(`toxic waste: ${name} must be in [1, r − 1]`);
  }
  if (gamma === delta) throw new RangeError('toxic waste: delta must differ from gamma');
  if (delta === 1n) throw new RangeError('toxic waste: delta must differ from 1');
  if (Fr.pow(tau, BigInt(2 * domainSize)) === 1n)
    throw new RangeError('toxic waste: tau must lie outside the domain');
}

/** 384 bits reduced mod r − 1: a bias below 2⁻¹²⁸. The bytes are wiped; the bigints live until collected. */
function drawToxicWaste(): ToxicWaste {
  const draw = (): bigint => {
    const bytes = randomBytes(48);
    const value = BigInt(`0x${bytes.toString('hex')}`);
    bytes.fill(0);
    return (value % (Fr.ORDER - 1n)) + 1n;
  };
  return { alpha: draw(), beta: draw(), gamma: draw(), delta: draw(), tau: draw() };
}

interface KeyScalars {
  readonly ic: readonly bigint[];
  readonly a: readonly bigint[];
  readonly b: readonly bigint[];
  readonly c: readonly bigint[];
  readonly h: readonly bigint[];
}

/** The discrete logarithms of the key: IC and C are (β·u + α·v + w) over γ and δ, H_j is L^(2n)_(2j+1)(τ)/δ. */
function keyScalars(r1cs: R1cs, { alpha, beta, gamma, delta, tau }: ToxicWaste): KeyScalars {
  const { u, v, w } = evaluateQap(r1cs, tau);
  const [overGamma, overDelta] = [Fr.inv(gamma), Fr.inv(delta)];
  const combined = u.map((ui, i) => (beta * ui + alpha * v[i] + w[i]) % Fr.ORDER);
  const firstPrivate = r1cs.publicCount + 1;
  return {
    ic: combined.slice(0, firstPrivate).map((value) => Fr.mul(value, overGamma)),
    a: u,
    b: v,
    c: combined.slice(firstPrivate).map((value) => Fr.mul(value, overDelta)),
    h: lagrangeAt(tau, 2 * domainSizeFor(r1cs))
      .filter((_, i) => i % 2 === 1)
      .map((value) => Fr.mul(value, overDelta)),
  };
}

const toG2Point = (point: AffinePoint<Fp2>): G2Point => {
  const [x, y] = point!;
  return [
    [x.c0, x.c1],
    [y.c0, y.c1],
  ];
};

function g1Points(points: readonly (G1Point | null)[]): Uint8Array {
  const bytes = new Uint8Array(points.length * g1Bytes);
  points.forEach((point, i) => point !== null && writeG1(bytes, i * g1Bytes, point));
  return bytes;
}

const g1Section = (scalars: readonly bigint[]): Uint8Array => g1Points(multiplyG1(scalars));

function g2Section(scalars: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(scalars.length * g2Bytes);
  multiplyG2(scalars).forEach((point, i) => point !== null && writeG2(bytes, i * g2Bytes, toG2Point(point)));
  return bytes;
}

const entriesAtOnce = 2 ** 15;

/** Section 4, in snarkjs's order (row by row, A before B, then the extra rows), a piece at a time. */
export function* encodeCoefficients(r1cs: R1cs): Generator<Uint8Array> {
  const { a, b, constraintCount, publicCount } = r1cs;
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, a.wires.length + b.wires.length + publicCount + 1, true);
  yield count;

  const forms = new Uint8Array((r1cs.coefficients.length + 1) * fieldBytes);
  r1cs.coefficients.forEach((value, id) => writeLittleEndian(forms, id * fieldBytes, coefficientForm(value)));
  const oneId = r1cs.coefficients.length;
  writeLittleEndian(forms, oneId * fieldBytes, coefficientForm(1n));

  let piece = new Uint8Array(entriesAtOnce * coefficientBytes);
  let filled = 0;
  const put = (matrix: number, row: number, wire: number, id: number): Uint8Array | null => {
    const at = filled * coefficientBytes;
    const words = new DataView(piece.buffer, at, 12);
    words.setUint32(0, matrix, true);
    words.setUint32(4, row, true);
    words.setUint32(8, wire, true);
    piece.set(forms.subarray(id * fieldBytes, (id + 1) * fieldBytes), at + 12);
    filled += 1;
    if (filled < entriesAtOnce) return null;
    const full = piece;
    piece = new Uint8Array(entriesAtOnce * coefficientBytes);
    filled = 0;
    return full;
  };
  for (let row = 0; row < constraintCount; row++) {
    for (const [matrix, entries] of [a, b].entries()) {
      for (let k = entries.rowStarts[row]; k < entries.rowStarts[row + 1]; k++) {
        const full = put(matrix, row, entries.wires[k], entries.coefficientIds[k]);
        if (full !== null) yield full;
      }
    }
  }
  for (let s = 0; s <= publicCount; s++) {
    const full = put(0, constraintCount + s, s, oneId);
    if (full !== null) yield full;
  }
  yield piece.subarray(0, filled * coefficientBytes);
}
