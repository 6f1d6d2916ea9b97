/**
 * Checks a phase-2 key against the circuit and the powers it claims, or one contribution against the key it was
 * built on. What may change with a contribution is δ, C and H; everything else must be the same bytes.
 */
import type { R1cs } from '../circuits/r1cs/r1cs.js';
import { InvalidCeremony } from './ceremony-error.js';
import { g1Generator, g2Generator } from './curve.js';
import { fileSource, readSection } from './files/container.js';
import {
  encodeKeyContributions,
  type KeyContribution,
  type KeyContributions,
  readKeyContributions,
} from './files/contribution.js';
import { encodeG1, fieldBytes, readG1 } from './files/points.js';
import { readZkey, type ZkeyHeader } from './files/zkey.js';
import { checkVerifyingKey } from './key-check.js';
import { type Kernels, scalarBytes } from './kernels.js';
import type { G1Point, G2Point, VerifyingKey } from './keys.js';
import { type InitialKey, initialKey } from './initial-key.js';
import { beaconSecret, contributionHash, keyTranscript } from './phase2.js';
import type { CeremonyOptions } from './ptau.js';
import { randomWeights } from './random-weights.js';
import { isSameRatio } from './same-ratio.js';
import { hashToG2 } from './seeded.js';
import { selectKernels } from './select.js';

export interface KeyReport {
  readonly circuitHash: string;
  readonly verifyingKey: VerifyingKey;
  readonly contributions: readonly ContributionReport[];
}

export interface ContributionReport {
  readonly name: string;
  /** Hex of the hash the contributor saw. */
  readonly hash: string;
  readonly beacon: { readonly value: string; readonly iterationsExponent: number } | null;
}

/** The parts of a key that checks compare. */
interface KeyView {
  readonly where: string;
  readonly header: ZkeyHeader;
  readonly contributions: KeyContributions;
  section(id: number): Uint8Array;
}

/**
 * The whole chain, from the circuit and the powers of tau to the finished key. The powers must have been verified
 * (verifyPtau). Throws MalformedFile, InvalidCeremony, UnsafeVerifyingKey.
 */
export async function verifyKey(
  r1cs: R1cs,
  ptauPath: string,
  zkeyPath: string,
  options: CeremonyOptions = {},
): Promise<KeyReport> {
  const { onProgress, kernels = selectKernels().kernels } = options;
  const initial = await initialKey(r1cs, ptauPath, {
    kernels,
    onProgress: (share, step) => onProgress?.(0.6 * share, step),
  });
  return verifyKeyFrom(initial, zkeyPath, { ...options, kernels });
}

/** The same when the initial key is at hand already. */
export async function verifyKeyFrom(
  initial: InitialKey,
  zkeyPath: string,
  { onProgress, kernels = selectKernels().kernels }: CeremonyOptions = {},
): Promise<KeyReport> {
  return withKey(zkeyPath, async (key) => {
    if (key.contributions.contributions.length === 0) {
      fail(zkeyPath, 'contributions', 'at least one', 'none: gamma equals delta and anyone can forge');
    }
    await checkBuiltOn(viewOf(initial), key, kernels);
    onProgress?.(1, 'done');
    return report(key, kernels);
  });
}

/** One new contribution on top of a key that was verified before: what a coordinator checks on receipt. */
export async function verifyContribution(
  headPath: string,
  nextPath: string,
  { kernels = selectKernels().kernels }: CeremonyOptions = {},
): Promise<ContributionReport> {
  return withKey(headPath, (head) =>
    withKey(nextPath, async (next) => {
      const added = next.contributions.contributions.length - head.contributions.contributions.length;
      if (added !== 1) fail(nextPath, 'contributions', 'one more than the head', `${added} more`);
      await checkBuiltOn(head, next, kernels);
      return (await report(next, kernels)).contributions.at(-1)!;
    }),
  );
}

/** What a finished key says of itself; nothing is verified beyond the format. */
export const describeKey = (
  zkeyPath: string,
  { kernels = selectKernels().kernels }: CeremonyOptions = {},
): Promise<KeyReport> => withKey(zkeyPath, (key) => report(key, kernels));

