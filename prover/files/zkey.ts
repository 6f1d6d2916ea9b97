/**
 * `.zkey` (version 1, protocol Groth16), the proving key as snarkjs 0.7 writes it:
 *
 *   1 protocol   2 header and verifying key   3 IC   4 coefficients of A and B   5 A   6 B1   7 B2   8 C   9 H
 *   10 contributions
 *
 * Section 9 is a Lagrange basis on the odd coset, H_j = L^(2n)_(2j+1)(τ)/δ, so its scalars are A·B − C there.
 */
import type { G1Point, G2Point, VerifyingKey } from '../keys.js';
import {
  type ByteSource,
  type Container,
  expectSectionSize,
  readContainer,
  readSection,
  refuse,
  sectionSize,
  view,
  writeContainerFile,
} from './container.js';
import {
  encodeG1,
  encodeG2,
  fieldBytes,
  g1Bytes,
  g2Bytes,
  q,
  r,
  readG1,
  readG2,
  readLittleEndian,
  writeLittleEndian,
} from './points.js';

const magic = 'zkey';
const version = 1;
const groth16 = 1;
/** matrix, row, wire, then the coefficient times R² mod r. */
export const coefficientBytes = 12 + fieldBytes;
const verifyingKeyOffset = 2 * (4 + fieldBytes) + 12;
const headerBytes = verifyingKeyOffset + 3 * g1Bytes + 3 * g2Bytes;
const maxDomainSize = 2 ** 27;

export interface ZkeyHeader {
  readonly wireCount: number;
  readonly publicCount: number;
  readonly domainSize: number;
  readonly alpha1: G1Point;
  readonly beta1: G1Point;
  readonly beta2: G2Point;
  readonly gamma2: G2Point;
  readonly delta1: G1Point;
  readonly delta2: G2Point;
}

/** Points are already in file form (points.ts). */
export interface ZkeyParts {
  readonly header: ZkeyHeader;
  readonly ic: Uint8Array;
  /** The whole of section 4, its count included. */
  readonly coefficients: Iterable<Uint8Array>;
  readonly a: Uint8Array;
  readonly b1: Uint8Array;
  readonly b2: Uint8Array;
  readonly c: Uint8Array;
  readonly h: Uint8Array;
  /** Section 10: the circuit's hash (64 bytes), the number of contributions, the contributions. */
  readonly contributions: Uint8Array;
}

export interface Zkey {
  readonly header: ZkeyHeader;
  readonly verifyingKey: VerifyingKey;
  readonly container: Container;
}

export function encodeZkeyHeader(header: ZkeyHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const words = view(bytes);
  words.setUint32(0, fieldBytes, true);
  writeLittleEndian(bytes, 4, q);
  words.setUint32(4 + fieldBytes, fieldBytes, true);
  writeLittleEndian(bytes, 8 + fieldBytes, r);
  const counts = verifyingKeyOffset - 12;
  words.setUint32(counts, header.wireCount, true);
  words.setUint32(counts + 4, header.publicCount, true);
  words.setUint32(counts + 8, header.domainSize, true);
  let offset = verifyingKeyOffset;
  for (const point of [
    encodeG1(header.alpha1),
    encodeG1(header.beta1),
    encodeG2(header.beta2),
    encodeG2(header.gamma2),
    encodeG1(header.delta1),
    encodeG2(header.delta2),
  ]) {
    bytes.set(point, offset);
    offset += point.length;
  }
  return bytes;
}

export async function writeZkeyFile(path: string, parts: ZkeyParts): Promise<void> {
  const protocol = new Uint8Array([groth16, 0, 0, 0]);
  await writeContainerFile(path, magic, version, [
    { id: 1, pieces: [protocol] },
    { id: 2, pieces: [encodeZkeyHeader(parts.header)] },
    { id: 3, pieces: [parts.ic] },
    { id: 4, pieces: parts.coefficients },
    { id: 5, pieces: [parts.a] },
    { id: 6, pieces: [parts.b1] },
    { id: 7, pieces: [parts.b2] },
    { id: 8, pieces: [parts.c] },
    { id: 9, pieces: [parts.h] },
    { id: 10, pieces: [parts.contributions] },
  ]);
}

/**
 * Header, verifying key and section sizes, all checked; the big sections stay unread. Throws MalformedFile.
 * Cost: a few milliseconds, most of it the three G2 subgroup checks.
 */
