import type { Dtype } from './onnx/graph.js';

/** What is known of a tensor before its values are. */
export interface TensorType {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A tensor of integers as the executed graph holds it: int8 values, not offsets from a zero point. */
export interface IntTensor extends TensorType {
  readonly data: Int32Array;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/** Inclusive range of an integer dtype that wires may carry. */
export function dtypeRange(dtype: Dtype): { readonly min: number; readonly max: number } | undefined {
  switch (dtype) {
    case 'int8':
      return { min: -128, max: 127 };
    case 'uint8':
      return { min: 0, max: 255 };
    case 'bool':
      return { min: 0, max: 1 };
    case 'int16':
      return { min: -32768, max: 32767 };
    case 'uint16':
      return { min: 0, max: 65535 };
    case 'int32':
      return { min: -2147483648, max: 2147483647 };
    // Wires are int32: of the types that reach further, the values inside it (ops/carried.ts).
    case 'uint32':
    case 'uint64':
      return { min: 0, max: 2147483647 };
    case 'int64':
      return { min: -2147483648, max: 2147483647 };
    default:
      return undefined;
  }
}

/** Index of each output element in an operand broadcast to `shape` (numpy rules, checked by the caller). */
export function broadcastIndices(from: readonly number[], shape: readonly number[]): Uint32Array {
  const padded = [...new Array<number>(shape.length - from.length).fill(1), ...from];
  const strides = stridesOf(padded).map((stride, axis) => (padded[axis] === 1 ? 0 : stride));
  const indices = new Uint32Array(elementCount(shape));
  const position = new Array<number>(shape.length).fill(0);
  let at = 0;
  for (let i = 0; i < indices.length; i++) {
    indices[i] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++position[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      position[axis] = 0;
    }
  }
  return indices;
}

/** The numpy broadcast of two shapes, or undefined. */
export function broadcastShape(p: readonly number[], q: readonly number[]): number[] | undefined {
  const rank = Math.max(p.length, q.length);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = p[i - rank + p.length] ?? 1;
    const y = q[i - rank + q.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    shape.push(x === 1 ? y : x);
  }
  return shape;
}