async function withKey<T>(path: string, use: (key: KeyView) => Promise<T>): Promise<T> {
  const source = fileSource(path);
  try {
    const { container, header } = readZkey(source);
    return await use({
      where: path,
      header,
      contributions: readKeyContributions(readSection(container, 10), path),
      section: (id) => readSection(container, id),
    });
  } finally {
    source.close();
  }
}

function viewOf({ parts, circuitHash }: InitialKey): KeyView {
  const sections = new Map(
    [3, 5, 6, 7, 8, 9].map((id, i) => [id, [parts.ic, parts.a, parts.b1, parts.b2, parts.c, parts.h][i]]),
  );
  return {
    where: 'initial key',
    header: parts.header,
    contributions: { circuitHash, contributions: [] },
    section: (id) => (id === 4 ? Buffer.concat([...parts.coefficients]) : sections.get(id)!),
  };
}

function fail(where: string, what: string, expected: string, got: string): never {
  throw new InvalidCeremony(where, what, expected, got);
}

const sectionNames: Readonly<Record<number, string>> = {
  3: 'IC',
  4: 'coefficients',
  5: 'A',
  6: 'B1',
  7: 'B2',
};

async function checkBuiltOn(base: KeyView, key: KeyView, kernels: Kernels): Promise<void> {
  const { where } = key;
  for (const name of ['wireCount', 'publicCount', 'domainSize'] as const) {
    if (base.header[name] !== key.header[name])
      fail(where, name, `${base.header[name]}`, `${key.header[name]}`);
  }
  for (const name of ['alpha1', 'beta1', 'beta2', 'gamma2'] as const) {
    if (!same(base.header[name], key.header[name])) fail(where, name, 'that of the powers of tau', 'another');
  }
  if (Buffer.compare(base.contributions.circuitHash, key.contributions.circuitHash) !== 0) {
    fail(where, 'circuit hash', 'that of this circuit on these powers', 'another');
  }
  for (const [id, name] of Object.entries(sectionNames)) {
    if (Buffer.compare(base.section(Number(id)), key.section(Number(id))) !== 0) {
      fail(where, `section ${id} (${name})`, 'unchanged', 'changed');
    }
  }
  await checkChain(base, key, kernels);
  await checkDelta(base, key, kernels);
  checkVerifyingKey(await verifyingKeyOf(key), key.header.publicCount);
}

/** Every contribution beyond the base's binds all before it, proves its secret and moves δ by it. */
async function checkChain(base: KeyView, key: KeyView, kernels: Kernels): Promise<void> {
  const { circuitHash, contributions } = key.contributions;
  const start = base.contributions.contributions.length;
  if (contributions.length < start)
    fail(key.where, 'contributions', `at least the ${start} of the head`, `${contributions.length}`);
  for (let i = 0; i < start; i++) {
    // All of the record: its hash leaves out name and beacon, and a beacon set afterwards would fail the finished key.
    const [before, after] = [base.contributions.contributions[i], contributions[i]].map((one) =>
      encodeKeyContributions({ circuitHash, contributions: [one] }),
    );
    if (Buffer.compare(before, after) !== 0)
      fail(key.where, `contribution ${i + 1}`, 'that of the head', 'another');
  }
  let delta = base.header.delta1;
  for (let i = start; i < contributions.length; i++) {
    const where = `${key.where}: contribution ${i + 1}`;
    await checkContribution(
      where,
      delta,
      contributions[i],
      { circuitHash, contributions: contributions.slice(0, i) },
      kernels,
    );
    delta = contributions[i].deltaAfter;
  }
  if (!same(delta, key.header.delta1))
    fail(key.where, 'delta·G1', 'that of the last contribution', 'another');
}

