/**
 * An ONNX graph as plain data, after the protobuf is gone: the seam between reading a file (circuits/onnx,
 * circuits/import) and giving it meaning (circuits/ops, circuits/compile.ts).
 */
export type Dtype =
  | 'float32'
  | 'float64'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool';

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A constant, row-major. `bool` is a Uint8Array of 0 and 1; `int64` a BigInt64Array, `uint64` a BigUint64Array. */
export interface ConstantTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** A graph input or output. Shapes are static by the time a Graph exists. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Inclusive, of an input whose uploaded type is narrower than `dtype`: 4-bit integers are held in 8 bits. */
  readonly range?: readonly [number, number];
}

export type AttributeValue =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: ConstantTensor };

export interface GraphNode {
  /** Never empty: unnamed nodes are named by their type and position. */
  readonly name: string;
  /** '' for ai.onnx, 'ai.onnx.ml', 'com.microsoft'. */
  readonly domain: string;
  readonly type: string;
  /** Value names; '' stands for an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

export interface Graph {
  /** Opset version by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  /** True inputs only: initializers are never inputs here. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly constants: ReadonlyMap<string, ConstantTensor>;
  /** What this project wrote into the file's metadata about itself: entries whose key begins with `verinfer.`. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** In topological order; every input is '' or an input, a constant, or an earlier output. */
  readonly nodes: readonly GraphNode[];
}
