/**
 * A contributor who cheats with care: everything that follows from the lie is recomputed, so that nothing but the one
 * check against that lie can find it. Mutants of single fields (key-mutants.ts) break many things at once.
 */
import {
  encodeKeyContributions,
  type KeyContribution,
  readKeyContributions,
} from '../../prover/files/contribution.js';
import { fileSource, readSection } from '../../prover/files/container.js';
import { encodeG1, encodeG2, readG1, readG2 } from '../../prover/files/points.js';
import { readZkey, writeZkeyFile } from '../../prover/files/zkey.js';
import { one } from '../../prover/contribution-secret.js';
import { g1Generator, g2Generator } from '../../prover/curve.js';
import { scalarBytes } from '../../prover/kernels.js';
import type { G1Point, G2Point } from '../../prover/keys.js';
import { beaconSecret, keyTranscript } from '../../prover/phase2.js';
import { hashToG2 } from '../../prover/seeded.js';
import { selectKernels } from '../../prover/select.js';

const secret = 123_456_789_012_345_678_901_234_567_890n;
const other = 987_654_321_098_765_432_109_876_543_210n;

/** Which secret each part is made with; an honest contribution has one for all. */
export interface Lie {
  readonly secret?: bigint;
  /** x·s·G1 and x·H of the proof of knowledge. */
  readonly shownInG1?: bigint;
  readonly shownInG2?: bigint;
  /** δ·G1, as recorded and in the key. */
  readonly recordedDelta?: bigint;
  readonly delta1?: bigint;
  readonly delta2?: bigint;
  readonly c?: bigint;
  readonly h?: bigint;
  /** Forgets what all before contributed. */
  readonly restart?: boolean;
  /** Binds the proof to another past than the recorded one. */
  readonly otherPast?: boolean;
  /** Says that a beacon made it. */
  readonly beacon?: KeyContribution['beacon'];
  /** Changes in the record of the first contributor, as if it had always been so. */
  readonly firstContributor?: Partial<KeyContribution>;
}

/** Each lie, and the check that must find it. */
export const lies: readonly { readonly name: string; readonly lie: Lie; readonly found: RegExp }[] = [
  { name: 'a secret of 1', lie: { secret: 1n }, found: /secret must be not 1/ },
  {
    name: 'a proof of knowledge of another secret in G1',
    lie: { shownInG1: other },
    found: /key must be a proof of knowledge of the secret/,
  },
  {
    name: 'δ moved by another secret than the proven one',
    lie: { shownInG1: other, shownInG2: other },
    found: /delta·G1 must be the one before times the secret/,
  },
  {
    name: 'δ started again from the generator',
    lie: { restart: true },
    found: /delta·G1 must be the one before times the secret/,
  },
  {
    name: 'the key’s δ is not the recorded one',
    lie: { delta1: other, delta2: other, c: other, h: other },
    found: /delta·G1 must be that of the last contribution/,
  },
  { name: 'another δ in G2', lie: { delta2: other }, found: /delta·G2 must be the delta of delta·G1/ },
  {
    name: 'C divided by another secret',
    lie: { c: other },
    found: /section 8 \(C\) must be the one before over the secret/,
  },
  { name: 'C as it was', lie: { c: 1n }, found: /section 8 \(C\) must be the one before over the secret/ },
  {
    name: 'H divided by another secret',
    lie: { h: other },
    found: /section 9 \(H\) must be the one before over the secret/,
  },
  { name: 'H as it was', lie: { h: 1n }, found: /section 9 \(H\) must be the one before over the secret/ },
  {
    name: 'another past',
    lie: { otherPast: true },
    found: /transcript must be the hash of everything before it/,
  },
  {
    name: 'said to be a beacon’s',
    lie: { beacon: { value: Uint8Array.of(1, 2, 3), iterationsExponent: 10 } },
    found: /key must be the one its beacon makes/,
  },
];

/** Writes the head's key with one more contribution, made with the lie; without one it is honest. */
export async function forgeContribution(from: string, to: string, lie: Lie = {}): Promise<void> {
  const { kernels } = selectKernels();
  const x = lie.secret ?? secret;
  const bytes = (value: bigint | undefined): Uint8Array => scalarBytes([value ?? x]);
  const times1 = async (p: G1Point, k: Uint8Array): Promise<G1Point> =>
    readG1(await kernels.multiplyEach('g1', encodeG1(p), k, one), 0, to, 'point');
  const times2 = async (p: G2Point, k: Uint8Array): Promise<G2Point> =>
    readG2(await kernels.multiplyEach('g2', encodeG2(p), k, one), 0, to, 'point');
  const source = fileSource(from);
  try {
    const zkey = readZkey(source);
    const section = (id: number): Uint8Array => readSection(zkey.container, id);
    const found = readKeyContributions(section(10), from);
    const contributions = found.contributions.map((made, i) =>
      i === 0 ? { ...made, ...lie.firstContributor } : made,
    );
    const before = { ...found, contributions };
    const g1s = lie.beacon ? beaconSecret(lie.beacon).g1s : await times1(g1Generator, bytes(77n));
    const g1sx = await times1(g1s, bytes(lie.shownInG1));
    const past = lie.otherPast ? { ...before, contributions: before.contributions.slice(1) } : before;
    const transcript = await keyTranscript(past, { g1s, g1sx }, kernels);
    const g2spx = await times2(hashToG2(transcript), bytes(lie.shownInG2));
    const [base1, base2] = lie.restart
      ? [g1Generator, g2Generator]
      : [zkey.header.delta1, zkey.header.delta2];
    const contribution: KeyContribution = {
      deltaAfter: await times1(base1, bytes(lie.recordedDelta)),
      ...{ g1s, g1sx, g2spx, transcript, name: 'careful', beacon: lie.beacon ?? null },
    };
    const over = async (id: number, k: bigint | undefined): Promise<Uint8Array> =>
      kernels.multiplyEach('g1', section(id), await kernels.invert(bytes(k)), one);
    await writeZkeyFile(to, {
      header: {
        ...zkey.header,
        delta1: await times1(base1, bytes(lie.delta1)),
        delta2: await times2(base2, bytes(lie.delta2)),
      },
      ...{ ic: section(3), coefficients: [section(4)], a: section(5), b1: section(6), b2: section(7) },
      ...{ c: await over(8, lie.c), h: await over(9, lie.h) },
      contributions: encodeKeyContributions({
        circuitHash: before.circuitHash,
        contributions: [...before.contributions, contribution],
      }),
    });
  } finally {
    source.close();
  }
}
