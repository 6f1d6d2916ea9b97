/**
 * Groth16 setup (eprint 2016/260, §3.2) by one party that knows τ, α, β, γ, δ: class `dev-single-party`.
 * Whoever runs it could keep the five numbers and forge every proof of the circuit.
 */
import { randomFillSync } from 'node:crypto';
import { bn254 } from '@noble/curves/bn254.js';
import type { R1cs } from '../circuits/r1cs/r1cs.js';
import { encodeCoefficients } from './files/coefficients.js';
import { fileDigest, writeDerivedFile } from './files/derived.js';
import {
  fieldBytes,
  g1Bytes,
  g2Bytes,
  r,
  readG1,
  readG2,
  readLittleEndian,
  writeLittleEndian,
} from './files/points.js';
import { writeZkeyFile } from './files/zkey.js';
import { checkVerifyingKey } from './key-check.js';
import { type Kernels } from './kernels.js';
import type { VerifyingKey } from './keys.js';
import { domainSizeFor } from './qap.js';
import { selectKernels } from './select.js';

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
  /** Default: native where it is built. */
  readonly kernels?: Kernels;
  /** Where to write the points that spare the prover two transforms (files/derived.ts); default: nowhere. */
  readonly derivedPath?: string;
}

/**
 * Writes a proving key for `r1cs` to `zkeyPath` from a trapdoor drawn from the operating system's generator,
 * kept nowhere and wiped. Throws UnsoundCircuit.
 */
export async function setupDevelopment(
  r1cs: R1cs,
  zkeyPath: string,
  options: SetupOptions = {},
): Promise<VerifyingKey> {
  checkCircuit(r1cs);
  const trapdoor = drawTrapdoor();
  try {
    return await writeKey(r1cs, trapdoor, zkeyPath, options);
  } finally {
    trapdoor.fill(0);
  }
}

/** The same from a known trapdoor: deterministic. For tests, and for the forgeries of T02. */
export async function setupWith(
  r1cs: R1cs,
  toxicWaste: ToxicWaste,
  zkeyPath: string,
  options: SetupOptions = {},
): Promise<VerifyingKey> {
  checkCircuit(r1cs);
  checkToxicWaste(toxicWaste, domainSizeFor(r1cs));
  const { alpha, beta, gamma, delta, tau } = toxicWaste;
  const trapdoor = new Uint8Array(5 * fieldBytes);
  [alpha, beta, gamma, delta, tau].forEach((value, i) => writeLittleEndian(trapdoor, i * fieldBytes, value));
  return writeKey(r1cs, trapdoor, zkeyPath, options);
}

/** C05: a public signal in no constraint could be changed freely under one proof. */
export function checkCircuit(r1cs: R1cs): void {
  const { wireCount, publicCount, constraintCount } = r1cs;
  if (constraintCount < 1) throw new UnsoundCircuit('constraint count', 'at least 1', `${constraintCount}`);
  if (publicCount >= wireCount) {
    throw new UnsoundCircuit('public count', `below the wire count ${wireCount}`, `${publicCount}`);
  }
  const isUsed = new Uint8Array(wireCount);
  for (const matrix of [r1cs.a, r1cs.b, r1cs.c]) for (const wire of matrix.wires) isUsed[wire] = 1;
  for (let s = 1; s <= publicCount; s++) {
    if (isUsed[s] === 0)
      throw new UnsoundCircuit(`public signal ${s}`, 'in some constraint', 'a signal in none');
  }
}

function checkToxicWaste({ alpha, beta, gamma, delta, tau }: ToxicWaste, domainSize: number): void {
  for (const [name, value] of Object.entries({ alpha, beta, gamma, delta, tau })) {
    if (value <= 0n || value >= r) throw new RangeError(`toxic waste: ${name} must be in [1, r − 1]`);
  }
  if (gamma === delta) throw new RangeError('toxic waste: delta must differ from gamma');
  if (delta === 1n) throw new RangeError('toxic waste: delta must differ from 1');
  if (bn254.fields.Fr.pow(tau, BigInt(2 * domainSize)) === 1n) {
    throw new RangeError('toxic waste: tau must lie outside the domain');
  }
}

