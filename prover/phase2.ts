/**
 * Phase 2 (eprint 2017/1050, §6): a proving key for one circuit out of prepared powers of tau, with γ = δ = 1 until
 * the first contribution multiplies δ. Files, hashes and the circuit hash are snarkjs's, so `snarkjs zkey
 * contribute / beacon / verify` work on ours and ours on theirs.
 */
import type { R1cs, SparseMatrix } from '../circuits/r1cs/r1cs.js';
import { blake2b, ResumableBlake2b } from './blake2b.js';
import { CeremonyRefused } from './ceremony-error.js';
import { drawScalar, type KnowledgeProof, one, proveKnowledge } from './contribution-secret.js';
import { g1Generator, g2Generator } from './curve.js';
import { type ByteSource, fileSource, readSection } from './files/container.js';
import { encodeCoefficients } from './files/coefficients.js';
import {
  type Beacon,
  encodeKeyContributions,
  type KeyContribution,
  type KeyContributions,
  readKeyContributions,
} from './files/contribution.js';
import { encodeG1, encodeG2, g1Bytes, readG1, readG2 } from './files/points.js';
import { type Ptau, readPtau } from './files/ptau.js';
import { readZkey, writeZkeyFile, type Zkey, type ZkeyParts } from './files/zkey.js';
import { type Group, type Kernels, pointBytes, scalarBytes, type SparseColumns } from './kernels.js';
import type { G1Point } from './keys.js';
import { checkBeacon, type CeremonyOptions, type Contributor } from './ptau.js';
import { domainSizeFor } from './qap.js';
import { beaconGenerator } from './seeded.js';
import { selectKernels } from './select.js';
import { subtractFromBytes } from './trailing-power.js';
import { checkCircuit } from './setup.js';

/** Writes the key before any contribution: unusable, since anyone can forge for it. Returns the circuit hash. */
export async function newPhase2Key(
  r1cs: R1cs,
  ptauPath: string,
  zkeyPath: string,
  options: CeremonyOptions = {},
): Promise<Uint8Array> {
  const { parts, circuitHash } = await initialKey(r1cs, ptauPath, options);
  await writeZkeyFile(zkeyPath, parts);
  options.onProgress?.(1, 'done');
  return circuitHash;
}

export interface InitialKey {
  readonly parts: ZkeyParts;
  readonly circuitHash: Uint8Array;
}

