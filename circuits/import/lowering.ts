/**
 * The walk over an uploaded graph that turns it into the executed graph. Integer values are emitted as they come; float
 * values are remembered as expressions (value.ts) and become integers at the QuantizeLinear that ends them.
 */
import type { Dtype, Graph, GraphNode } from '../onnx/graph.js';
import { contextOf, inferTypes, type ValueTypes } from '../onnx/infer.js';
import { refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import { isWiring, wiringOf } from '../onnx/wiring.js';
import { lowerIntegerProduct } from './accumulator.js';
import { isLabelLookup, lowerArgument, lowerLabelLookup, lowerNormalizer, lowerTail } from './answers.js';
import { GraphBuilder, type Tensor } from './builder.js';
import { isComparison, lowerChoice, lowerComparison, lowerTruncation } from './choice.js';
import { isContrib, lowerContrib } from './contrib.js';
import { emitIntegerNode } from './integer.js';
import { isInterpolation, lowerInterpolation } from './interpolation.js';
import {
  biased,
  lowerBatchNormalization,
  lowerConv,
  lowerProduct,
  lowerQGemm,
  lowerQLinearConv,
  lowerQLinearMatMul,
} from './linear-floats.js';
import { lowerMove } from './moves.js';
import { isPointwise } from './pointwise.js';
import { emitPool } from './pool.js';
import { FloatQuantizer } from './quantize-float.js';
import { readNodeQuantization, type Quantization } from './quantization.js';
import { emitFloat, emitOutput } from './tail.js';
import { emitTreeEnsemble, isTreeEnsemble } from './trees.js';
import type { DequantizedFloat, Float, LinearFloat, Value } from './value.js';

export interface Lowered {
  readonly integer: Graph;
  readonly executed: Graph;
  readonly notes: readonly string[];
}

export function lower(graph: Graph): Lowered {
  return new Lowering(graph).run();
}

export class Lowering {
  readonly builder: GraphBuilder;
  readonly notes: string[] = [];
  readonly quantizer: FloatQuantizer;
  private readonly types: ValueTypes;
  private readonly values = new Map<string, Value>();
  private readonly told = new Map<string, readonly number[]>();
  private readonly products = new Map<string, LinearFloat>();

  constructor(readonly graph: Graph) {
    this.types = inferTypes(graph);
    this.builder = new GraphBuilder(graph.inputs);
    this.builder.reserve(graph.outputs.map(({ name }) => name));
    this.quantizer = new FloatQuantizer(this.builder, this.notes, (float) => emitFloat(this, float));
    for (const input of graph.inputs) {
      this.values.set(
        input.name,
        input.dtype === 'float32'
          ? { kind: 'float', float: { op: 'input', name: input.name, shape: input.shape } }
          : { kind: 'integer', tensor: input },
      );
    }
  }

  run(): Lowered {
    for (const node of this.graph.nodes) this.lowerNode(contextOf(node, this.graph, this.types));
    const outputs = this.graph.outputs.map((output) => emitOutput(this, output, this.value(output.name)!));
    return { ...this.builder.finish(outputs), notes: this.notes };
  }

  /** Lowers a node that stands for another: its output shape is told, not inferred. */
  lowerAs(context: NodeContext, shape: readonly number[]): void {
    this.told.set(context.node.outputs[0]!, shape);
    this.lowerNode(context);
  }

  private lowerNode(context: NodeContext): void {
    const { node } = context;
    if (isTreeEnsemble(node)) return emitTreeEnsemble(this, context);
    if (isContrib(node)) return lowerContrib(this, context);
    switch (node.type) {
      case 'QuantizeLinear':
        return this.quantizeLinear(context);
      case 'DequantizeLinear':
        return this.dequantizeLinear(context);
      case 'QLinearConv':
        return lowerQLinearConv(this, context);
      case 'QLinearMatMul':
        return lowerQLinearMatMul(this, context);
      case 'QGemm':
        return lowerQGemm(this, context);
      case 'ConvInteger':
      case 'MatMulInteger':
        return lowerIntegerProduct(this, context);
      case 'Cast':
        return this.cast(context);
      case 'Conv':
        return lowerConv(this, context);
      case 'MatMul':
      case 'Gemm':
        if (node.type === 'MatMul' && this.isInteger(node.inputs[0]!)) return emitIntegerNode(this, context);
        return lowerProduct(this, context);
      case 'MaxPool':
      case 'GlobalMaxPool':
      case 'AveragePool':
      case 'GlobalAveragePool':
        return emitPool(this, context);
      case 'ReduceMean':
      case 'ReduceSum':
      case 'ReduceMax':
      case 'ReduceMin':
        if (this.isInteger(node.inputs[0]!)) return emitIntegerNode(this, context);
        return emitPool(this, context);
      case 'BatchNormalization':
        return lowerBatchNormalization(this, context);
      case 'Softmax':
      case 'LogSoftmax':
        return lowerTail(this, context);
      case 'Normalizer':
        return lowerNormalizer(this, context);
      case 'ArgMax':
      case 'ArgMin':
        return lowerArgument(this, context);
      case 'CumSum':
        return emitIntegerNode(this, context);
      case 'Where':
        if (this.types.get(node.outputs[0]!)!.dtype === 'float32') return lowerChoice(this, context);
        return emitIntegerNode(this, context);
      default:
        if (isLabelLookup(this, node)) return lowerLabelLookup(this, context);
        if (isComparison(node) && context.type(0)!.dtype === 'float32') return lowerComparison(this, context);
        if (isInterpolation(node) && !wiringOf(context)) return lowerInterpolation(this, context);
        if (isWiring(node) && (wiringOf(context) || !this.hasIntegerOperand(node)))
          return lowerMove(this, context);
        if (this.hasIntegerOperand(node)) return emitIntegerNode(this, context);
        if (isPointwise(node)) return this.pointwise(context);
        return refuseNode(node, 'operator', 'one that has an integer form', node.type);
    }
  }

  /** What a value name stands for; constants become values when first asked for. */
  value(name: string): Value | undefined {
    const known = this.values.get(name);
    if (known) return known;
    const tensor = this.graph.constants.get(name);
    if (!tensor) return undefined;
    const value: Value =
      tensor.dtype === 'float32'
        ? { kind: 'float', float: { op: 'constant', tensor, shape: tensor.shape } }
        : { kind: 'integer', tensor: this.builder.constant(name, tensor) };
    this.values.set(name, value);
    return value;
  }

  float(node: GraphNode, i: number): Float {
    const value = this.value(node.inputs[i] ?? '');
    if (value?.kind === 'float') return value.float;
    return refuseNode(node, `input ${i}`, 'float', value ? value.tensor.dtype : 'absent');
  }

  integer(node: GraphNode, i: number): Tensor {
    const value = this.value(node.inputs[i] ?? '');
    if (value?.kind === 'integer') return value.tensor;
    return refuseNode(node, `input ${i}`, 'an integer tensor', value ? 'float' : 'absent');
  }

  setFloat(name: string, float: Float): void {
    this.values.set(name, { kind: 'float', float });
  }

  setInteger(name: string, tensor: Tensor): void {
    this.values.set(name, { kind: 'integer', tensor });
  }

  /** An input of a linear operator: dequantized, or refused. */
  dequantized(node: GraphNode, i: number): DequantizedFloat {
    const float = this.float(node, i);
    if (float.op === 'dequantized') return float;
    const got =
      float.op === 'input'
        ? 'a float input of the graph'
        : float.op === 'constant'
          ? 'a float constant'
          : 'a float result';
    return refuseNode(
      node,
      `input ${i}`,
      'quantized: the output of a DequantizeLinear (a float model is quantized first: verinfer quantize)',
      got,
    );
  }

  shapeOf(name: string): readonly number[] {
    return this.told.get(name) ?? this.types.get(name)!.shape;
  }

  dtypeOf(name: string): Dtype {
    return this.types.get(name)!.dtype;
  }

  floatNamed(name: string): Float {
    const value = this.values.get(name);
    if (value?.kind !== 'float') throw new Error(`${name} is no float`);
    return value.float;
  }

  /** Remembers which product an int32 accumulator is, so that scales applied to it later become its own. */
  setProduct(name: string, product: LinearFloat): void {
    this.products.set(name, product);
  }

  private quantizeLinear(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    const { dtype, shape } = this.types.get(output)!;
    const to = readNodeQuantization(context, dtype, shape);
    this.setInteger(output, this.quantizer.quantize(this.float(node, 0), to, node));
  }

  private dequantizeLinear(context: NodeContext): void {
    const { node } = context;
    const tensor = this.integer(node, 0);
    const quantization = readNodeQuantization(context, tensor.dtype, tensor.shape);
    const constant = this.builder.constantOf(tensor.name);
    this.setFloat(node.outputs[0]!, {
      op: 'dequantized',
      tensor,
      quantization,
      shape: tensor.shape,
      ...(constant ? { constant } : {}),
    });
  }

  private isInteger(name: string): boolean {
    return this.value(name)?.kind === 'integer';
  }

  /** True if the node computes on integers: its first operand that is no constant is an integer tensor. */
  private hasIntegerOperand(node: GraphNode): boolean {
    const values = node.inputs
      .filter((name) => name !== '' && !this.graph.constants.has(name))
      .map((name) => this.value(name));
    return values.length > 0 && values.every((value) => value?.kind === 'integer');
  }

  private cast(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    const value = this.value(node.inputs[0]!)!;
    const to = this.types.get(output)!.dtype;
    if (value.kind === 'integer' && to === 'float32') {
      const { tensor } = value;
      const product = this.products.get(tensor.name);
      const one: Quantization = {
        dtype: tensor.dtype,
        scales: Float32Array.of(1),
        zeroPoints: [0],
        axis: undefined,
      };
      return this.setFloat(
        output,
        product ?? { op: 'dequantized', tensor, quantization: one, shape: tensor.shape },
      );
    }
    if (value.kind === 'integer') return emitIntegerNode(this, context);
    if (to === 'float32') return this.setFloat(output, value.float);
    const { float } = value;
    // Scores of trees are int32: too wide for a table, so the answer is cut to an integer outside the proof.
    if (float.op === 'dequantized' && float.quantization.dtype === 'int32' && to === 'int64')
      return this.setFloat(output, { op: 'tail', dtype: 'int64', node, args: [float], shape: float.shape });
    lowerTruncation(this, context, to);
  }

  private pointwise(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    const absent = (i: number): Float => {
      // Only Clip has inputs that may be left out before others that are given.
      const bound = i === 1 ? -Infinity : Infinity;
      return {
        op: 'constant',
        shape: [],
        tensor: { dtype: 'float32', shape: [], data: Float32Array.of(bound) },
      };
    };
    const args = node.inputs.map((name, i) => (name === '' ? absent(i) : this.float(node, i)));
    this.setFloat(
      output,
      biased(this, node, args) ?? { op: 'pointwise', node, args, shape: this.shapeOf(output) },
    );
  }
}
