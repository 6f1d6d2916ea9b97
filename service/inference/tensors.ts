/** Tensors on the wire: JSON numbers or base64 bytes, little-endian, row-major. */
import type { Dtype } from '../../circuits/onnx/graph.js';
import { typedArrays } from '../../circuits/onnx/tensor.js';
import { Problem } from '../errors.js';

/** The types that a graph may take from a caller. */
export type TensorDtype = Exclude<Dtype, 'float64'>;

export interface TensorSpec {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
}

export type TensorValues = InstanceType<(typeof typedArrays)[TensorDtype]>;

/** What the client sent for one tensor, after the schema. */
export type TensorBody =
  | {
      readonly shape?: readonly number[] | undefined;
      readonly dtype?: string | undefined;
      readonly data: readonly number[];
    }
  | {
      readonly shape?: readonly number[] | undefined;
      readonly dtype?: string | undefined;
      readonly base64: string;
    };

const bounds: Record<Exclude<TensorDtype, 'float32'>, readonly [number, number]> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
};

export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, length) => product * length, 1);
const bytesPerElement = (dtype: TensorDtype): number => typedArrays[dtype].BYTES_PER_ELEMENT;

/** The values of `body` as `spec` wants them, or Problem 'invalid-input' naming the field and the first bad element. */
export function readTensor(spec: TensorSpec, body: TensorBody, field: string): TensorValues {
  if (body.dtype !== undefined && body.dtype !== spec.dtype)
    throw refuse(`${field}.dtype`, spec.dtype, body.dtype);
  if (
    body.shape !== undefined &&
    !(body.shape.length === spec.shape.length && body.shape.every((length, i) => length === spec.shape[i]))
  )
    throw refuse(`${field}.shape`, `[${spec.shape.join(', ')}]`, `[${body.shape.slice(0, 16).join(', ')}]`);
  return 'data' in body
    ? fromNumbers(spec, body.data, `${field}.data`)
    : fromBase64(spec, body.base64, `${field}.base64`);
}

function refuse(field: string, expected: string, got: string): Problem {
  return new Problem('invalid-input', `${field} must be ${expected}, got ${got}`, [{ field, expected, got }]);
}

function fromNumbers(spec: TensorSpec, data: readonly number[], field: string): TensorValues {
  const size = sizeOf(spec.shape);
  if (data.length !== size)
    throw refuse(field, `${size} numbers (shape [${spec.shape.join(', ')}])`, `${data.length}`);
  if (spec.dtype === 'float32') {
    const bad = data.findIndex((value) => !Number.isFinite(Math.fround(value)));
    if (bad >= 0) throw refuse(`${field}[${bad}]`, 'a finite float32', String(data[bad]));
    return tensorOf(spec.dtype, data);
  }
  const [least, most] = bounds[spec.dtype];
  const bad = data.findIndex((value) => !Number.isInteger(value) || value < least || value > most);
  if (bad >= 0) throw refuse(`${field}[${bad}]`, `an integer in [${least}, ${most}]`, String(data[bad]));
  return tensorOf(spec.dtype, data);
}

/** Numbers that the type holds, as its elements. */
export function tensorOf(dtype: TensorDtype, values: readonly number[]): TensorValues {
  if (dtype === 'int64' || dtype === 'uint64') return typedArrays[dtype].from(values.map(BigInt));
  return typedArrays[dtype].from(values);
}

function fromBase64(spec: TensorSpec, text: string, field: string): TensorValues {
  const sizeBytes = sizeOf(spec.shape) * bytesPerElement(spec.dtype);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw refuse(field, 'canonical base64', 'something else');
  if (bytes.length !== sizeBytes)
    throw refuse(field, `${sizeBytes} bytes (${spec.dtype}[${spec.shape.join(', ')}])`, `${bytes.length}`);
  const values = tensorOfBytes(spec.dtype, bytes);
  if (values instanceof Float32Array) {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw refuse(`${field}[${bad}]`, 'a finite float32', String(values[bad]));
  }
  if (spec.dtype === 'bool') {
    const bad = bytes.findIndex((value) => value > 1);
    if (bad >= 0) throw refuse(`${field}[${bad}]`, '0 or 1', String(bytes[bad]));
  }
  return values;
}

/** Copies: the result owns its memory, aligned. */
export function tensorOfBytes(dtype: TensorDtype, bytes: Uint8Array): TensorValues {
  // Not slice(): a Buffer would share its pool, offset and all.
  return new typedArrays[dtype](new Uint8Array(bytes).buffer);
}

export function bytesOfTensor(values: TensorValues): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The input tensors of one inference as one buffer, in the order of `specs`; the inverse is `splitTensors`. */
export function joinTensors(
  specs: readonly TensorSpec[],
  tensors: ReadonlyMap<string, TensorValues>,
): Uint8Array {
  return Buffer.concat(specs.map(({ name }) => bytesOfTensor(tensors.get(name)!)));
}

export function splitTensors(specs: readonly TensorSpec[], bytes: Uint8Array): Map<string, TensorValues> {
  const tensors = new Map<string, TensorValues>();
  let offset = 0;
  for (const { name, dtype, shape } of specs) {
    const end = offset + sizeOf(shape) * bytesPerElement(dtype);
    if (end > bytes.length)
      throw new Error(`stored input: must hold ${end} bytes for "${name}", got ${bytes.length}`);
    tensors.set(name, tensorOfBytes(dtype, bytes.subarray(offset, end)));
    offset = end;
  }
  return tensors;
}