/** The same in memory: what a verifier compares a finished key with. */
export async function initialKey(
  r1cs: R1cs,
  ptauPath: string,
  { onProgress, kernels = selectKernels().kernels }: CeremonyOptions = {},
): Promise<InitialKey> {
  checkCircuit(r1cs);
  const source = fileSource(ptauPath);
  try {
    const ptau = readPtau(source);
    const domainSize = domainSizeFor(r1cs);
    const power = Math.log2(domainSize);
    if (power > ptau.power)
      throw new CeremonyRefused(ptauPath, 'power', `at least ${power} for this circuit`, `${ptau.power}`);
    if (!ptau.isPrepared) throw new CeremonyRefused(ptauPath, 'powers of tau', 'prepared', 'not prepared');

    const lagrange = (id: number, group: Group, p = power): Uint8Array =>
      readSection(ptau.container, id, (2 ** p - 1) * pointBytes[group], 2 ** p * pointBytes[group]);
    const [tau, alphaTau, betaTau] = [12, 14, 15].map((id) => lagrange(id, 'g1'));
    const { wireCount, publicCount } = r1cs;
    const columnsA = columnsOf(r1cs, [{ matrix: r1cs.a, base: 0 }], { base: 0 });
    const a = await kernels.sparseSums('g1', tau, columnsA);
    onProgress?.(0.25, 'A');
    const columnsB = columnsOf(r1cs, [{ matrix: r1cs.b, base: 0 }], null);
    const b1 = await kernels.sparseSums('g1', tau, columnsB);
    onProgress?.(0.4, 'B1');
    const b2 = await kernels.sparseSums('g2', lagrange(13, 'g2'), columnsB);
    onProgress?.(0.6, 'B2');
    const bases = Buffer.concat([betaTau, alphaTau, tau]);
    const all = columnsOf(
      r1cs,
      [
        { matrix: r1cs.a, base: 0 },
        { matrix: r1cs.b, base: domainSize },
        { matrix: r1cs.c, base: 2 * domainSize },
      ],
      { base: 0 },
    );
    const combined = await kernels.sparseSums('g1', bases, all);
    const split = (publicCount + 1) * g1Bytes;
    const [ic, c] = [combined.slice(0, split), combined.slice(split)];
    onProgress?.(0.8, 'IC and C');

    const twice = lagrange(12, 'g1', power + 1);
    const h = new Uint8Array(domainSize * g1Bytes);
    for (let i = 0; i < domainSize; i++)
      h.set(twice.subarray((2 * i + 1) * g1Bytes, (2 * i + 2) * g1Bytes), i * g1Bytes);

    const point = (id: number): Uint8Array => readSection(ptau.container, id, 0, g1Bytes);
    const header = {
      ...{ wireCount, publicCount, domainSize },
      ...{ alpha1: readG1(point(4), 0, ptauPath, 'alpha'), beta1: readG1(point(5), 0, ptauPath, 'beta') },
      ...{ beta2: readG2(readSection(ptau.container, 6), 0, ptauPath, 'beta'), gamma2: g2Generator },
      ...{ delta1: g1Generator, delta2: g2Generator },
    };
    const circuitHash = await hashCircuit(ptau, { header, ic, a, b1, b2, c }, kernels);
    onProgress?.(0.95, 'circuit hash');
    const contributions = encodeKeyContributions({ circuitHash, contributions: [] });
    return {
      circuitHash,
      parts: { header, ic, a, b1, b2, c, h, contributions, coefficients: encodeCoefficients(r1cs) },
    };
  } finally {
    source.close();
  }
}

interface BasedMatrix {
  readonly matrix: SparseMatrix;
  /** Where the Lagrange points of this matrix begin among the bases. */
  readonly base: number;
}

/** Rows → columns by wire. `publicRows` adds the rows of qap.ts that stand after the constraints. */
function columnsOf(
  r1cs: R1cs,
  matrices: readonly BasedMatrix[],
  publicRows: { base: number } | null,
): SparseColumns {
  const { wireCount, publicCount, constraintCount } = r1cs;
  const starts = new Uint32Array(wireCount + 1);
  for (const { matrix } of matrices) for (const wire of matrix.wires) starts[wire + 1]++;
  if (publicRows !== null) for (let s = 0; s <= publicCount; s++) starts[s + 1]++;
  for (let wire = 0; wire < wireCount; wire++) starts[wire + 1] += starts[wire];
  const next = starts.slice(0, wireCount);
  const rows = new Uint32Array(starts[wireCount]);
  const ids = new Uint32Array(starts[wireCount]);
  for (const { matrix, base } of matrices) {
    for (let row = 0; row < constraintCount; row++) {
      for (let k = matrix.rowStarts[row]; k < matrix.rowStarts[row + 1]; k++) {
        const at = next[matrix.wires[k]]++;
        rows[at] = base + row;
        ids[at] = matrix.coefficientIds[k];
      }
    }
  }
  const coefficients = [...r1cs.coefficients, 1n];
  if (publicRows !== null) {
    for (let s = 0; s <= publicCount; s++) {
      const at = next[s]++;
      rows[at] = publicRows.base + constraintCount + s;
      ids[at] = coefficients.length - 1;
    }
  }
  return { starts, rows, ids, coefficients };
}

const piecePoints = 2 ** 16;

/**
 * snarkjs's digest of a circuit on these powers: header, IC, τ^i(τⁿ − 1), C, A, B1, B2, uncompressed. It is what the
 * transcript of every contribution starts from.
 */