export function readZkey(source: ByteSource): Zkey {
  const where = source.name;
  const container = readContainer(source, {
    magic,
    versions: [version],
    required: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  });
  expectSectionSize(container, 1, 4);
  const protocol = view(readSection(container, 1)).getUint32(0, true);
  if (protocol !== groth16) refuse(where, 'protocol', `${groth16} (Groth16)`, `${protocol}`);
  expectSectionSize(container, 2, headerBytes);
  const header = decodeHeader(readSection(container, 2), where);

  const { wireCount, publicCount, domainSize } = header;
  expectSectionSize(container, 3, (publicCount + 1) * g1Bytes);
  expectSectionSize(container, 5, wireCount * g1Bytes);
  expectSectionSize(container, 6, wireCount * g1Bytes);
  expectSectionSize(container, 7, wireCount * g2Bytes);
  expectSectionSize(container, 8, (wireCount - publicCount - 1) * g1Bytes);
  expectSectionSize(container, 9, domainSize * g1Bytes);
  const coefficientCount =
    sectionSize(container, 4) < 4 ? -1 : view(readSection(container, 4, 0, 4)).getUint32(0, true);
  expectSectionSize(container, 4, 4 + coefficientCount * coefficientBytes);

  const icBytes = readSection(container, 3);
  const ic = Array.from({ length: publicCount + 1 }, (_, i) =>
    readG1(icBytes, i * g1Bytes, where, `IC[${i}]`),
  );
  return {
    header,
    verifyingKey: {
      alpha: header.alpha1,
      beta: header.beta2,
      gamma: header.gamma2,
      delta: header.delta2,
      ic,
    },
    container,
  };
}

function decodeHeader(bytes: Uint8Array, where: string): ZkeyHeader {
  const words = view(bytes);
  const qBytes = words.getUint32(0, true);
  if (qBytes !== fieldBytes) refuse(where, 'size of q', `${fieldBytes}`, `${qBytes}`);
  if (readLittleEndian(bytes, 4) !== q) refuse(where, 'q', 'the BN254 base field order', 'another curve');
  const rBytes = words.getUint32(4 + fieldBytes, true);
  if (rBytes !== fieldBytes) refuse(where, 'size of r', `${fieldBytes}`, `${rBytes}`);
  if (readLittleEndian(bytes, 8 + fieldBytes) !== r)
    refuse(where, 'r', 'the BN254 scalar field order', 'another curve');
  const counts = verifyingKeyOffset - 12;
  const wireCount = words.getUint32(counts, true);
  const publicCount = words.getUint32(counts + 4, true);
  const domainSize = words.getUint32(counts + 8, true);
  if (publicCount >= wireCount)
    refuse(where, 'public count', `below the wire count ${wireCount}`, `${publicCount}`);
  if (domainSize < 2 || domainSize > maxDomainSize || (domainSize & (domainSize - 1)) !== 0) {
    refuse(where, 'domain size', `a power of two from 2 to ${maxDomainSize}`, `${domainSize}`);
  }
  let offset = verifyingKeyOffset;
  const g1 = (what: string): G1Point => {
    const point = readG1(bytes, offset, where, what);
    offset += g1Bytes;
    return point;
  };
  const g2 = (what: string): G2Point => {
    const point = readG2(bytes, offset, where, what);
    offset += g2Bytes;
    return point;
  };
  return {
    wireCount,
    publicCount,
    domainSize,
    alpha1: g1('alpha1'),
    beta1: g1('beta1'),
    beta2: g2('beta2'),
    gamma2: g2('gamma2'),
    delta1: g1('delta1'),
    delta2: g2('delta2'),
  };
}

const coefficientsAtOnce = 2 ** 16;

/** Every entry of section 4 names an existing row and wire and a canonical value, or MalformedFile. */
export function checkCoefficients({ container, header }: Zkey): void {
  const where = container.source.name;
  const size = sectionSize(container, 4);
  const limbs = [24, 16, 8, 0].map((shift) => (r >> BigInt(8 * shift)) & 0xffff_ffff_ffff_ffffn);
  for (let from = 4; from < size; from += coefficientsAtOnce * coefficientBytes) {
    const bytes = readSection(
      container,
      4,
      from,
      Math.min(coefficientsAtOnce * coefficientBytes, size - from),
    );
    const words = view(bytes);
    for (let at = 0; at < bytes.length; at += coefficientBytes) {
      const matrix = words.getUint32(at, true);
      const row = words.getUint32(at + 4, true);
      const wire = words.getUint32(at + 8, true);
      const number = (from - 4 + at) / coefficientBytes;
      if (matrix > 1) refuse(where, `matrix of coefficient ${number}`, '0 or 1', `${matrix}`);
      if (row >= header.domainSize)
        refuse(where, `row of coefficient ${number}`, `below ${header.domainSize}`, `${row}`);
      if (wire >= header.wireCount)
        refuse(where, `wire of coefficient ${number}`, `below ${header.wireCount}`, `${wire}`);
      const top = words.getBigUint64(at + 12 + 24, true);
      if (top > limbs[0] || (top === limbs[0] && readLittleEndian(bytes, at + 12) >= r)) {
        refuse(where, `value of coefficient ${number}`, 'below r', 'a larger number');
      }
    }
  }
}
