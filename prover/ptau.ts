/**
 * Phase 1, powers of tau (eprint 2017/1050): create, contribute, beacon, prepare. Every file is snarkjs's, and
 * every step streams: memory holds a few pieces of 2¹⁶ points, whatever the power.
 */
import { CeremonyRefused } from './ceremony-error.js';
import { blake2b, ResumableBlake2b } from './blake2b.js';
import { drawScalar, type KnowledgeProof, one, proveKnowledge } from './contribution-secret.js';
import { ContainerWriter, fileSource, readSection } from './files/container.js';
import { type Beacon, maxIterationsExponent, minIterationsExponent } from './files/contribution.js';
import { encodeG1, encodeG2, g1Bytes, g2Bytes, readG1, readG2 } from './files/points.js';
import {
  encodePtauContributions,
  encodePtauHeader,
  lagrangeSections,
  pointCounts,
  type Ptau,
  type PtauContribution,
  ptauMagic,
  ptauVersion,
  readPtau,
} from './files/ptau.js';
import { type Group, type Kernels, pointBytes, scalarBytes } from './kernels.js';
import type { G1Point } from './keys.js';
import { beaconGenerator } from './seeded.js';
import { selectKernels } from './select.js';
import { g1Generator, g2Generator } from './curve.js';

export interface CeremonyOptions {
  /** Share of the work done, 0 to 1, and what is being done. */
  readonly onProgress?: (share: number, step: string) => void;
  /** Default: native where it is built. */
  readonly kernels?: Kernels;
}

export interface Contributor {
  /** Shown beside the contribution; hashed nowhere. */
  readonly name: string;
  /** Hashed into the secret, which the operating system's generator always feeds. */
  readonly entropy?: Uint8Array;
}

const piecePoints = 2 ** 16;

/** The accumulator of nobody: every power is a generator. 2^power points. */
export async function createPtau(
  power: number,
  path: string,
  { onProgress }: CeremonyOptions = {},
): Promise<void> {
  if (!Number.isInteger(power) || power < 1 || power > 27)
    throw new CeremonyRefused('powers of tau', 'power', '1 to 27', `${power}`);
  const writer = new ContainerWriter(path, ptauMagic, ptauVersion, 7);
  await ContainerWriter.fill(writer, async () => {
    writer.begin(1);
    writer.write(encodePtauHeader(power));
    writer.end();
    for (const { id, group, count } of pointCounts(power)) {
      writer.begin(id);
      for (const piece of repeated(generatorBytes[group], count)) writer.write(piece);
      writer.end();
    }
    writer.begin(7);
    writer.write(encodePtauContributions([]));
    writer.end();
  });
  onProgress?.(1, 'create');
}

const generatorBytes: Readonly<Record<Group, Uint8Array>> = {
  g1: encodeG1(g1Generator),
  g2: encodeG2(g2Generator),
};

function* repeated(unit: Uint8Array, count: number): Generator<Uint8Array> {
  const block = Buffer.concat(Array.from({ length: Math.min(count, 4096) }, () => unit));
  for (let left = count; left > 0; left -= 4096) yield block.subarray(0, Math.min(left, 4096) * unit.length);
}

/** The hash every first contribution answers: BLAKE2b of the accumulator of nobody. */
export async function firstChallenge(power: number, kernels: Kernels): Promise<Uint8Array> {
  const hash = new ResumableBlake2b().update(blake2b());
  for (const { group, count } of pointCounts(power)) {
    const unit = await kernels.toUncompressed(group, generatorBytes[group]);
    for (const piece of repeated(unit, count)) hash.update(piece);
  }
  return hash.digest();
}

/** Multiplies fresh secrets τ, α, β into the accumulator. Returns the hash the contributor should publish. */
export async function contributePtau(
  from: string,
  to: string,
  contributor: Contributor,
  options: CeremonyOptions = {},
): Promise<Uint8Array> {
  const entropy = contributor.entropy ?? new Uint8Array(0);
  const secrets = { tau: drawScalar(entropy), alpha: drawScalar(entropy), beta: drawScalar(entropy) };
  try {
    return await applySecrets(
      from,
      to,
      contributor.name,
      null,
      async () => ({ secrets, points: null }),
      options,
    );
  } finally {
    Object.values(secrets).forEach((secret) => secret.fill(0));
  }
}