async function hashCircuit(
  ptau: Ptau,
  key: Pick<ZkeyParts, 'header' | 'ic' | 'a' | 'b1' | 'b2' | 'c'>,
  kernels: Kernels,
): Promise<Uint8Array> {
  const hash = new ResumableBlake2b();
  const points = async (group: Group, bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; at += piecePoints * pointBytes[group]) {
      hash.update(
        await kernels.toUncompressed(group, bytes.subarray(at, at + piecePoints * pointBytes[group])),
      );
    }
  };
  const counted = async (group: Group, bytes: Uint8Array): Promise<void> => {
    hash.update(bigEndian32(bytes.length / pointBytes[group]));
    await points(group, bytes);
  };
  const { header } = key;
  await points('g1', Buffer.concat([header.alpha1, header.beta1].map(encodeG1)));
  await points('g2', Buffer.concat([header.beta2, header.gamma2].map(encodeG2)));
  await points('g1', encodeG1(header.delta1));
  await points('g2', encodeG2(header.delta2));
  await counted('g1', key.ic);
  hash.update(bigEndian32(header.domainSize - 1));
  await points('g1', await quotientPowers(ptau, header.domainSize, kernels));
  await counted('g1', key.c);
  await counted('g1', key.a);
  await counted('g1', key.b1);
  await counted('g2', key.b2);
  return hash.digest();
}

const hashedAtOnce = 2 ** 14;

/**
 * τ^(i+n) − τ^i as snarkjs hashes them: n − 1 points, rounded up to whole chunks of 2¹⁴ when there is more than one.
 * Then the last of them may lie beyond the last power (trailing-power.ts).
 */
async function quotientPowers(ptau: Ptau, domainSize: number, kernels: Kernels): Promise<Uint8Array> {
  const count =
    domainSize - 1 <= hashedAtOnce
      ? domainSize - 1
      : Math.ceil((domainSize - 1) / hashedAtOnce) * hashedAtOnce;
  const { offset } = ptau.container.sections.get(2)!;
  const source: ByteSource = ptau.container.source;
  const high = source.read(offset + domainSize * g1Bytes, count * g1Bytes);
  const low = source.read(offset, count * g1Bytes);
  const opposite = await kernels.multiplyEach('g1', low, minusOne, one);
  const known =
    (count + domainSize) * g1Bytes <= ptau.container.sections.get(2)!.size ? count : domainSize - 1;
  const differences = await kernels.add(
    'g1',
    high.subarray(0, known * g1Bytes),
    opposite.subarray(0, known * g1Bytes),
  );
  if (known === count) return differences;
  const at = known * g1Bytes;
  return Buffer.concat([differences, subtractFromBytes(high.subarray(at), low.subarray(at))]);
}

const minusOne = scalarBytes([
  21888242871839275222246405745257275088548364400416034343698204186575808495616n,
]);

function bigEndian32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, false);
  return bytes;
}

/** Multiplies a fresh secret into δ. Returns the contribution hash that the contributor should publish. */
export async function contributeKey(
  from: string,
  to: string,
  contributor: Contributor,
  options: CeremonyOptions = {},
): Promise<Uint8Array> {
  const secret = drawScalar(contributor.entropy ?? new Uint8Array(0));
  try {
    return await applySecret(from, to, { name: contributor.name, beacon: null }, secret, null, options);
  } finally {
    secret.fill(0);
  }
}

export async function beaconKey(
  from: string,
  to: string,
  name: string,
  beacon: Beacon,
  options: CeremonyOptions = {},
): Promise<Uint8Array> {
  checkBeacon(beacon);
  const { secret, g1s } = beaconSecret(beacon);
  return applySecret(from, to, { name, beacon }, secret, g1s, options);
}

export function beaconSecret({ value, iterationsExponent }: Beacon): { secret: Uint8Array; g1s: G1Point } {
  const generator = beaconGenerator(value, iterationsExponent);
  return { secret: scalarBytes([generator.scalar()]), g1s: generator.g1() };
}

