/**
 * The section container that `.r1cs`, `.wtns`, `.ptau` and `.zkey` share (iden3 binary format):
 *
 *   magic[4] version[u32] sectionCount[u32] { id[u32] size[u64] bytes[size] }…      all little-endian
 *
 * Reading is strict: every section id known and present once, sizes inside the file, nothing after the last
 * section. A file that two readers could take apart differently is refused here.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { MalformedFile } from '../../circuits/errors.js';

/** Random access to bytes, from a file or from memory. */
export interface ByteSource {
  readonly name: string;
  readonly size: number;
  /** A copy of `length` bytes at `offset`; the caller has checked the bounds. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

export function memorySource(bytes: Uint8Array, name = 'file'): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (offset, length) => bytes.slice(offset, offset + length),
    close: () => undefined,
  };
}

/** One read call fills at most 2 GiB − 1 bytes on Linux, so longer reads are made in steps. */
const maxReadBytes = 2 ** 30;

export function fileSource(path: string): ByteSource {
  const descriptor = openSync(path, 'r');
  return {
    name: path,
    size: fstatSync(descriptor).size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const got = readSync(descriptor, bytes, done, Math.min(length - done, maxReadBytes), offset + done);
        if (got === 0) refuse(path, 'size', `at least ${offset + length} bytes`, `${offset + done}`);
        done += got;
      }
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
}

export interface Section {
  readonly offset: number;
  readonly size: number;
}

export interface ContainerFormat {
  /** Four ASCII characters. */
  readonly magic: string;
  readonly versions: readonly number[];
  /** Sections that must be there. */
  readonly required: readonly number[];
  /** Sections that may be there; any other id is refused. */
  readonly optional?: readonly number[];
}

export interface Container {
  readonly source: ByteSource;
  readonly version: number;
  readonly sections: ReadonlyMap<number, Section>;
}

/** Throws MalformedFile; reads nothing but the section headers. */
export function readContainer(source: ByteSource, format: ContainerFormat): Container {
  const { name, size } = source;
  if (size < 12) refuse(name, 'size', 'at least 12 bytes', `${size}`);
  const head = view(source.read(0, 12));
  const magic = String.fromCharCode(...new Uint8Array(head.buffer, 0, 4));
  if (magic !== format.magic) refuse(name, 'magic', format.magic, JSON.stringify(magic));
  const version = head.getUint32(4, true);
  if (!format.versions.includes(version)) refuse(name, 'version', format.versions.join(' or '), `${version}`);

  const known = new Set([...format.required, ...(format.optional ?? [])]);
  const sectionCount = head.getUint32(8, true);
  if (sectionCount > known.size) refuse(name, 'section count', `at most ${known.size}`, `${sectionCount}`);
  const sections = new Map<number, Section>();
  let offset = 12;
  for (let i = 0; i < sectionCount; i++) {
    if (offset + 12 > size) refuse(name, `header of section number ${i}`, 'inside the file', 'cut off');
    const header = view(source.read(offset, 12));
    const id = header.getUint32(0, true);
    const length = header.getBigUint64(4, true);
    if (!known.has(id)) refuse(name, 'section id', `one of ${[...known].join(', ')}`, `${id}`);
    if (sections.has(id)) refuse(name, `section ${id}`, 'present once', 'repeated');
    if (length > BigInt(size - offset - 12)) {
      refuse(name, `size of section ${id}`, `at most ${size - offset - 12}`, `${length}`);
    }
    sections.set(id, { offset: offset + 12, size: Number(length) });
    offset += 12 + Number(length);
  }
  if (offset !== size) refuse(name, 'size', `${offset} bytes, the end of the last section`, `${size}`);
  for (const id of format.required)
    if (!sections.has(id)) refuse(name, `section ${id}`, 'present', 'missing');
  return { source, version, sections };
}

/** A view of a freshly read copy. */
export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function sectionSize(container: Container, id: number): number {
  const section = container.sections.get(id);
  if (section === undefined) return refuse(container.source.name, `section ${id}`, 'present', 'missing');
  return section.size;
}

/** The bytes `from … from + length` of one section, by default all of it. */
export function readSection(
  container: Container,
  id: number,
  from = 0,
  length = sectionSize(container, id) - from,
): Uint8Array {
  const { offset, size } = container.sections.get(id)!;
  if (from < 0 || length < 0 || from + length > size) {
    refuse(container.source.name, `size of section ${id}`, `at least ${from + length}`, `${size}`);
  }
  return container.source.read(offset + from, length);
}

export function expectSectionSize(container: Container, id: number, expected: number): void {
  const size = sectionSize(container, id);
  if (size !== expected) refuse(container.source.name, `size of section ${id}`, `${expected}`, `${size}`);
}

export function refuse(where: string, what: string, expected: string, got: string): never {
  throw new MalformedFile({ where, what, expected, got });
}

/** Bytes of one section, in pieces so that no section has to exist in memory at once. */
export interface SectionData {
  readonly id: number;
  readonly pieces: Iterable<Uint8Array>;
}

/** Writes sections one after another, beside the target; `finish` renames, so that a reader never sees half a file. */
export class ContainerWriter {
  readonly #path: string;
  readonly #partial: string;
  readonly #descriptor: number;
  #position = 0;
  #sectionStart = 0;