async function checkContribution(
  where: string,
  deltaBefore: G1Point,
  contribution: KeyContribution,
  before: KeyContributions,
  kernels: Kernels,
): Promise<void> {
  const { deltaAfter, g1s, g1sx, g2spx, transcript, beacon } = contribution;
  const expected = await keyTranscript(before, contribution, kernels);
  if (Buffer.compare(expected, transcript) !== 0)
    fail(where, 'transcript', 'the hash of everything before it', 'another');
  const hashed = hashToG2(transcript);
  if (same(g1s, g1sx)) fail(where, 'secret', 'not 1', '1: nothing was contributed');
  if (!isSameRatio([g1s, g1sx], [hashed, g2spx]))
    fail(where, 'key', 'a proof of knowledge of the secret', 'an invalid one');
  if (!isSameRatio([deltaBefore, deltaAfter], [hashed, g2spx])) {
    fail(where, 'delta·G1', 'the one before times the secret', 'another');
  }
  if (beacon === null) return;
  const made = beaconSecret(beacon);
  const image = readG1(
    await kernels.multiplyEach('g1', encodeG1(made.g1s), made.secret, oneScalar),
    0,
    where,
    'beacon',
  );
  if (!same(made.g1s, g1s) || !same(image, g1sx)) fail(where, 'key', 'the one its beacon makes', 'another');
}

const oneScalar = scalarBytes([1n]);

/** δ agrees in both groups, and C and H were divided by exactly what δ was multiplied by. */
async function checkDelta(base: KeyView, key: KeyView, kernels: Kernels): Promise<void> {
  const { where } = key;
  if (!isSameRatio([g1Generator, key.header.delta1], [g2Generator, key.header.delta2])) {
    fail(where, 'delta·G2', 'the delta of delta·G1', 'another');
  }
  for (const [id, name] of [
    [8, 'C'],
    [9, 'H'],
  ] as const) {
    const [before, after] = [base.section(id), key.section(id)];
    if (before.length !== after.length)
      fail(where, `size of section ${id} (${name})`, `${before.length}`, `${after.length}`);
    const foreign = await kernels.firstForeign('g1', after);
    if (foreign !== null)
      fail(where, `point ${foreign} of section ${id} (${name})`, 'a point of g1', 'a foreign one');
    const weights = randomWeights(after.length / (2 * fieldBytes));
    const [low, high] = [
      await kernels.weightedSum('g1', after, weights),
      await kernels.weightedSum('g1', before, weights),
    ];
    const isEmpty = [low, high].every((sum) => sum.every((byte) => byte === 0));
    if (isEmpty) continue;
    if ([low, high].some((sum) => sum.every((byte) => byte === 0)))
      fail(where, `section ${id} (${name})`, 'the one before over the secret', 'another');
    const points = [low, high].map((sum) => readG1(sum, 0, where, name)) as [G1Point, G1Point];
    if (!isSameRatio(points, [base.header.delta2, key.header.delta2])) {
      fail(where, `section ${id} (${name})`, 'the one before over the secret', 'another');
    }
  }
}

const same = (a: G1Point | G2Point, b: G1Point | G2Point): boolean =>
  a.flat().every((c, i) => c === b.flat()[i]);

async function verifyingKeyOf(key: KeyView): Promise<VerifyingKey> {
  const { header } = key;
  const bytes = key.section(3);
  return {
    ...{ alpha: header.alpha1, beta: header.beta2, gamma: header.gamma2, delta: header.delta2 },
    ic: Array.from({ length: header.publicCount + 1 }, (_, i) =>
      readG1(bytes, i * 2 * fieldBytes, key.where, `IC[${i}]`),
    ),
  };
}

async function report(key: KeyView, kernels: Kernels): Promise<KeyReport> {
  const contributions: ContributionReport[] = [];
  for (const contribution of key.contributions.contributions) {
    const { name, beacon } = contribution;
    contributions.push({
      name,
      hash: hex(await contributionHash(contribution, kernels)),
      beacon: beacon && { value: hex(beacon.value), iterationsExponent: beacon.iterationsExponent },
    });
  }
  return {
    circuitHash: hex(key.contributions.circuitHash),
    verifyingKey: await verifyingKeyOf(key),
    contributions,
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
