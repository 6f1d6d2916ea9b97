/**
 * Powers of tau that cheat with care. Every point stays a valid point of its group and every proof that a lie allows is
 * made, so that each lie is found by the one check that is against it.
 */
import { one } from '../../prover/contribution-secret.js';
import { g1Generator, g2Generator } from '../../prover/curve.js';
import { encodeContainer, memorySource, readSection } from '../../prover/files/container.js';
import { encodeG1, encodeG2, readG1, readG2 } from '../../prover/files/points.js';
import {
  encodePtauContributions,
  type PtauContribution,
  readPtau,
  type SecretKeyProof,
} from '../../prover/files/ptau.js';
import { pointBytes, scalarBytes } from '../../prover/kernels.js';
import type { G1Point, G2Point } from '../../prover/keys.js';
import { firstChallenge, keyChallenge } from '../../prover/ptau.js';
import { hashToG2 } from '../../prover/seeded.js';
import { selectKernels } from '../../prover/select.js';

export interface PtauLie {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly found: RegExp;
}

const mine = 1_122_334_455_667_788_990_011n;
const other = 9_988_776_655_443_322_110_099n;

/** @param file prepared, with one contribution */
export async function ptauLies(file: Uint8Array): Promise<PtauLie[]> {
  const { kernels } = selectKernels();
  const { container, contributions, power } = readPtau(memorySource(file));
  const [honest] = contributions as [PtauContribution];
  const ids = [...container.sections.keys()];
  const lies: PtauLie[] = [];
  const put = (name: string, id: number, section: Uint8Array, found: RegExp): void => {
    const bytes = encodeContainer(
      'ptau',
      1,
      ids.map((other) => ({ id: other, pieces: [other === id ? section : readSection(container, other)] })),
    );
    lies.push({ name, bytes, found });
  };

  for (const [id, group] of [
    [2, 'g1'],
    [3, 'g2'],
    [4, 'g1'],
    [5, 'g1'],
  ] as const) {
    const section = readSection(container, id);
    put(
      `two powers of section ${id} swapped`,
      id,
      swapped(section, 2, pointBytes[group]),
      new RegExp(`section ${id} must be powers of tau`),
    );
  }
  for (const [id, group] of [
    [4, 'g1'],
    [5, 'g1'],
    [6, 'g2'],
  ] as const) {
    const section = readSection(container, id).slice();
    section.set(group === 'g1' ? encodeG1(g1Generator) : encodeG2(g2Generator));
    put(
      `section ${id} starts at the generator`,
      id,
      section,
      new RegExp(`first point of section ${id} must be that of`),
    );
  }
  for (const [id, group] of [
    [12, 'g1'],
    [13, 'g2'],
    [14, 'g1'],
    [15, 'g1'],
  ] as const) {
    // Two Lagrange points of power 3.
    const section = swapped(readSection(container, id), 2 ** 3, pointBytes[group]);
    put(
      `two Lagrange points of section ${id} swapped`,
      id,
      section,
      new RegExp(`section ${id}, power 3 must be the transform`),
    );
  }

  const chain = (name: string, change: Partial<PtauContribution>, found: RegExp): void =>
    put(name, 7, encodePtauContributions([{ ...honest, ...change }]), found);
  const start = await firstChallenge(power, kernels);
  const times1 = async (p: G1Point, k: bigint): Promise<G1Point> =>
    readG1(await kernels.multiplyEach('g1', encodeG1(p), scalarBytes([k]), one), 0, 'ptau', 'point');
  const times2 = async (p: G2Point, k: bigint): Promise<G2Point> =>
    readG2(await kernels.multiplyEach('g2', encodeG2(p), scalarBytes([k]), one), 0, 'ptau', 'point');
  /** A proof of knowledge of `inG2`, shown with `inG1` in the first group; honest where they are the same. */
  const prove = async (index: number, inG1: bigint, inG2 = inG1): Promise<SecretKeyProof> => {
    const g1s = await times1(g1Generator, 55n);
    const g1sx = await times1(g1s, inG1);
    const base = hashToG2(await keyChallenge(kernels, index, start, g1s, g1sx));
    return { g1s, g1sx, g2spx: await times2(base, inG2) };
  };
  const [elsewhere1, elsewhere2] = [await times1(g1Generator, other), await times2(g2Generator, other)];
  for (const [index, name] of (['tau', 'alpha', 'beta'] as const).entries()) {
    chain(
      `${name}: a secret of 1`,
      { [name]: await prove(index, 1n) },
      new RegExp(`${name} secret must be not 1`),
    );
    chain(
      `${name}: a proof of another secret`,
      { [name]: await prove(index, other, mine) },
      new RegExp(`${name} key must be a proof of knowledge`),
    );
    chain(
      `${name}: moved by another secret than the proven one`,
      { [name]: await prove(index, mine) },
      new RegExp(`${name}·G1 must be the one before times`),
    );
    chain(
      `${name}·G1 elsewhere`,
      { [`${name}G1`]: elsewhere1 },
      new RegExp(`${name}·G1 must be the one before times`),
    );
    if (name !== 'alpha')
      chain(
        `${name}·G2 elsewhere`,
        { [`${name}G2`]: elsewhere2 },
        new RegExp(`${name}·G2 must be the one before times`),
      );
  }
  const flipped = honest.nextChallenge.slice();
  flipped[0]! ^= 1;
  chain(
    'another next challenge',
    { nextChallenge: flipped },
    /next challenge of the last contribution must be the hash/,
  );
  chain(
    'said to be a beacon’s',
    { beacon: { value: Uint8Array.of(1, 2, 3), iterationsExponent: 10 } },
    /key must be the one its beacon makes/,
  );
  return lies;
}

/** A copy with the point at `index` and the next one changed for each other. */
function swapped(section: Uint8Array, index: number, size: number): Uint8Array {
  const copy = section.slice();
  const [low, high] = [index * size, (index + 1) * size];
  copy.set(section.subarray(high, high + size), low);
  copy.set(section.subarray(low, low + size), high);
  return copy;
}
