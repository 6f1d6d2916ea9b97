/**
 * `.ptau` (version 1), powers of tau as snarkjs writes them:
 *
 *   1 header   2 τⁱ·G1 (2^(p+1) − 1)   3 τⁱ·G2 (2^p)   4 ατⁱ·G1   5 βτⁱ·G1   6 β·G2   7 contributions
 *   prepared:  12 … 15 the Lagrange bases of sections 2 … 5, for every power 0 … p one after another (12 also p + 1)
 */
import type { G1Point, G2Point } from '../keys.js';
import {
  type ByteSource,
  type Container,
  expectSectionSize,
  readContainer,
  readSection,
  refuse,
  view,
} from './container.js';
import { ByteReader, ByteWriter } from './byte-stream.js';
import { digestBytes, partialHashBytes } from '../blake2b.js';
import { fieldBytes, g1Bytes, g2Bytes, q, readLittleEndian, writeLittleEndian } from './points.js';
import { type ContributionParameters, readParameters, writeParameters } from './contribution.js';

export const ptauMagic = 'ptau';
export const ptauVersion = 1;
const maxPower = 27;

/** One secret's public key: s·G1 of a random s, x·s·G1, and x·H for H hashed from the challenge and these two. */
export interface SecretKeyProof {
  readonly g1s: G1Point;
  readonly g1sx: G1Point;
  readonly g2spx: G2Point;
}

export interface PtauContribution extends ContributionParameters {
  /** The accumulator after this contribution. */
  readonly tauG1: G1Point;
  readonly tauG2: G2Point;
  readonly alphaG1: G1Point;
  readonly betaG1: G1Point;
  readonly betaG2: G2Point;
  readonly tau: SecretKeyProof;
  readonly alpha: SecretKeyProof;
  readonly beta: SecretKeyProof;
  /** The response hash before the keys went in (blake2b.ts). */
  readonly partialHash: Uint8Array;
  readonly nextChallenge: Uint8Array;
}

export interface Ptau {
  readonly container: Container;
  /** 2^power points. */
  readonly power: number;
  /** Power of the ceremony; larger when the file was truncated. */
  readonly ceremonyPower: number;
  readonly isPrepared: boolean;
  readonly contributions: readonly PtauContribution[];
}

/** Points of the sections 2 … 6. */
export const pointCounts = (power: number): readonly { id: number; group: 'g1' | 'g2'; count: number }[] => [
  { id: 2, group: 'g1', count: 2 ** (power + 1) - 1 },
  { id: 3, group: 'g2', count: 2 ** power },
  { id: 4, group: 'g1', count: 2 ** power },
  { id: 5, group: 'g1', count: 2 ** power },
  { id: 6, group: 'g2', count: 1 },
];

/** The Lagrange section of each monomial section, and its largest power above the file's. */
export const lagrangeSections = [
  { from: 2, id: 12, group: 'g1', extra: 1 },
  { from: 3, id: 13, group: 'g2', extra: 0 },
  { from: 4, id: 14, group: 'g1', extra: 0 },
  { from: 5, id: 15, group: 'g1', extra: 0 },
] as const;