/** The closing contribution, from a public value that nobody could know before. */
export async function beaconPtau(
  from: string,
  to: string,
  name: string,
  beacon: Beacon,
  options: CeremonyOptions = {},
): Promise<Uint8Array> {
  checkBeacon(beacon);
  return applySecrets(from, to, name, beacon, async () => beaconSecrets(beacon), options);
}

export function checkBeacon({ value, iterationsExponent }: Beacon): void {
  if (value.length < 1 || value.length > 255)
    throw new CeremonyRefused('powers of tau', 'beacon', '1 to 255 bytes', `${value.length}`);
  const range = `${minIterationsExponent} to ${maxIterationsExponent}`;
  if (!(iterationsExponent >= minIterationsExponent && iterationsExponent <= maxIterationsExponent)) {
    throw new CeremonyRefused('powers of tau', 'iterations exponent', range, `${iterationsExponent}`);
  }
}

const secretNames = ['tau', 'alpha', 'beta'] as const;
type SecretName = (typeof secretNames)[number];

interface Secrets {
  readonly secrets: Readonly<Record<SecretName, Uint8Array>>;
  /** The s·G1 of each key proof; null: drawn. */
  readonly points: Readonly<Record<SecretName, G1Point>> | null;
}

/** The three scalars, then the three points, in the order snarkjs draws them. */
export function beaconSecrets({ value, iterationsExponent }: Beacon): Secrets {
  const generator = beaconGenerator(value, iterationsExponent);
  const [tau, alpha, beta] = [1, 2, 3].map(() => scalarBytes([generator.scalar()]));
  const points = { tau: generator.g1(), alpha: generator.g1(), beta: generator.g1() };
  return { secrets: { tau, alpha, beta }, points };
}

/** What H is hashed from: a personalization byte, the challenge, s·G1 and x·s·G1. */
export async function keyChallenge(
  kernels: Kernels,
  index: number,
  challenge: Uint8Array,
  g1s: G1Point,
  g1sx: G1Point,
): Promise<Uint8Array> {
  const points = await kernels.toUncompressed('g1', Buffer.concat([encodeG1(g1s), encodeG1(g1sx)]));
  return blake2b(Uint8Array.of(index), challenge, points);
}

async function applySecrets(
  from: string,
  to: string,
  name: string,
  beacon: Beacon | null,
  makeSecrets: () => Promise<Secrets>,
  { onProgress, kernels = selectKernels().kernels }: CeremonyOptions,
): Promise<Uint8Array> {
  const source = fileSource(from);
  try {
    const ptau = readPtau(source);
    const { power, contributions } = ptau;
    if (power !== ptau.ceremonyPower)
      throw new CeremonyRefused('powers of tau', 'power', 'that of the ceremony', 'a truncated file');
    const challenge = contributions.at(-1)?.nextChallenge ?? (await firstChallenge(power, kernels));
    const { secrets, points } = await makeSecrets();
    const keys: KnowledgeProof[] = [];
    for (const [index, secret] of secretNames.entries()) {
      keys.push(
        await proveKnowledge(
          kernels,
          secrets[secret],
          (g1s, g1sx) => keyChallenge(kernels, index, challenge, g1s, g1sx),
          points?.[secret] ?? null,
        ),
      );
    }
    const writer = new ContainerWriter(to, ptauMagic, ptauVersion, 7);
    return await ContainerWriter.fill(writer, async () => {
      writer.begin(1);
      writer.write(encodePtauHeader(power));
      writer.end();
      const first = { 2: one, 3: one, 4: secrets.alpha, 5: secrets.beta, 6: secrets.beta } as Record<
        number,
        Uint8Array
      >;
      const response = new ResumableBlake2b().update(challenge);
      const total = pointCounts(power).reduce((sum, { group, count }) => sum + count * cost[group], 0);
      let done = 0;
      const written = new Map<number, number>();
      for (const { id, group, count } of pointCounts(power)) {
        writer.begin(id);
        for (let at = 0; at < count; at += piecePoints) {
          const length = Math.min(piecePoints, count - at);
          const piece = readSection(ptau.container, id, at * pointBytes[group], length * pointBytes[group]);
          const multiplied = await kernels.multiplyEach(group, piece, first[id], secrets.tau, at);
          writer.write(multiplied);
          response.update(await kernels.toCompressed(group, multiplied));
          done += length * cost[group];
          onProgress?.((0.95 * done) / total, `section ${id}`);
        }
        written.set(id, writer.end().offset);
      }
      const partialHash = response.save();
      const keyPoints = Buffer.concat(keys.flatMap(({ g1s, g1sx }) => [encodeG1(g1s), encodeG1(g1sx)]));
      const keyImages = Buffer.concat(keys.map(({ g2spx }) => encodeG2(g2spx)));
      response.update(await kernels.toUncompressed('g1', keyPoints));
      response.update(await kernels.toUncompressed('g2', keyImages));
      const responseHash = response.digest();

      const next = new ResumableBlake2b().update(responseHash);
      for (const { id, group, count } of pointCounts(power)) {
        for (let at = 0; at < count; at += piecePoints) {
          const length = Math.min(piecePoints, count - at) * pointBytes[group];
          const piece = writer.readBack(written.get(id)! + at * pointBytes[group], length);
          next.update(await kernels.toUncompressed(group, piece));
        }
      }
      const g1 = (id: number, index: number) =>
        readG1(writer.readBack(written.get(id)! + index * g1Bytes, g1Bytes), 0, to, `section ${id}`);
      const g2 = (id: number, index: number) =>
        readG2(writer.readBack(written.get(id)! + index * g2Bytes, g2Bytes), 0, to, `section ${id}`);
      const contribution: PtauContribution = {
        ...{ tauG1: g1(2, 1), tauG2: g2(3, 1), alphaG1: g1(4, 0), betaG1: g1(5, 0), betaG2: g2(6, 0) },
        ...{ tau: keys[0], alpha: keys[1], beta: keys[2] },
        ...{ partialHash, nextChallenge: next.digest(), name, beacon },
      };
      writer.begin(7);
      writer.write(encodePtauContributions([...contributions, contribution]));
      writer.end();
      onProgress?.(1, 'done');
      return responseHash;
    });
  } finally {
    source.close();
  }
}

