/**
 * iden3's binary formats, as snarkjs reads and writes them (little-endian throughout):
 *
 *   file     magic(4) version(u32) sectionCount(u32), then sections: type(u32) size(u64) body
 *   .r1cs 1  1 header: fieldBytes(u32) prime wires(u32) publicOutputs(u32) publicInputs(u32) privateInputs(u32)
 *              labels(u64) rows(u32) · 2 rows: for each of A, B, C: count(u32), then wire(u32) element · 3 wire → label
 *   .wtns 2  1 header: fieldBytes(u32) prime wires(u32) · 2 elements
 *
 * Our public wires are all counted as public outputs, which come first after wire 0 in that format.
 */
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { MalformedFile } from '../errors.js';
import { canonical, FIELD_BYTES, FIELD_MODULUS, readElement, writeElement } from '../field.js';
import { CoefficientTable } from './coefficients.js';
import { GrowableUint32 } from './growable.js';
import type { CompactWitness, R1cs, SparseMatrix } from './r1cs.js';

const HEADER_BYTES = 4 + FIELD_BYTES + 4 * 4 + 8 + 4;
const ENTRY_BYTES = 4 + FIELD_BYTES;
const CHUNK_BYTES = 1 << 20;

/** The bytes of the `.r1cs` file, in pieces of about a megabyte. The pieces share one buffer: use each at once. */
export function* r1csChunks(r1cs: R1cs): Generator<Uint8Array> {
  const matrices = [r1cs.a, r1cs.b, r1cs.c];
  const entries = matrices.reduce((total, { wires }) => total + wires.length, 0);
  const head = new DataView(new ArrayBuffer(12 + 12 + HEADER_BYTES + 12));
  writeMagic(head, 'r1cs', 1, 3);
  writeSection(head, 12, 1, HEADER_BYTES);
  head.setUint32(24, FIELD_BYTES, true);
  writeElement(head, 28, FIELD_MODULUS);
  const privateInputs = 0;
  [r1cs.wireCount, r1cs.publicCount, 0, privateInputs].forEach((v, i) => head.setUint32(60 + 4 * i, v, true));
  head.setBigUint64(76, BigInt(r1cs.wireCount), true);
  head.setUint32(84, r1cs.constraintCount, true);
  writeSection(head, 88, 2, r1cs.constraintCount * 12 + entries * ENTRY_BYTES);
  yield new Uint8Array(head.buffer);

  const coefficients = new Uint8Array(FIELD_BYTES * r1cs.coefficients.length);
  const coefficientView = new DataView(coefficients.buffer);
  r1cs.coefficients.forEach((element, i) => writeElement(coefficientView, FIELD_BYTES * i, element));
  const words = new Uint32Array(coefficients.buffer);

  const chunk = new Uint32Array(CHUNK_BYTES / 4);
  const bytes = new Uint8Array(chunk.buffer);
  let used = 0;
  for (let row = 0; row < r1cs.constraintCount; row++) {
    for (const { rowStarts, wires, coefficientIds } of matrices) {
      const end = rowStarts[row + 1];
      if (used === chunk.length) {
        yield bytes;
        used = 0;
      }
      chunk[used++] = end - rowStarts[row];
      for (let k = rowStarts[row]; k < end; k++) {
        if (used + ENTRY_BYTES / 4 > chunk.length) {
          yield bytes.subarray(0, 4 * used);
          used = 0;
        }
        chunk[used++] = wires[k];
        const from = 8 * coefficientIds[k];
        for (let i = 0; i < 8; i++) chunk[used++] = words[from + i];
      }
    }
  }
  yield bytes.subarray(0, 4 * used);

  const tail = new DataView(new ArrayBuffer(12 + 8 * r1cs.wireCount));
  writeSection(tail, 0, 3, 8 * r1cs.wireCount);
  for (let wire = 0; wire < r1cs.wireCount; wire++) tail.setUint32(12 + 8 * wire, wire, true);
  yield new Uint8Array(tail.buffer);
}

/** circuitHash: SHA-256 of the `.r1cs` file, 0x and 64 lower-case digits. */
export function r1csDigest(r1cs: R1cs): string {
  const hash = createHash('sha256');
  for (const chunk of r1csChunks(r1cs)) hash.update(chunk);
  return `0x${hash.digest('hex')}`;
}