/** Header, contributions and section sizes, checked; the point sections stay unread. Throws MalformedFile. */
export function readPtau(source: ByteSource): Ptau {
  const where = source.name;
  const container = readContainer(source, {
    magic: ptauMagic,
    versions: [ptauVersion],
    required: [1, 2, 3, 4, 5, 6, 7],
    optional: [12, 13, 14, 15],
  });
  expectSectionSize(container, 1, 4 + fieldBytes + 8);
  const header = readSection(container, 1);
  const words = view(header);
  if (words.getUint32(0, true) !== fieldBytes)
    refuse(where, 'size of q', `${fieldBytes}`, `${words.getUint32(0, true)}`);
  if (readLittleEndian(header, 4) !== q) refuse(where, 'q', 'the BN254 base field order', 'another curve');
  const power = words.getUint32(4 + fieldBytes, true);
  const ceremonyPower = words.getUint32(8 + fieldBytes, true);
  if (power < 1 || power > maxPower) refuse(where, 'power', `1 to ${maxPower}`, `${power}`);
  if (ceremonyPower < power || ceremonyPower > 28)
    refuse(where, 'ceremony power', `${power} to 28`, `${ceremonyPower}`);
  const bytesOf = { g1: g1Bytes, g2: g2Bytes };
  for (const { id, group, count } of pointCounts(power))
    expectSectionSize(container, id, count * bytesOf[group]);
  const present = lagrangeSections.filter(({ id }) => container.sections.has(id));
  if (present.length !== 0 && present.length !== 4) {
    refuse(
      where,
      'Lagrange sections',
      'all of 12, 13, 14, 15 or none',
      present.map(({ id }) => id).join(', '),
    );
  }
  for (const { id, group, extra } of present) {
    expectSectionSize(container, id, (2 ** (power + 1 + extra) - 1) * bytesOf[group]);
  }
  return {
    container,
    power,
    ceremonyPower,
    isPrepared: present.length === 4,
    contributions: readContributions(readSection(container, 7), where),
  };
}

export function encodePtauHeader(power: number): Uint8Array {
  const header = new Uint8Array(4 + fieldBytes + 8);
  view(header).setUint32(0, fieldBytes, true);
  writeLittleEndian(header, 4, q);
  view(header).setUint32(4 + fieldBytes, power, true);
  view(header).setUint32(8 + fieldBytes, power, true);
  return header;
}

function readContributions(bytes: Uint8Array, where: string): PtauContribution[] {
  const reader = new ByteReader(bytes, where);
  const count = reader.uint32('contribution count');
  const contributions: PtauContribution[] = [];
  for (let i = 1; i <= count; i++) {
    const name = (what: string): string => `${what} of contribution ${i}`;
    const g1 = (what: string): G1Point => reader.g1(name(what));
    const g2 = (what: string): G2Point => reader.g2(name(what));
    const [tauG1, tauG2, alphaG1] = [g1('tau·G1'), g2('tau·G2'), g1('alpha·G1')] as const;
    const [betaG1, betaG2] = [g1('beta·G1'), g2('beta·G2')] as const;
    const pairs = ['tau', 'alpha', 'beta'].map(
      (key) => [g1(`s·G1 (${key})`), g1(`x·s·G1 (${key})`)] as const,
    );
    const spx = ['tau', 'alpha', 'beta'].map((key) => g2(`x·H (${key})`));
    const key = (k: number): SecretKeyProof => ({ g1s: pairs[k][0], g1sx: pairs[k][1], g2spx: spx[k] });
    contributions.push({
      ...{ tauG1, tauG2, alphaG1, betaG1, betaG2 },
      ...{ tau: key(0), alpha: key(1), beta: key(2) },
      partialHash: reader.bytes(partialHashBytes, name('partial hash')),
      nextChallenge: reader.bytes(digestBytes, name('next challenge')),
      ...readParameters(reader, name('parameters')),
    });
  }
  reader.end('contributions');
  return contributions;
}

export function encodePtauContributions(contributions: readonly PtauContribution[]): Uint8Array {
  const writer = new ByteWriter().uint32(contributions.length);
  for (const c of contributions) {
    writer.g1(c.tauG1).g2(c.tauG2).g1(c.alphaG1).g1(c.betaG1).g2(c.betaG2);
    const keys = [c.tau, c.alpha, c.beta];
    for (const { g1s, g1sx } of keys) writer.g1(g1s).g1(g1sx);
    for (const { g2spx } of keys) writer.g2(g2spx);
    writer.bytes(c.partialHash).bytes(c.nextChallenge);
    writeParameters(writer, c);
  }
  return writer.finish();
}
