/** The float graph between simplification and emission: five kinds of node, weights already folded. */
import type { GraphNode } from '../onnx/graph.js';
import { sizeOf, type ValueType } from '../onnx/shape.js';
import type { Wiring } from '../onnx/shape.js';

/** Convolution; weights [out, in / group, kernel…] row-major, one bias per output channel. */
export interface PlainConv {
  readonly kind: 'conv';
  readonly name: string;
  readonly inputs: readonly [string];
  readonly output: string;
  readonly weights: Float32Array;
  readonly weightShape: readonly number[];
  readonly bias: Float32Array;
  readonly node: GraphNode;
}

/** y = x·Wᵀ + b over the last axis; weights [out, in] row-major. */
export interface PlainLinear {
  readonly kind: 'linear';
  readonly name: string;
  readonly inputs: readonly [string];
  readonly output: string;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** y = scale·x + shift, element by element; vectors of the full size. */
export interface PlainAffine {
  readonly kind: 'affine';
  readonly name: string;
  readonly inputs: readonly [string];
  readonly output: string;
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

/** Elements moved, copied or filled. */
export interface PlainWiring {
  readonly kind: 'wiring';
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly wiring: Wiring;
  /** The operator that moves them. */
  readonly node: GraphNode;
}

/** Any other operator; its inputs are those of `node`, with folded names put in. */
export interface PlainOperator {
  readonly kind: 'operator';
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly node: GraphNode;
}

export type PlainNode = PlainConv | PlainLinear | PlainAffine | PlainWiring | PlainOperator;

export interface PlainGraph {
  /** In topological order. */
  readonly nodes: readonly PlainNode[];
  readonly types: ReadonlyMap<string, ValueType>;
  /** Graph output name → the value it is. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** One value per index of `axis`, if the vector depends on nothing else. */
export function perChannel(
  vector: Float32Array,
  shape: readonly number[],
  axis: number,
): Float32Array | undefined {
  const inner = sizeOf(shape.slice(axis + 1));
  const channels = shape[axis] ?? 1;
  const out = new Float32Array(channels);
  for (let c = 0; c < channels; c++) out[c] = vector[c * inner]!;
  for (let i = 0; i < vector.length; i++)
    if (vector[i] !== out[Math.floor(i / inner) % channels]) return undefined;
  return out;
}
