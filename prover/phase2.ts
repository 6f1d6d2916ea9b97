/**
 * Phase 2 (eprint 2017/1050, §6): contributions multiply δ, divide C and H by the same secret, and prove that they knew
 * it. Files and hashes are snarkjs's, so `snarkjs zkey contribute / beacon / verify` work on ours and ours on theirs.
 */
import { blake2b, ResumableBlake2b } from './blake2b.js';
import { drawScalar, type KnowledgeProof, one, proveKnowledge } from './contribution-secret.js';
import { fileSource, readSection } from './files/container.js';
import {
  type Beacon,
  encodeKeyContributions,
  type KeyContribution,
  type KeyContributions,
  readKeyContributions,
} from './files/contribution.js';
import { encodeG1, encodeG2, readG1, readG2 } from './files/points.js';
import { readZkey, writeZkeyFile, type Zkey } from './files/zkey.js';
import { type Kernels, scalarBytes } from './kernels.js';
import type { G1Point } from './keys.js';
import { checkBeacon, type CeremonyOptions, type Contributor } from './ptau.js';
import { beaconGenerator } from './seeded.js';
import { selectKernels } from './select.js';

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