  constructor(path: string, magic: string, version: number, sectionCount: number) {
    this.#path = path;
    this.#partial = `${path}.${process.pid}.partial`;
    this.#descriptor = openSync(this.#partial, 'w+', 0o644);
    this.write(containerHead(magic, version, sectionCount));
  }

  begin(id: number): void {
    this.#sectionStart = this.#position;
    this.write(sectionHead(id, 0));
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(bytes.length - done, maxReadBytes);
      done += writeSync(this.#descriptor, bytes, done, length, this.#position + done);
    }
    this.#position += bytes.length;
  }

  /** Where the section's bytes lie. */
  end(): Section {
    const size = this.#position - this.#sectionStart - 12;
    const head = new Uint8Array(8);
    view(head).setBigUint64(0, BigInt(size), true);
    writeSync(this.#descriptor, head, 0, 8, this.#sectionStart + 4);
    return { offset: this.#sectionStart + 12, size };
  }

  readBack(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      done += readSync(this.#descriptor, bytes, done, Math.min(length - done, maxReadBytes), offset + done);
    }
    return bytes;
  }

  finish(): void {
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
    renameSync(this.#partial, this.#path);
  }

  abandon(): void {
    closeSync(this.#descriptor);
    rmSync(this.#partial, { force: true });
  }

  /** Runs `fill` and finishes, or abandons the file when it throws. */
  static async fill<T>(writer: ContainerWriter, fill: () => Promise<T>): Promise<T> {
    try {
      const result = await fill();
      writer.finish();
      return result;
    } catch (error) {
      writer.abandon();
      throw error;
    }
  }
}

export async function writeContainerFile(
  path: string,
  magic: string,
  version: number,
  sections: readonly SectionData[],
): Promise<void> {
  const writer = new ContainerWriter(path, magic, version, sections.length);
  await ContainerWriter.fill(writer, async () => {
    for (const { id, pieces } of sections) {
      writer.begin(id);
      for (const piece of pieces) writer.write(piece);
      writer.end();
    }
  });
}

/** The same bytes in memory. */
export function encodeContainer(
  magic: string,
  version: number,
  sections: readonly SectionData[],
): Uint8Array {
  const parts: Uint8Array[] = [containerHead(magic, version, sections.length)];
  for (const { id, pieces } of sections) {
    const body = [...pieces];
    parts.push(
      sectionHead(
        id,
        body.reduce((sum, piece) => sum + piece.length, 0),
      ),
      ...body,
    );
  }
  return new Uint8Array(Buffer.concat(parts));
}

function containerHead(magic: string, version: number, sectionCount: number): Uint8Array {
  const head = new Uint8Array(12);
  for (let i = 0; i < 4; i++) head[i] = magic.charCodeAt(i);
  view(head).setUint32(4, version, true);
  view(head).setUint32(8, sectionCount, true);
  return head;
}

function sectionHead(id: number, size: number): Uint8Array {
  const head = new Uint8Array(12);
  view(head).setUint32(0, id, true);
  view(head).setBigUint64(4, BigInt(size), true);
  return head;
}
