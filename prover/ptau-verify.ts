/**
 * Checks a powers of tau file as a stranger would: every contribution follows from the one before it and proves
 * knowledge of its secrets, the sections are the powers they claim to be, the Lagrange sections are their
 * transforms. Random linear combinations with 128-bit weights: a false section passes with probability 2⁻¹²⁸.
 */

import { createHash } from 'node:crypto';
import { ResumableBlake2b } from './blake2b.js';
import { InvalidCeremony } from './ceremony-error.js';
import { g1Generator, g2Generator } from './curve.js';
import { fileSource, readSection } from './files/container.js';
import { encodeG1, encodeG2, fieldBytes, readG1, readG2 } from './files/points.js';
import {
  lagrangeSections,
  pointCounts,
  type Ptau,
  type PtauContribution,
  readPtau,
  type SecretKeyProof,
} from './files/ptau.js';
import { type Group, type Kernels, pointBytes } from './kernels.js';
import type { G1Point, G2Point } from './keys.js';
import { beaconSecrets, type CeremonyOptions, firstChallenge, keyChallenge, readPowers } from './ptau.js';
import { randomWeights } from './random-weights.js';
import { isSameRatio } from './same-ratio.js';
import { hashToG2 } from './seeded.js';
import { selectKernels } from './select.js';

export interface PtauReport {
  readonly power: number;
  readonly isPrepared: boolean;
  /** SHA-256 of the file, hex. */
  readonly fileHash: string;
  readonly contributions: readonly { name: string; isBeacon: boolean; responseHash: string }[];
}

/** Throws MalformedFile for what is no such file, InvalidCeremony for one that does not check. */
export async function verifyPtau(path: string, options: CeremonyOptions = {}): Promise<PtauReport> {
  const { onProgress, kernels = selectKernels().kernels } = options;
  const source = fileSource(path);
  try {
    const ptau = readPtau(source);
    const { power, ceremonyPower, contributions, isPrepared } = ptau;
    if (contributions.length === 0)
      fail(path, 'contributions', 'at least one', 'none: the secrets are known to be 1');
    await checkMembership(ptau, kernels);
    onProgress?.(0.3, 'group membership');

    let previous = { ...nobody, nextChallenge: await firstChallenge(ceremonyPower, kernels) };
    const responses: Uint8Array[] = [];
    for (const [i, contribution] of contributions.entries()) {
      await checkContribution(`${path}: contribution ${i + 1}`, contribution, previous, kernels);
      responses.push(await responseHash(contribution, kernels));
      previous = contribution;
    }
    onProgress?.(0.4, 'contributions');
    await checkPowers(ptau, contributions.at(-1)!, responses.at(-1)!, kernels);
    onProgress?.(0.7, 'powers');
    if (isPrepared) await checkLagrange(ptau, kernels);
    onProgress?.(1, 'done');
    return {
      power,
      isPrepared,
      fileHash: fileDigest(path),
      contributions: contributions.map(({ name, beacon }, i) => ({
        name,
        isBeacon: beacon !== null,
        responseHash: Buffer.from(responses[i]).toString('hex'),
      })),
    };
  } finally {
    source.close();
  }
}

type Accumulator = Pick<
  PtauContribution,
  'tauG1' | 'tauG2' | 'alphaG1' | 'betaG1' | 'betaG2' | 'nextChallenge'
>;

const nobody = {
  tauG1: g1Generator,
  tauG2: g2Generator,
  alphaG1: g1Generator,
  betaG1: g1Generator,
  betaG2: g2Generator,
};

function fail(where: string, what: string, expected: string, got: string): never {
  throw new InvalidCeremony(where, what, expected, got);
}

const piecePoints = 2 ** 16;

function* pieces(ptau: Ptau, id: number, group: Group, count: number): Generator<Uint8Array> {
  for (let at = 0; at < count; at += piecePoints) {
    const length = Math.min(piecePoints, count - at) * pointBytes[group];
    yield readSection(ptau.container, id, at * pointBytes[group], length);
  }
}