/** α, β, γ, δ, τ, each uniform in [0, r) by rejection; a zero or a repeat has probability 2⁻²⁵⁰. */
function drawTrapdoor(): Uint8Array {
  const trapdoor = new Uint8Array(5 * fieldBytes);
  for (let i = 0; i < 5; i++) {
    const scalar = trapdoor.subarray(i * fieldBytes, (i + 1) * fieldBytes);
    do {
      randomFillSync(scalar);
      scalar[fieldBytes - 1] &= 0x3f;
    } while (readLittleEndian(scalar) >= r);
  }
  return trapdoor;
}

async function writeKey(
  r1cs: R1cs,
  trapdoor: Uint8Array,
  zkeyPath: string,
  { onProgress, kernels, derivedPath }: SetupOptions,
): Promise<VerifyingKey> {
  const k = kernels ?? selectKernels().kernels;
  const { wireCount, publicCount } = r1cs;
  const domainSize = domainSizeFor(r1cs);
  const scalar = (i: number): Uint8Array => trapdoor.subarray(i * fieldBytes, (i + 1) * fieldBytes);
  const [alpha, beta, gamma, delta] = [0, 1, 2, 3].map(scalar);
  const g1Header = await k.multiplyGenerator('g1', Buffer.concat([alpha, beta, delta]));
  const g2Header = await k.multiplyGenerator('g2', Buffer.concat([beta, gamma, delta]));

  const scalars = await k.keyScalars(r1cs, trapdoor);
  onProgress?.(0.15);
  try {
    let offset = 0;
    const section = (group: 'g1' | 'g2', count: number, from = offset): Promise<Uint8Array> => {
      offset = from + count * fieldBytes;
      return k.multiplyGenerator(group, scalars.subarray(from, offset));
    };
    const ic = await section('g1', publicCount + 1);
    const a = await section('g1', wireCount);
    onProgress?.(0.3);
    const startOfB = offset;
    const b1 = await section('g1', wireCount);
    const b2 = await section('g2', wireCount, startOfB);
    onProgress?.(0.7);
    const c = await section('g1', wireCount - publicCount - 1);
    const h = await section('g1', domainSize);
    onProgress?.(0.9);

    const g1 = (i: number) => readG1(g1Header, i * g1Bytes, 'setup', 'verifying key');
    const g2 = (i: number) => readG2(g2Header, i * g2Bytes, 'setup', 'verifying key');
    const header = {
      ...{ wireCount, publicCount, domainSize },
      ...{ alpha1: g1(0), beta1: g1(1), delta1: g1(2), beta2: g2(0), gamma2: g2(1), delta2: g2(2) },
    };
    const verifyingKey: VerifyingKey = {
      alpha: header.alpha1,
      beta: header.beta2,
      gamma: header.gamma2,
      delta: header.delta2,
      ic: Array.from({ length: publicCount + 1 }, (_, i) => readG1(ic, i * g1Bytes, 'setup', `IC[${i}]`)),
    };
    checkVerifyingKey(verifyingKey, publicCount);
    // No ceremony: a zero circuit hash and no contribution.
    const contributions = new Uint8Array(64 + 4);
    await writeZkeyFile(zkeyPath, {
      header,
      ic,
      coefficients: encodeCoefficients(r1cs),
      a,
      b1,
      b2,
      c,
      h,
      contributions,
    });
    if (derivedPath !== undefined) {
      onProgress?.(0.95);
      const points = await section('g1', domainSize);
      await writeDerivedFile(derivedPath, { zkeyDigest: await fileDigest(zkeyPath), domainSize, points });
    }
    onProgress?.(1);
    return verifyingKey;
  } finally {
    scalars.fill(0);
  }
}
