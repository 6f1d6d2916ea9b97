/**
 * A proving key for one circuit out of prepared powers of tau, before anybody contributed: γ = δ = 1, so anyone can
 * forge for it. Every section is a sparse integer matrix times the Lagrange points of the powers; the circuit hash is
 * snarkjs's.
 */
import type { R1cs, SparseMatrix } from '../circuits/r1cs/r1cs.js';
import { ResumableBlake2b } from './blake2b.js';
import { CeremonyRefused } from './ceremony-error.js';
import { one } from './contribution-secret.js';
import { g1Generator, g2Generator } from './curve.js';
import { type ByteSource, fileSource, readSection } from './files/container.js';
import { encodeCoefficients } from './files/coefficients.js';
import { encodeKeyContributions } from './files/contribution.js';
import { encodeG1, encodeG2, g1Bytes, r, readG1, readG2 } from './files/points.js';
import { type Ptau, readPtau } from './files/ptau.js';
import { writeZkeyFile, type ZkeyParts } from './files/zkey.js';
import { type Group, type Kernels, pointBytes, scalarBytes, type SparseColumns } from './kernels.js';
import type { CeremonyOptions } from './ptau.js';
import { domainSizeFor } from './qap.js';
import { selectKernels } from './select.js';
import { checkCircuit } from './setup.js';
import { subtractFromBytes } from './trailing-power.js';

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
      parts: {
        ...{ header, ic, a, b1, b2, c, h, contributions },
        // Made again for each reader: a verifier compares many keys with one initial key.
        coefficients: { [Symbol.iterator]: () => encodeCoefficients(r1cs) },
      },
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

const minusOne = scalarBytes([r - 1n]);

function bigEndian32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, false);
  return bytes;
}
