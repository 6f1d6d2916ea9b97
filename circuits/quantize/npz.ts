/**
 * NumPy's `.npz`: a ZIP of `.npy` arrays. Reads stored and deflated members, little-endian C-order arrays of the dtypes
 * below; everything else is refused. Formats: PKWARE APPNOTE 6.3, numpy.lib.format 1.0–3.0.
 */
import { inflateRawSync } from 'node:zlib';
import { MalformedFile } from '../errors.js';

export interface NpyArray {
  /** Numpy's name without byte order: f4, f8, i1, u1, i2, i4, i8, b1. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** One number an element; i8 beyond 2^53 is refused. */
  readonly data: Float64Array | Float32Array;
}

const END_RECORD = 0x06054b50;
const CENTRAL_RECORD = 0x02014b50;
const LOCAL_RECORD = 0x04034b50;
/** A decompressed member may not be larger: calibration sets are samples, not data lakes. */
const MEMBER_LIMIT = 2 ** 30;

/** Arrays by name, without the `.npy`. Throws MalformedFile. */
export function readNpz(bytes: Uint8Array): Map<string, NpyArray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const arrays = new Map<string, NpyArray>();
  for (let i = 0; i < count; i++) {
    need(view, at, 46, 'central directory');
    if (view.getUint32(at, true) !== CENTRAL_RECORD)
      malformed('zip', 'central directory', 'a record', 'other bytes');
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    need(view, at, 46 + nameLength, 'central directory');
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (packed === 0xffffffff || size > MEMBER_LIMIT)
      malformed(`member "${name}"`, 'size', `at most ${MEMBER_LIMIT}`, String(size));
    need(view, local, 30, name);
    if (view.getUint32(local, true) !== LOCAL_RECORD)
      malformed(`member "${name}"`, 'header', 'local', 'other bytes');
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    need(view, start, packed, name);
    const raw = bytes.subarray(start, start + packed);
    if (method !== 0 && method !== 8)
      malformed(`member "${name}"`, 'compression', 'stored or deflated', String(method));
    const body = method === 0 ? raw : inflate(raw, size, name);
    if (name.endsWith('.npy')) arrays.set(name.slice(0, -4), readNpy(body, `member "${name}"`));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return arrays;
}

export function readNpy(bytes: Uint8Array, where = 'file'): NpyArray {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte))
    malformed(where, 'magic', '\\x93NUMPY', 'other');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isOld = bytes[6] === 1;
  const length = isOld ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = (isOld ? 10 : 12) + length;
  const header = new TextDecoder().decode(bytes.subarray(isOld ? 10 : 12, start));
  const descr = /'descr':\s*'([<|=])([a-z]\d+)'/.exec(header);
  const shapeText = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  if (!descr || !shapeText || !/'fortran_order':\s*False/.test(header))
    malformed(where, 'header', 'a little-endian C-order array', header.trim());
  const dtype = descr[2]!;
  const shape = shapeText[1]!
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const count = shape.reduce((product, dim) => product * dim, 1);
  const width = Number(dtype.slice(1));
  const reader = READERS[dtype];
  if (!reader) malformed(where, 'dtype', Object.keys(READERS).join(', '), dtype);
  if (start + count * width > bytes.length) malformed(where, 'data', `${count * width} bytes`, 'fewer');
  const body = new DataView(bytes.buffer, bytes.byteOffset + start, count * width);
  const data = dtype === 'f4' ? new Float32Array(count) : new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = reader(body, i * width);
  return { dtype, shape, data };
}

const READERS: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  f4: (view, at) => view.getFloat32(at, true),
  f8: (view, at) => view.getFloat64(at, true),
  i1: (view, at) => view.getInt8(at),
  u1: (view, at) => view.getUint8(at),
  b1: (view, at) => view.getUint8(at),
  i2: (view, at) => view.getInt16(at, true),
  u2: (view, at) => view.getUint16(at, true),
  i4: (view, at) => view.getInt32(at, true),
  u4: (view, at) => view.getUint32(at, true),
  i8: (view, at) => {
    const value = view.getBigInt64(at, true);
    if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)
      malformed('array', 'int64 element', 'within 2^53', String(value));
    return Number(value);
  },
};

function inflate(raw: Uint8Array, size: number, name: string): Uint8Array {
  let body: Buffer;
  try {
    // One byte of slack, so that a member longer than its header says is noticed and a bomb is not unpacked.
    body = inflateRawSync(raw, { maxOutputLength: size + 1 });
  } catch (error) {
    malformed(`member "${name}"`, 'deflate stream', 'valid', (error as Error).message);
  }
  if (body.length !== size) malformed(`member "${name}"`, 'size', `${size} bytes`, `${body.length}`);
  return body;
}

function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= 0 && at >= view.byteLength - 22 - 0xffff; at--)
    if (view.getUint32(at, true) === END_RECORD) return at;
  return malformed('zip', 'end record', 'present', 'none');
}

function need(view: DataView, at: number, length: number, what: string): void {
  if (at + length > view.byteLength)
    malformed('zip', what, `${length} bytes at ${at}`, 'the end of the file');
}

function malformed(where: string, what: string, expected: string, got: string): never {
  throw new MalformedFile({ where, what, expected, got });
}