/** Writes the file and returns its SHA-256, as `r1csDigest` does. */
export async function writeR1cs(path: string, r1cs: R1cs): Promise<string> {
  const file = await open(path, 'w');
  try {
    const hash = createHash('sha256');
    for (const chunk of r1csChunks(r1cs)) {
      hash.update(chunk);
      await file.write(chunk);
    }
    return `0x${hash.digest('hex')}`;
  } finally {
    await file.close();
  }
}

/** Reads any `.r1cs` over BN254. Throws MalformedFile. */
export async function readR1cs(path: string): Promise<R1cs> {
  return decodeR1cs(await readFile(path));
}

export function decodeR1cs(bytes: Uint8Array): R1cs {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections = readSections(view, 'r1cs', 1);
  const header = section(sections, 1, 'r1cs header');
  expect(header.size === HEADER_BYTES, 'header size', `${HEADER_BYTES}`, header.size);
  expectField(view, header.at);
  const at = header.at + 4 + FIELD_BYTES;
  const [wireCount, outputs, inputs] = [0, 4, 8].map((offset) => view.getUint32(at + offset, true));
  const constraintCount = view.getUint32(at + 24, true);
  const publicCount = outputs + inputs;
  expect(publicCount < wireCount, 'public count', `below ${wireCount} wires`, publicCount);
  const body = section(sections, 2, 'r1cs rows');
  expect(constraintCount * 12 <= body.size, 'row count', `at most ${body.size / 12}`, constraintCount);
  const { matrices, coefficients } = readRows(view, body, wireCount, constraintCount);
  return {
    wireCount,
    publicCount,
    constraintCount,
    a: matrices[0],
    b: matrices[1],
    c: matrices[2],
    coefficients,
  };
}

function readRows(view: DataView, body: Section, wireCount: number, constraintCount: number) {
  const table = new CoefficientTable(FIELD_MODULUS);
  const ids = new Map<string, number>();
  const text = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const recorded = [0, 1, 2].map(() => ({
    rowStarts: new Uint32Array(constraintCount + 1),
    wires: new GrowableUint32(),
    coefficientIds: new GrowableUint32(),
  }));
  let at = body.at;
  const end = body.at + body.size;
  for (let row = 0; row < constraintCount; row++) {
    for (const matrix of recorded) {
      if (at + 4 > end) fail('rows', 'inside their section', 'past its end');
      const count = view.getUint32(at, true);
      at += 4;
      expect(at + count * ENTRY_BYTES <= end, 'entry count', 'inside the section', count);
      let previous = -1;
      for (let k = 0; k < count; k++, at += ENTRY_BYTES) {
        const wire = view.getUint32(at, true);
        if (wire >= wireCount || wire <= previous)
          fail('wire', `above ${previous}, below ${wireCount}`, wire);
        previous = wire;
        const key = text.toString('latin1', at + 4, at + ENTRY_BYTES);
        let id = ids.get(key);
        if (id === undefined) {
          const element = readElement(view, at + 4);
          expect(element < FIELD_MODULUS, 'coefficient', 'below the modulus', element);
          ids.set(key, (id = table.idOfElement(element)));
        }
        if (id < 0) continue;
        matrix.wires.push(wire);
        matrix.coefficientIds.push(id);
      }
      matrix.rowStarts[row + 1] = matrix.wires.length;
    }
  }
  expect(at === end, 'rows', 'to fill their section', `${end - at} bytes left`);
  const matrices: SparseMatrix[] = recorded.map(({ rowStarts, wires, coefficientIds }) => ({
    rowStarts,
    wires: wires.view().slice(),
    coefficientIds: coefficientIds.view().slice(),
  }));
  return { matrices, coefficients: table.values };
}

/** The `.wtns` file. */
export function encodeWitness(witness: CompactWitness): Uint8Array {
  const count = witness.small.length;
  const headerBytes = 4 + FIELD_BYTES + 4;
  const start = 12 + 12 + headerBytes + 12;
  const bytes = new Uint8Array(start + FIELD_BYTES * count);
  const view = new DataView(bytes.buffer);
  writeMagic(view, 'wtns', 2, 2);
  writeSection(view, 12, 1, headerBytes);
  view.setUint32(24, FIELD_BYTES, true);
  writeElement(view, 28, FIELD_MODULUS);
  view.setUint32(60, count, true);
  writeSection(view, 64, 2, FIELD_BYTES * count);
  for (let wire = 0; wire < count; wire++) {
    const value = witness.small[wire];
    if (value >= 0) view.setUint32(start + FIELD_BYTES * wire, value, true);
    else writeElement(view, start + FIELD_BYTES * wire, canonical(BigInt(value)));
  }
  witness.largeWires.forEach((wire, i) => {
    bytes.set(witness.largeValues.subarray(32 * i, 32 * i + 32), start + FIELD_BYTES * wire);
  });
  return bytes;
}

