/**
 * `.derived`, points computed from a finished proving key that spare its prover two of six transforms:
 *
 *   1 SHA-256 of the `.zkey`, domain size n (u32)      2 D_i, i = 0 … n − 1 (G1)
 *
 * with D = −Eᵀ·H, H the points of section 9 and E the n×n matrix that takes values on the domain to values on the odd
 * coset (ntt.ts). So Σ c_i·D_i = −Σ (E·c)_j·H_j: the part of a proof that the polynomial c stands for. Nothing in the
 * file is secret, and nothing in it is trusted: a reader compares the digest and checks D against H (native/key.hpp).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  type ByteSource,
  expectSectionSize,
  readContainer,
  readSection,
  refuse,
  view,
  writeContainerFile,
} from './container.js';
import { g1Bytes, readG1 } from './points.js';

export const derivedMagic = 'derv';
export const derivedVersion = 1;
export const digestBytes = 32;
const maxDomainSize = 2 ** 24;

export interface DerivedKey {
  /** Of the key it was computed from. */
  readonly zkeyDigest: Uint8Array;
  readonly domainSize: number;
  /** The D points, in file form. */
  readonly points: Uint8Array;
}

/** Where the derived file of a key lies unless it is said otherwise. */
export const derivedPathOf = (zkeyPath: string): string => `${zkeyPath}.derived`;

/** SHA-256 of a file, streamed. */
export async function fileDigest(path: string): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece as Buffer);
  return new Uint8Array(hash.digest());
}

export async function writeDerivedFile(
  path: string,
  { zkeyDigest, domainSize, points }: DerivedKey,
): Promise<void> {
  const header = new Uint8Array(digestBytes + 4);
  header.set(zkeyDigest);
  view(header).setUint32(digestBytes, domainSize, true);
  await writeContainerFile(path, derivedMagic, derivedVersion, [
    { id: 1, pieces: [header] },
    { id: 2, pieces: [points] },
  ]);
}

/** Everything but that the points fit the key, or MalformedFile. */
export function readDerived(source: ByteSource, zkeyDigest: Uint8Array): DerivedKey {
  const where = source.name;
  const container = readContainer(source, {
    magic: derivedMagic,
    versions: [derivedVersion],
    required: [1, 2],
  });
  expectSectionSize(container, 1, digestBytes + 4);
  const header = readSection(container, 1);
  const bound = header.slice(0, digestBytes);
  if (Buffer.compare(bound, zkeyDigest) !== 0)
    refuse(where, 'zkey digest', 'that of the key', "another key's");
  const domainSize = view(header).getUint32(digestBytes, true);
  if (domainSize < 2 || domainSize > maxDomainSize || (domainSize & (domainSize - 1)) !== 0) {
    refuse(where, 'domain size', `a power of two from 2 to ${maxDomainSize}`, `${domainSize}`);
  }
  expectSectionSize(container, 2, domainSize * g1Bytes);
  const points = readSection(container, 2);
  for (let i = 0; i < domainSize; i++) readG1(points, i * g1Bytes, where, `D[${i}]`);
  return { zkeyDigest: bound, domainSize, points };
}