async function checkMembership(ptau: Ptau, kernels: Kernels): Promise<void> {
  const where = ptau.container.source.name;
  const sections = [
    ...pointCounts(ptau.power),
    ...(ptau.isPrepared ? lagrangeSections : []).map(({ id, group, extra }) => ({
      id,
      group,
      count: 2 ** (ptau.power + 1 + extra) - 1,
    })),
  ];
  for (const { id, group, count } of sections) {
    let at = 0;
    for (const piece of pieces(ptau, id, group, count)) {
      const foreign = await kernels.firstForeign(group, piece);
      if (foreign !== null)
        fail(where, `point ${at + foreign} of section ${id}`, `a point of ${group}`, 'a foreign one');
      at += piecePoints;
    }
  }
}

async function responseHash(contribution: PtauContribution, kernels: Kernels): Promise<Uint8Array> {
  const { tau, alpha, beta, partialHash } = contribution;
  const keys = [tau, alpha, beta];
  const g1 = Buffer.concat(keys.flatMap(({ g1s, g1sx }) => [encodeG1(g1s), encodeG1(g1sx)]));
  const g2 = Buffer.concat(keys.map(({ g2spx }) => encodeG2(g2spx)));
  return ResumableBlake2b.resume(partialHash)
    .update(await kernels.toUncompressed('g1', g1))
    .update(await kernels.toUncompressed('g2', g2))
    .digest();
}

async function checkContribution(
  where: string,
  current: PtauContribution,
  previous: Accumulator,
  kernels: Kernels,
): Promise<void> {
  const keys = { tau: current.tau, alpha: current.alpha, beta: current.beta };
  if (current.beacon !== null) {
    const { secrets, points } = beaconSecrets(current.beacon);
    for (const name of ['tau', 'alpha', 'beta'] as const) {
      const g1s = points![name];
      const image = await kernels.multiplyEach('g1', encodeG1(g1s), secrets[name], oneScalar);
      const isMade = same(g1s, keys[name].g1s) && same(readG1(image, 0, where, 'beacon'), keys[name].g1sx);
      if (!isMade) fail(where, `${name} key`, 'the one its beacon makes', 'another');
    }
  }
  const bases: Record<string, G2Point> = {};
  for (const [index, name] of (['tau', 'alpha', 'beta'] as const).entries()) {
    const { g1s, g1sx, g2spx }: SecretKeyProof = keys[name];
    bases[name] = hashToG2(await keyChallenge(kernels, index, previous.nextChallenge, g1s, g1sx));
    if (!isSameRatio([g1s, g1sx], [bases[name], g2spx]))
      fail(where, `${name} key`, 'a proof of knowledge', 'an invalid one');
    if (same(g1s, g1sx)) fail(where, `${name} secret`, 'not 1', '1: nothing was contributed');
  }
  const g1Steps = [
    ['tau·G1', previous.tauG1, current.tauG1, 'tau'],
    ['alpha·G1', previous.alphaG1, current.alphaG1, 'alpha'],
    ['beta·G1', previous.betaG1, current.betaG1, 'beta'],
  ] as const;
  for (const [what, before, after, name] of g1Steps) {
    if (!isSameRatio([before, after], [bases[name], keys[name].g2spx]))
      fail(where, what, 'the one before times the secret', 'another');
  }
  const g2Steps = [
    ['tau·G2', previous.tauG2, current.tauG2, 'tau'],
    ['beta·G2', previous.betaG2, current.betaG2, 'beta'],
  ] as const;
  for (const [what, before, after, name] of g2Steps) {
    if (!isSameRatio([keys[name].g1s, keys[name].g1sx], [before, after]))
      fail(where, what, 'the one before times the secret', 'another');
  }
}

const oneScalar = Uint8Array.from({ length: fieldBytes }, (_, i) => (i === 0 ? 1 : 0));