/** Reads any `.wtns` over BN254. Throws MalformedFile. */
export function decodeWitness(bytes: Uint8Array): CompactWitness {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections = readSections(view, 'wtns', 2);
  const header = section(sections, 1, 'wtns header');
  expect(header.size === 8 + FIELD_BYTES, 'header size', `${8 + FIELD_BYTES}`, header.size);
  expectField(view, header.at);
  const count = view.getUint32(header.at + 4 + FIELD_BYTES, true);
  const body = section(sections, 2, 'wtns values');
  expect(body.size === FIELD_BYTES * count, 'witness size', `${FIELD_BYTES * count}`, body.size);
  const small = new Int32Array(count);
  const large: number[] = [];
  for (let wire = 0; wire < count; wire++) {
    const element = readElement(view, body.at + FIELD_BYTES * wire);
    expect(element < FIELD_MODULUS, `value of wire ${wire}`, 'below the modulus', element);
    if (element <= 0x7fffffffn) small[wire] = Number(element);
    else if (element >= FIELD_MODULUS - 0x80000000n) small[wire] = Number(element - FIELD_MODULUS);
    else large.push(wire);
  }
  const largeValues = new Uint8Array(FIELD_BYTES * large.length);
  large.forEach((wire, i) => {
    const at = body.at + FIELD_BYTES * wire;
    largeValues.set(bytes.subarray(at, at + FIELD_BYTES), FIELD_BYTES * i);
  });
  return { small, largeWires: Uint32Array.from(large), largeValues };
}

interface Section {
  readonly at: number;
  readonly size: number;
}

function writeMagic(view: DataView, magic: string, version: number, sectionCount: number): void {
  for (let i = 0; i < 4; i++) view.setUint8(i, magic.charCodeAt(i));
  view.setUint32(4, version, true);
  view.setUint32(8, sectionCount, true);
}

function writeSection(view: DataView, at: number, type: number, size: number): void {
  view.setUint32(at, type, true);
  view.setBigUint64(at + 4, BigInt(size), true);
}

function readSections(view: DataView, magic: string, version: number): Map<number, Section> {
  expect(view.byteLength >= 12, 'size', 'at least 12 bytes', view.byteLength);
  const found = String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(i)));
  expect(found === magic, 'magic', magic, JSON.stringify(found));
  expect(view.getUint32(4, true) === version, 'version', `${version}`, view.getUint32(4, true));
  const sections = new Map<number, Section>();
  let at = 12;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    expect(at + 12 <= view.byteLength, 'section header', 'inside the file', 'past its end');
    const type = view.getUint32(at, true);
    const size = Number(view.getBigUint64(at + 4, true));
    at += 12;
    expect(size <= view.byteLength - at, `section ${type}`, 'inside the file', `${size} bytes`);
    expect(!sections.has(type), `section ${type}`, 'given once', 'twice');
    sections.set(type, { at, size });
    at += size;
  }
  expect(at === view.byteLength, 'size', `${at} bytes, the end of the last section`, view.byteLength);
  return sections;
}

function section(sections: Map<number, Section>, type: number, what: string): Section {
  const found = sections.get(type);
  if (!found) throw new MalformedFile({ where: 'file', what, expected: 'present', got: 'none' });
  return found;
}

function expectField(view: DataView, at: number): void {
  expect(view.getUint32(at, true) === FIELD_BYTES, 'field bytes', `${FIELD_BYTES}`, view.getUint32(at, true));
  expect(
    readElement(view, at + 4) === FIELD_MODULUS,
    'prime',
    'the BN254 scalar field',
    readElement(view, at + 4),
  );
}

function expect(holds: boolean, what: string, expected: string, got: string | number | bigint): void {
  if (!holds) fail(what, expected, got);
}

function fail(what: string, expected: string, got: string | number | bigint): never {
  throw new MalformedFile({ where: 'file', what, expected, got: String(got) });
}
