/** TensorProto → ConstantTensor: one of raw data and typed data, of exactly the length the dimensions say. */
import type { TensorProto } from 'onnx-buf';
import { ModelRefused } from '../errors.js';
import type { ConstantTensor, Dtype, TensorData } from './graph.js';

/** ONNX TensorProto.DataType codes of the types we read. */
export const dtypeCodes: Readonly<Record<Dtype, number>> = {
  float32: 1,
  float64: 11,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  uint32: 12,
  uint64: 13,
};

const dtypeByCode: ReadonlyMap<number, Dtype> = new Map(
  Object.entries(dtypeCodes).map(([dtype, code]) => [code, dtype as Dtype]),
);

const UINT4 = 21;
const INT4 = 22;

/** How 4-bit integers are held, and what they may be. */
export const fourBitTypes: ReadonlyMap<number, { dtype: Dtype; range: readonly [number, number] }> = new Map([
  [UINT4, { dtype: 'uint8', range: [0, 15] }],
  [INT4, { dtype: 'int8', range: [-8, 7] }],
]);

const otherTypes: Readonly<Record<number, string>> = {
  8: 'string',
  10: 'float16',
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
};

/** Largest constant or value, in elements: 256 MiB of float32. */
export const MAX_ELEMENTS = 2n ** 26n;

export function dtypeOf(code: number, where: string): Dtype {
  const dtype = dtypeByCode.get(code);
  if (dtype) return dtype;
  throw new ModelRefused({
    where,
    what: 'dtype',
    expected: Object.keys(dtypeCodes).join(', '),
    got: otherTypes[code] ?? `type code ${code}`,
  });
}

/** Product of dimensions in bigints, so that no product overflows before it is refused. */
export function elementCount(shape: readonly (number | bigint)[], where: string): number {
  let count = 1n;
  for (const dim of shape) {
    if (BigInt(dim) < 0n)
      throw new ModelRefused({ where, what: 'dimensions', expected: 'not negative', got: String(dim) });
    count *= BigInt(dim);
    if (count > MAX_ELEMENTS)
      throw new ModelRefused({
        where,
        what: 'elements',
        expected: `at most ${MAX_ELEMENTS}`,
        got: `shape [${shape.join(',')}]`,
      });
  }
  return Number(count);
}

/** How the elements of each type lie in memory. */
export const typedArrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const satisfies Record<Dtype, unknown>;

export function newTensorData(dtype: Dtype, count: number): TensorData {
  return new typedArrays[dtype](count);
}

/** @param mayHoldNaN for lists in which NaN is a separator. */
export function readTensor(proto: TensorProto, where: string, mayHoldNaN = false): ConstantTensor {
  if (proto.dataLocation !== 0)
    throw new ModelRefused({
      where,
      what: 'data_location',
      expected: 'DEFAULT: no external data',
      got: 'EXTERNAL',
    });
  const count = elementCount(proto.dims, where);
  const shape = proto.dims.map(Number);
  if (proto.dataType === INT4 || proto.dataType === UINT4) return readNibbles(proto, shape, count, where);
  const dtype = dtypeOf(proto.dataType, where);
  const typed = typedValues(proto, dtype);
  const held = [proto.floatData, proto.int32Data, proto.int64Data, proto.doubleData, proto.uint64Data].filter(
    (data) => data.length > 0,
  );
  if (held.some((data) => data !== typed))
    throw new ModelRefused({
      where,
      what: 'data field',
      expected: `that of ${dtype}`,
      got: 'data of another type',
    });
  const raw = proto.rawData;
  if (raw.length > 0 && typed.length > 0)
    throw new ModelRefused({ where, what: 'data', expected: 'raw or typed', got: 'both' });
  const bytesPerElement = newTensorData(dtype, 0).BYTES_PER_ELEMENT;
  const fromRaw = typed.length === 0;
  const want = fromRaw ? count * bytesPerElement : count;
  const got = fromRaw ? raw.length : typed.length;
  if (got !== want)
    throw new ModelRefused({
      where,
      what: fromRaw ? 'raw data bytes' : 'typed data elements',
      expected: `${want} for shape [${shape.join(',')}]`,
      got: String(got),
    });
  const data = newTensorData(dtype, count);
  if (fromRaw) new Uint8Array(data.buffer).set(raw);
  else fill(data, typed, dtype, where);
  if (!mayHoldNaN) checkValues(data, dtype, where);
  return { dtype, shape, data };
}

function typedValues(proto: TensorProto, dtype: Dtype): readonly (number | bigint)[] {
  if (dtype === 'float32') return proto.floatData;
  if (dtype === 'float64') return proto.doubleData;
  if (dtype === 'int64') return proto.int64Data;
  if (dtype === 'uint32' || dtype === 'uint64') return proto.uint64Data;
  return proto.int32Data;
}

function fill(data: TensorData, typed: readonly (number | bigint)[], dtype: Dtype, where: string): void {
  for (let i = 0; i < typed.length; i++) {
    data[i] = (dtype === 'uint32' ? Number(typed[i]) : typed[i]!) as never;
    // A value the type cannot hold would wrap silently: -1 as a uint8 is another model.
    if (dtype !== 'float32' && dtype !== 'float64' && BigInt(data[i]!) !== BigInt(typed[i]!)) {
      throw new ModelRefused({
        where,
        what: `element ${i}`,
        expected: `inside ${dtype}`,
        got: String(typed[i]),
      });
    }
  }
}

function checkValues(data: TensorData, dtype: Dtype, where: string): void {
  if (dtype === 'float32' || dtype === 'float64') {
    const at = (data as Float32Array).findIndex(Number.isNaN);
    if (at >= 0) throw new ModelRefused({ where, what: `element ${at}`, expected: 'a number', got: 'NaN' });
  } else if (dtype === 'bool') {
    const at = (data as Uint8Array).findIndex((value) => value > 1);
    if (at >= 0)
      throw new ModelRefused({ where, what: `element ${at}`, expected: '0 or 1', got: String(data[at]) });
  }
}

/** 4-bit integers are held two to a byte, low nibble first; they are widened to 8 bits here. */
function readNibbles(proto: TensorProto, shape: number[], count: number, where: string): ConstantTensor {
  const want = Math.ceil(count / 2);
  const packed = proto.rawData.length > 0 ? [...proto.rawData] : proto.int32Data;
  if (packed.length !== want)
    throw new ModelRefused({
      where,
      what: 'raw data bytes',
      expected: String(want),
      got: String(packed.length),
    });
  const isSigned = proto.dataType === INT4;
  const data = isSigned ? new Int8Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const nibble = (packed[i >> 1]! >> (i % 2 === 0 ? 0 : 4)) & 15;
    data[i] = isSigned && nibble > 7 ? nibble - 16 : nibble;
  }
  return { dtype: isSigned ? 'int8' : 'uint8', shape, data };
}