const same = (a: G1Point | G2Point, b: G1Point | G2Point): boolean =>
  a.flat().every((c, i) => c === b.flat()[i]);

/** Section 2 … 5 are powers of τ times their first point, the first points those of the last contribution, and the hash of all of it its next challenge. */
async function checkPowers(
  ptau: Ptau,
  last: PtauContribution,
  response: Uint8Array,
  kernels: Kernels,
): Promise<void> {
  const where = ptau.container.source.name;
  const challenge = new ResumableBlake2b().update(response);
  const starts: Record<number, G1Point | G2Point> = {
    2: g1Generator,
    3: g2Generator,
    4: last.alphaG1,
    5: last.betaG1,
    6: last.betaG2,
  };
  for (const { id, group, count } of pointCounts(ptau.power)) {
    const size = pointBytes[group];
    let low: Uint8Array = new Uint8Array(size);
    let high: Uint8Array = new Uint8Array(size);
    let before: Uint8Array = new Uint8Array(0);
    let isFirst = true;
    for (const piece of pieces(ptau, id, group, count)) {
      challenge.update(await kernels.toUncompressed(group, piece));
      if (isFirst) {
        const point =
          group === 'g1'
            ? readG1(piece, 0, where, `section ${id}`)
            : readG2(piece, 0, where, `section ${id}`);
        if (!same(point, starts[id]))
          fail(where, `first point of section ${id}`, 'that of the last contribution', 'another');
        isFirst = false;
      }
      const chain = Buffer.concat([before, piece]);
      const weights = randomWeights(chain.length / size - 1);
      low = await kernels.add(
        group,
        low,
        await kernels.weightedSum(group, chain.subarray(0, chain.length - size), weights),
      );
      high = await kernels.add(group, high, await kernels.weightedSum(group, chain.subarray(size), weights));
      before = piece.slice(piece.length - size);
    }
    if (id === 6) continue;
    const what = `section ${id}`;
    const isPowers =
      group === 'g1'
        ? isSameRatio([readG1(low, 0, where, what), readG1(high, 0, where, what)], [g2Generator, last.tauG2])
        : isSameRatio([g1Generator, last.tauG1], [readG2(low, 0, where, what), readG2(high, 0, where, what)]);
    if (!isPowers) fail(where, what, 'powers of tau', 'something else');
  }
  if (ptau.power === ptau.ceremonyPower && Buffer.compare(challenge.digest(), last.nextChallenge) !== 0) {
    fail(where, 'next challenge of the last contribution', 'the hash of the sections', 'another');
  }
}

/** Σ ρ_k·τ^k = Σ_i (Σ_k ρ_k·ω^(ik))·L_i, for every power; the transformed weights serve all four sections. */
async function checkLagrange(ptau: Ptau, kernels: Kernels): Promise<void> {
  const where = ptau.container.source.name;
  for (let p = 0; p <= ptau.power + 1; p++) {
    const weights = randomWeights(2 ** p);
    // Section 2 ends one short of 2^(power + 1).
    if (p === ptau.power + 1) weights.fill(0, weights.length - fieldBytes);
    const transformed = await kernels.transform(weights);
    for (const { from, id, group, extra } of lagrangeSections) {
      if (p > ptau.power + extra) continue;
      const size = pointBytes[group];
      const lagrange = readSection(ptau.container, id, (2 ** p - 1) * size, 2 ** p * size);
      const left = await kernels.weightedSum(group, readPowers(ptau, from, group, p), weights);
      const right = await kernels.weightedSum(group, lagrange, transformed);
      if (Buffer.compare(left, right) !== 0)
        fail(where, `section ${id}, power ${p}`, `the transform of section ${from}`, 'another');
    }
  }
}

function fileDigest(path: string): string {
  const source = fileSource(path);
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += 2 ** 24)
    hash.update(source.read(at, Math.min(2 ** 24, source.size - at)));
  source.close();
  return hash.digest('hex');
}