/** Relative times of one point, for progress. */
const cost = { g1: 1, g2: 2 };

/**
 * Adds the Lagrange bases that phase 2 needs, for every power up to the file's. The largest part of the work of a
 * phase 1: n/2·log₂ n scalar multiplications a section and power.
 */
export async function preparePtau(
  from: string,
  to: string,
  { onProgress, kernels = selectKernels().kernels }: CeremonyOptions = {},
): Promise<void> {
  const source = fileSource(from);
  try {
    const ptau = readPtau(source);
    const writer = new ContainerWriter(to, ptauMagic, ptauVersion, 11);
    await ContainerWriter.fill(writer, async () => {
      for (const id of [1, 2, 3, 4, 5, 6, 7]) copySection(ptau, id, writer);
      const levels = lagrangeSections.flatMap(({ group, extra }) =>
        Array.from({ length: ptau.power + 1 + extra }, (_, p) => 2 ** p * p * cost[group]),
      );
      const total = levels.reduce((a, b) => a + b, 0);
      let done = 0;
      for (const { from: monomials, id, group, extra } of lagrangeSections) {
        writer.begin(id);
        for (let p = 0; p <= ptau.power + extra; p++) {
          writer.write(await kernels.lagrange(group, readPowers(ptau, monomials, group, p)));
          done += 2 ** p * p * cost[group];
          onProgress?.(done / total, `section ${id}, power ${p}`);
        }
        writer.end();
      }
    });
  } finally {
    source.close();
  }
}

/** The first 2^p powers of a section; the one that is missing at p = power + 1 stands as infinity. */
export function readPowers(ptau: Ptau, id: number, group: Group, p: number): Uint8Array {
  const available = ptau.container.sections.get(id)!.size / pointBytes[group];
  const points = new Uint8Array(2 ** p * pointBytes[group]);
  points.set(readSection(ptau.container, id, 0, Math.min(2 ** p, available) * pointBytes[group]));
  return points;
}

const copyBytes = 2 ** 24;

function copySection(ptau: Ptau, id: number, writer: ContainerWriter): void {
  const { size } = ptau.container.sections.get(id)!;
  writer.begin(id);
  for (let at = 0; at < size; at += copyBytes) {
    writer.write(readSection(ptau.container, id, at, Math.min(copyBytes, size - at)));
  }
  writer.end();
}
