/** `.wtns` (version 2): section 1 is field size, prime, count; section 2 the values, 32 bytes little-endian each. */
import type { CompactWitness } from '../../circuits/r1cs/r1cs.js';
import {
  type ByteSource,
  encodeContainer,
  expectSectionSize,
  readContainer,
  readSection,
  refuse,
  view,
  writeContainerFile,
} from './container.js';
import { fieldBytes, r, readLittleEndian, writeLittleEndian } from './points.js';

const magic = 'wtns';
const version = 2;

/** 32 bytes little-endian a wire, canonical. */
export function expandWitness(witness: CompactWitness): Uint8Array {
  const { small, largeWires, largeValues } = witness;
  const bytes = new Uint8Array(small.length * fieldBytes);
  const words = new DataView(bytes.buffer);
  for (let wire = 0; wire < small.length; wire++) {
    const value = small[wire];
    if (value >= 0) words.setUint32(wire * fieldBytes, value, true);
    else writeLittleEndian(bytes, wire * fieldBytes, r + BigInt(value));
  }
  largeWires.forEach((wire, i) => {
    bytes.set(largeValues.subarray(i * fieldBytes, (i + 1) * fieldBytes), wire * fieldBytes);
  });
  return bytes;
}

const sections = (witness: CompactWitness) => {
  const header = new Uint8Array(4 + fieldBytes + 4);
  view(header).setUint32(0, fieldBytes, true);
  writeLittleEndian(header, 4, r);
  view(header).setUint32(4 + fieldBytes, witness.small.length, true);
  return [
    { id: 1, pieces: [header] },
    { id: 2, pieces: [expandWitness(witness)] },
  ];
};

export const encodeWitness = (witness: CompactWitness): Uint8Array =>
  encodeContainer(magic, version, sections(witness));

export const writeWitnessFile = (path: string, witness: CompactWitness): void =>
  writeContainerFile(path, magic, version, sections(witness));

/** Throws MalformedFile unless every value is canonical and wire 0 is 1. */
export function readWitness(source: ByteSource): CompactWitness {
  const container = readContainer(source, { magic, versions: [version], required: [1, 2] });
  const where = source.name;
  expectSectionSize(container, 1, 4 + fieldBytes + 4);
  const header = readSection(container, 1);
  const size = view(header).getUint32(0, true);
  if (size !== fieldBytes) refuse(where, 'field size', `${fieldBytes}`, `${size}`);
  const prime = readLittleEndian(header, 4);
  if (prime !== r) refuse(where, 'prime', 'the BN254 scalar field order', `${prime}`);
  const wireCount = view(header).getUint32(4 + fieldBytes, true);
  expectSectionSize(container, 2, wireCount * fieldBytes);
  const values = readSection(container, 2);

  const small = new Int32Array(wireCount);
  const largeWires: number[] = [];
  const largeValues: Uint8Array[] = [];
  for (let wire = 0; wire < wireCount; wire++) {
    const value = readLittleEndian(values, wire * fieldBytes);
    if (value >= r) refuse(where, `wire ${wire}`, 'below r', `${value}`);
    if (value < 0x8000_0000n) small[wire] = Number(value);
    else if (r - value <= 0x8000_0000n) small[wire] = -Number(r - value);
    else {
      largeWires.push(wire);
      largeValues.push(values.subarray(wire * fieldBytes, (wire + 1) * fieldBytes));
    }
  }
  if (small[0] !== 1) refuse(where, 'wire 0', '1', `${readLittleEndian(values)}`);
  return {
    small,
    largeWires: Uint32Array.from(largeWires),
    largeValues: new Uint8Array(Buffer.concat(largeValues)),
  };
}

/** The values of wires 1 … publicCount. */
export function publicSignalsOf(
  { small, largeWires, largeValues }: CompactWitness,
  publicCount: number,
): bigint[] {
  const signals = Array.from(small.subarray(1, publicCount + 1), (value) =>
    value < 0 ? r + BigInt(value) : BigInt(value),
  );
  for (const [i, wire] of largeWires.entries()) {
    if (wire > publicCount) break;
    signals[wire - 1] = readLittleEndian(largeValues, i * fieldBytes);
  }
  return signals;
}