/** The hash that H of the next contribution is drawn from, given its s·G1 and x·s·G1. */
export async function keyTranscript(
  { circuitHash, contributions }: KeyContributions,
  { g1s, g1sx }: Pick<KnowledgeProof, 'g1s' | 'g1sx'>,
  kernels: Kernels,
): Promise<Uint8Array> {
  const hash = new ResumableBlake2b().update(circuitHash);
  for (const contribution of contributions) hash.update(await publicKeyBytes(contribution, kernels));
  hash.update(await kernels.toUncompressed('g1', Buffer.concat([encodeG1(g1s), encodeG1(g1sx)])));
  return hash.digest();
}

async function publicKeyBytes(
  { deltaAfter, g1s, g1sx, g2spx, transcript }: Omit<KeyContribution, 'name' | 'beacon'>,
  kernels: Kernels,
): Promise<Uint8Array> {
  return Buffer.concat([
    await kernels.toUncompressed('g1', Buffer.concat([deltaAfter, g1s, g1sx].map(encodeG1))),
    await kernels.toUncompressed('g2', encodeG2(g2spx)),
    transcript,
  ]);
}

/** What a contributor publishes and later finds in the transcript. */
export const contributionHash = async (
  contribution: KeyContribution,
  kernels: Kernels,
): Promise<Uint8Array> => blake2b(await publicKeyBytes(contribution, kernels));

async function applySecret(
  from: string,
  to: string,
  parameters: Pick<KeyContribution, 'name' | 'beacon'>,
  secret: Uint8Array,
  g1s: G1Point | null,
  { onProgress, kernels = selectKernels().kernels }: CeremonyOptions,
): Promise<Uint8Array> {
  const source = fileSource(from);
  try {
    const zkey = readZkey(source);
    const before = readKeyContributions(readSection(zkey.container, 10), from);
    const proof = await proveKnowledge(
      kernels,
      secret,
      (s, sx) => keyTranscript(before, { g1s: s, g1sx: sx }, kernels),
      g1s,
    );
    const transcript = await keyTranscript(before, proof, kernels);
    const delta1 = readG1(
      await kernels.multiplyEach('g1', encodeG1(zkey.header.delta1), secret, one),
      0,
      to,
      'delta',
    );
    const delta2 = readG2(
      await kernels.multiplyEach('g2', encodeG2(zkey.header.delta2), secret, one),
      0,
      to,
      'delta',
    );
    onProgress?.(0.1, 'key');
    const inverse = await kernels.invert(secret);
    const c = await kernels.multiplyEach('g1', readSection(zkey.container, 8), inverse, one);
    onProgress?.(0.5, 'C');
    const h = await kernels.multiplyEach('g1', readSection(zkey.container, 9), inverse, one);
    onProgress?.(0.9, 'H');
    inverse.fill(0);
    const contribution: KeyContribution = { deltaAfter: delta1, ...proof, transcript, ...parameters };
    await writeZkeyFile(to, {
      header: { ...zkey.header, delta1, delta2 },
      ic: readSection(zkey.container, 3),
      coefficients: sectionPieces(zkey, 4),
      a: readSection(zkey.container, 5),
      b1: readSection(zkey.container, 6),
      b2: readSection(zkey.container, 7),
      ...{ c, h },
      contributions: encodeKeyContributions({
        circuitHash: before.circuitHash,
        contributions: [...before.contributions, contribution],
      }),
    });
    onProgress?.(1, 'done');
    return await contributionHash(contribution, kernels);
  } finally {
    source.close();
  }
}

const pieceBytes = 2 ** 24;

function* sectionPieces({ container }: Zkey, id: number): Generator<Uint8Array> {
  const { size } = container.sections.get(id)!;
  for (let at = 0; at < size; at += pieceBytes)
    yield readSection(container, id, at, Math.min(pieceBytes, size - at));
}
