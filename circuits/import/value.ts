/**
 * What a value of the uploaded graph is while it is lowered. A float value is kept as the expression it came from until
 * a QuantizeLinear says which integers stand for it; then the whole expression becomes one integer operator.
 */
import type { ConstantTensor, GraphNode } from '../onnx/graph.js';
import type { Tensor } from './builder.js';
import type { Quantization } from './quantization.js';

/** A float input of the graph: it enters through a QuantizeLinear, outside the proof. */
export interface InputFloat {
  readonly op: 'input';
  readonly shape: readonly number[];
  readonly name: string;
}

export interface ConstantFloat {
  readonly op: 'constant';
  readonly shape: readonly number[];
  readonly tensor: ConstantTensor;
}

/** (q − zp)·scale of an integer tensor; `constant` holds q when it is known. */
export interface DequantizedFloat {
  readonly op: 'dequantized';
  readonly shape: readonly number[];
  readonly quantization: Quantization;
  readonly tensor: Tensor;
  readonly constant?: ConstantTensor;
}

/** A convolution or matrix product of dequantized operands, exact in an int32 accumulator. */
export interface LinearFloat {
  readonly op: 'linear';
  readonly shape: readonly number[];
  readonly node: GraphNode;
  readonly product: LinearProduct;
  readonly bias?: Float;
}

/** The product of a LinearFloat; how it is emitted is in linear.ts. */
export type LinearProduct =
  | { readonly kind: 'conv'; readonly x: DequantizedFloat; readonly w: DequantizedFloat }
  | { readonly kind: 'matmul'; readonly a: DequantizedFloat; readonly b: DequantizedFloat };

/** Elements moved, or picked by a maximum: an operator that commutes with quantization per tensor. */
export interface MovedFloat {
  readonly op: 'moved';
  readonly shape: readonly number[];
  readonly node: GraphNode;
  readonly sources: readonly Float[];
  /** Emits the operator on the sources: integers under the quantization, or floats of the tail without one. */
  readonly apply: (sources: readonly Tensor[], quantization: Quantization | undefined) => Tensor;
}

/** A sum over windows or axes with one weight for all terms: AveragePool, ReduceMean, ReduceSum. */
export interface PooledFloat {
  readonly op: 'pooled';
  readonly shape: readonly number[];
  readonly node: GraphNode;
  readonly source: DequantizedFloat;
  readonly emit: (source: DequantizedFloat, to: Quantization) => Tensor;
}

/** An elementwise function of its arguments, with numpy broadcasting. */
export interface PointwiseFloat {
  readonly op: 'pointwise';
  readonly shape: readonly number[];
  readonly node: GraphNode;
  readonly args: readonly Float[];
}

/** An operator of the deterministic tail, outside the proof: only an output may depend on it. */
export interface TailFloat {
  readonly op: 'tail';
  readonly shape: readonly number[];
  /** What the operator returns; float32 unless said. */
  readonly dtype?: 'int64';
  readonly node: GraphNode;
  readonly args: readonly Float[];
}

export type Float =
  | InputFloat
  | ConstantFloat
  | DequantizedFloat
  | LinearFloat
  | MovedFloat
  | PooledFloat
  | PointwiseFloat
  | TailFloat;

export type Value =
  { readonly kind: 'integer'; readonly tensor: Tensor } | { readonly kind: 'float'; readonly float: Float };
