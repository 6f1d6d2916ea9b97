/**
 * The walk over an uploaded graph that turns it into the executed graph. Integer values are emitted as they come; float
 * values are remembered as expressions (value.ts) and become integers at the QuantizeLinear that ends them.
 */
import type { ConstantTensor, Dtype, Graph, GraphNode } from '../onnx/graph.js';
import { moved } from '../onnx/fold.js';
import { contextOf, inferTypes, type ValueTypes } from '../onnx/infer.js';
import { axisOf, floatAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf, type NodeContext } from '../onnx/shape.js';
import { windowOf } from '../onnx/window.js';
import { isWiring, wiringOf } from '../onnx/wiring.js';
import type { Wiring } from '../onnx/shape.js';
import { GraphBuilder, type Tensor } from './builder.js';
import { lowerIntegerProduct, scaled } from './accumulator.js';
import { isContrib, lowerContrib } from './contrib.js';
import { emitInteger } from './emit-integer.js';
import { emitIntegerNode } from './integer.js';
import { isComparison, lowerChoice, lowerComparison, lowerTruncation, orderedIntegers } from './choice.js';
import { isInterpolation, lowerInterpolation } from './interpolation.js';
import { emitConvolution, emitGemm, emitMatrixProduct, type Operand } from './linear.js';
import { isPointwise } from './pointwise.js';
import { emitPool } from './pool.js';
import { constantOf, FloatQuantizer } from './quantize-float.js';
import {
  dequantize,
  perTensor,
  quantize,
  readNodeQuantization,
  readQuantization,
  sameQuantization,
  type Quantization,
} from './quantization.js';
import { emitFloat, emitOutput } from './tail.js';
import { emitTreeEnsemble, isTreeEnsemble } from './trees.js';
import type { DequantizedFloat, Float, LinearFloat, Value } from './value.js';
import { emitWiring } from './wires.js';

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

  constructor(private readonly graph: Graph) {
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
        return this.qLinearConv(context);
      case 'QLinearMatMul':
        return this.qLinearMatMul(context);
      case 'QGemm':
        return this.qGemm(context);
      case 'ConvInteger':
      case 'MatMulInteger':
        return lowerIntegerProduct(this, context);
      case 'Cast':
        return this.cast(context);
      case 'Conv':
        return this.conv(context);
      case 'MatMul':
      case 'Gemm':
        return this.product(context);
      case 'MaxPool':
      case 'GlobalMaxPool':
      case 'AveragePool':
      case 'GlobalAveragePool':
      case 'ReduceMean':
        return emitPool(this, context);
      case 'Softmax':
      case 'LogSoftmax':
        return this.tail(context);
      case 'Normalizer':
        return this.normalizer(context);
      case 'ArgMax':
      case 'ArgMin':
        return this.argument(context);
      case 'CumSum':
        return emitIntegerNode(this, context);
      case 'Where':
        if (this.types.get(node.outputs[0]!)!.dtype === 'float32') return lowerChoice(this, context);
        return emitIntegerNode(this, context);
      default:
        if (this.isLabelLookup(node)) return this.labelLookup(context);
        if (isComparison(node) && context.type(0)!.dtype === 'float32') return lowerComparison(this, context);
        if (isInterpolation(node) && !wiringOf(context)) return lowerInterpolation(this, context);
        if (isWiring(node) && (wiringOf(context) || !this.hasIntegerOperand(node)))
          return this.wiring(context);
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

  operand(node: GraphNode, i: number, quantization: Quantization): Operand {
    const tensor = this.integer(node, i);
    return { tensor, quantization, constant: this.builder.constantOf(tensor.name) };
  }

  private qLinearConv(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    const x = this.operand(node, 0, readQuantization(context, 1, context.type(0)!.dtype, undefined));
    const w = this.operand(node, 3, readQuantization(context, 4, context.type(3)!.dtype, 0));
    const to = readQuantization(context, 6, this.types.get(output)!.dtype, undefined);
    if (!w.constant) refuseNode(node, 'weights', 'a constant', 'a value computed at run time');
    const bias = context.type(8) ? (context.constant(8)?.data as Int32Array | undefined) : undefined;
    if (context.type(8) && !(bias instanceof Int32Array))
      refuseNode(node, 'bias', 'a constant int32', context.type(8)!.dtype);
    this.setInteger(
      output,
      emitConvolution(this.builder, {
        node,
        name: node.name,
        x,
        w,
        bias,
        to,
        shape: this.shapeOf(output),
        attributes: this.windowAttributes(context, 0, 3),
      }),
    );
  }

  /** Kernel, strides, dilations and pads spelled out, `auto_pad` resolved. */
  windowAttributes(context: NodeContext, x: number, w: number): Record<string, readonly number[] | number> {
    const window = windowOf(context, context.type(x)!.shape.slice(2), context.type(w)!.shape.slice(2));
    return {
      dilations: window.dilations,
      group: intAttribute(context.node, 'group', 1),
      kernel_shape: window.kernel,
      pads: [...window.before, ...window.after],
      strides: window.strides,
    };
  }

  private qLinearMatMul(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    const a = this.operand(node, 0, readQuantization(context, 1, context.type(0)!.dtype, undefined));
    const b = this.operand(
      node,
      3,
      readQuantization(context, 4, context.type(3)!.dtype, context.type(3)!.shape.length - 1),
    );
    const to = readQuantization(context, 6, this.types.get(output)!.dtype, undefined);
    this.setInteger(
      output,
      emitMatrixProduct(this.builder, { node, name: node.name, a, b, to, shape: this.shapeOf(output) }),
    );
  }

  private qGemm(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    if (floatAttribute(node, 'alpha', 1) !== 1)
      refuseNode(node, 'alpha', '1', floatAttribute(node, 'alpha', 1));
    if (intAttribute(node, 'transA', 0) !== 0) refuseNode(node, 'transA', '0', 1);
    if (!context.type(7)) refuseNode(node, 'y_scale', 'given (an integer result)', 'none');
    const isTransposed = intAttribute(node, 'transB', 0) !== 0;
    const a = this.operand(node, 0, readQuantization(context, 1, context.type(0)!.dtype, undefined));
    const b = this.operand(
      node,
      3,
      readQuantization(context, 4, context.type(3)!.dtype, isTransposed ? 0 : 1),
    );
    const to = readQuantization(context, 7, this.types.get(output)!.dtype, undefined);
    if (!b.constant) refuseNode(node, 'B', 'a constant', 'a value computed at run time');
    const bias = context.type(6) ? context.constant(6) : undefined;
    if (context.type(6) && bias?.dtype !== 'int32')
      refuseNode(node, 'C', 'a constant int32', context.type(6)!.dtype);
    this.setInteger(
      output,
      emitGemm(this.builder, {
        node,
        name: node.name,
        a,
        b,
        bias,
        isTransposed,
        to,
        shape: this.shapeOf(output),
      }),
    );
  }

  /** True if the node computes on integers: its first operand that is no constant is an integer tensor. */
  private hasIntegerOperand(node: GraphNode): boolean {
    const values = node.inputs
      .filter((name) => name !== '' && !this.graph.constants.has(name))
      .map((name) => this.value(name));
    return values.length > 0 && values.every((value) => value?.kind === 'integer');
  }

  private conv(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    const x = this.dequantized(node, 0);
    const w = this.dequantized(node, 1);
    if (!w.constant) refuseNode(node, 'weights', 'a constant', 'a value computed at run time');
    const attributes = new Map(
      Object.entries(this.windowAttributes(context, 0, 1)).map(([name, value]) => [
        name,
        typeof value === 'number' ? ({ kind: 'int', value } as const) : ({ kind: 'ints', value } as const),
      ]),
    );
    const linear: LinearFloat = {
      op: 'linear',
      node: { ...node, attributes },
      shape: this.shapeOf(output),
      product: { kind: 'conv', x, w },
    };
    this.setFloat(output, context.type(2) ? { ...linear, bias: this.float(node, 2) } : linear);
  }

  private product(context: NodeContext): void {
    const { node } = context;
    const output = node.outputs[0]!;
    let a = this.dequantized(node, 0);
    let b = this.dequantized(node, 1);
    const shape = this.shapeOf(output);
    let bias: Float | undefined;
    if (node.type === 'Gemm') {
      if (floatAttribute(node, 'alpha', 1) !== 1)
        refuseNode(node, 'alpha', '1', floatAttribute(node, 'alpha', 1));
      if (intAttribute(node, 'transA', 0)) a = this.transposed(node, a);
      if (intAttribute(node, 'transB', 0)) b = this.transposed(node, b);
      if (context.type(2)) {
        if (floatAttribute(node, 'beta', 1) !== 1)
          refuseNode(node, 'beta', '1', floatAttribute(node, 'beta', 1));
        bias = this.float(node, 2);
      }
    }
    if (a.constant && b.constant) refuseNode(node, 'operands', 'one computed from an input', 'two constants');
    const linear: LinearFloat = { op: 'linear', node, shape, product: { kind: 'matmul', a, b } };
    this.setFloat(output, bias ? { ...linear, bias } : linear);
  }

  private transposed(node: GraphNode, float: DequantizedFloat): DequantizedFloat {
    const transposition: GraphNode = {
      name: `${node.name}/transposed`,
      domain: '',
      type: 'Transpose',
      inputs: ['x'],
      outputs: ['y'],
      attributes: new Map(),
    };
    const type = { dtype: float.quantization.dtype, shape: float.shape };
    const context: NodeContext = {
      node: transposition,
      opset: 13,
      type: (i) => (i === 0 ? type : undefined),
      constant: () => undefined,
    };
    return (
      this.moveDequantized(context, wiringOf(context)![0]!, [float]) ??
      refuseNode(node, 'operand', 'one that can be transposed', 'per-axis activation')
    );
  }

  private wiring(context: NodeContext): void {
    const { node } = context;
    const wirings = wiringOf(context);
    if (!wirings)
      refuseNode(node, 'indices or mode', 'known when the model is loaded, no interpolation', node.type);
    wirings.forEach((wiring, i) => {
      const name = node.outputs[i];
      if (!name) return;
      const inputs = wiring.sources.map((source) => this.value(node.inputs[source]!)!);
      if (inputs.every((value) => value.kind === 'integer')) {
        const tensors = wiring.sources.map((source) => this.integer(node, source));
        this.setInteger(name, emitWiring(this.builder, context, wiring, tensors, wiring.fill ?? 0));
      } else {
        const floats = wiring.sources.map((source) => this.float(node, source));
        this.setFloat(
          name,
          this.moveDequantized(context, wiring, floats) ?? this.moveLater(context, wiring, floats),
        );
      }
    });
  }

  /** Moves the integers at once when all sources mean the same by them; undefined when they do not. */
  private moveDequantized(
    context: NodeContext,
    wiring: Wiring,
    floats: readonly Float[],
  ): DequantizedFloat | undefined {
    const [first] = floats;
    if (first?.op !== 'dequantized') return undefined;
    const { quantization } = first;
    if (
      !floats.every(
        (float) => float.op === 'dequantized' && sameQuantization(float.quantization, quantization),
      )
    )
      return undefined;
    const sources = floats as DequantizedFloat[];
    const axis =
      quantization.axis === undefined
        ? undefined
        : movedAxis(context, quantization, first.shape, wiring.shape);
    if (quantization.axis !== undefined && axis === undefined) return undefined;
    let fill = 0;
    if (wiring.fill !== undefined) {
      if (quantization.axis !== undefined) return undefined;
      const params = perTensor(context.node, quantization);
      fill = quantize(wiring.fill, params, quantization.dtype);
      if (dequantize(fill, params) !== wiring.fill) return undefined;
    }
    const target = { ...quantization, axis };
    if (sources.every((source) => source.constant)) {
      const values = (i: number): ConstantTensor | undefined => sources[wiring.sources.indexOf(i)]?.constant;
      const constant = moved({ ...context, constant: values }, wiring.sources, wiring.map(), fill, {
        dtype: quantization.dtype,
        shape: wiring.shape,
      });
      return {
        op: 'dequantized',
        tensor: this.builder.constant(context.node.name, constant),
        quantization: target,
        shape: wiring.shape,
        constant,
      };
    }
    const tensor = emitWiring(
      this.builder,
      context,
      wiring,
      sources.map((source) => source.tensor),
      fill,
    );
    return { op: 'dequantized', tensor, quantization: target, shape: wiring.shape };
  }

  private moveLater(context: NodeContext, wiring: Wiring, sources: readonly Float[]): Float {
    return {
      op: 'moved',
      node: context.node,
      shape: wiring.shape,
      sources,
      apply: (tensors, to) => {
        const { fill = 0 } = wiring;
        const integer = to ? quantize(fill, perTensor(context.node, to), to.dtype) : fill;
        return emitWiring(this.builder, context, wiring, tensors, integer);
      },
    };
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

  /** Softmax and its kin of dequantized values: computed outside the proof, so nothing proven may depend on them. */
  private tail(context: NodeContext): void {
    const { node } = context;
    if (context.opset < 13 && node.type !== 'ArgMax') {
      const { shape } = context.type(0)!;
      const axis = axisOf(node, intAttribute(node, 'axis', 1), shape.length);
      // Until opset 13 everything from the axis on was one axis; on the last axis both readings agree.
      if (sizeOf(shape.slice(axis + 1)) !== 1)
        refuseNode(node, 'axis', 'the last one (before opset 13)', axis);
      const attributes = new Map(node.attributes).set('axis', { kind: 'int', value: axis });
      return this.setFloat(node.outputs[0]!, {
        op: 'tail',
        node: { ...node, attributes },
        args: [this.float(node, 0)],
        shape,
      });
    }
    this.setFloat(node.outputs[0]!, {
      op: 'tail',
      node,
      args: [this.float(node, 0)],
      shape: this.shapeOf(node.outputs[0]!),
    });
  }

  /** ai.onnx.ml: rows divided by their norm, which only an answer may be. */
  private normalizer({ node, type }: NodeContext): void {
    const { shape } = type(0)!;
    this.setFloat(node.outputs[0]!, { op: 'tail', node, args: [this.float(node, 0)], shape });
  }

  /** A table of labels, read at the place that an ArgMax outside the proof names. */
  private isLabelLookup(node: GraphNode): boolean {
    const index = this.value(node.inputs[1] ?? '');
    const isTail = index?.kind === 'float' && index.float.op === 'tail';
    return node.type === 'Gather' && isTail && this.graph.constants.get(node.inputs[0]!)?.dtype === 'int64';
  }

  private labelLookup({ node }: NodeContext): void {
    const table = this.graph.constants.get(node.inputs[0]!)!;
    const shape = this.shapeOf(node.outputs[0]!);
    const args: Float[] = [{ op: 'constant', shape: table.shape, tensor: table }, this.float(node, 1)];
    this.setFloat(node.outputs[0]!, { op: 'tail', dtype: 'int64', node, args, shape });
  }

  /**
   * ArgMax and ArgMin of integers are proven. Of quantized values too, where nothing else reads those: then the label is
   * all that leaves the graph. Where the values leave it as well, the label follows from them outside the proof.
   */
  private argument(context: NodeContext): void {
    const { node } = context;
    const value = this.value(node.inputs[0]!)!;
    const readers =
      this.graph.nodes.filter(({ inputs }) => inputs.includes(node.inputs[0]!)).length +
      this.graph.outputs.filter(({ name }) => name === node.inputs[0]).length;
    const isAlone = readers === 1 || node.type === 'ArgMin';
    const integers =
      value.kind === 'integer' ? value.tensor : isAlone ? orderedIntegers(value.float) : undefined;
    if (!integers) return this.tail(context);
    const output = node.outputs[0]!;
    const tensor = emitInteger(
      this.builder,
      node.name,
      { dtype: 'int64', shape: this.shapeOf(output) },
      node.type,
      [integers],
      Object.fromEntries(node.attributes),
    );
    this.setInteger(output, tensor);
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
      this.biased(node, args) ?? { op: 'pointwise', node, args, shape: this.shapeOf(output) },
    );
  }

  /** MatMul or Conv followed by Add of a constant: the bias of the product. By Mul: its scale. */
  private biased(node: GraphNode, args: readonly Float[]): Float | undefined {
    if (node.type === 'Mul') {
      const linear = args.find((arg) => arg.op === 'linear');
      const factor = constantOf(args.find((arg) => arg !== linear) ?? args[0]!);
      return linear?.op === 'linear' && factor ? scaled(linear, factor) : undefined;
    }
    if (node.type !== 'Add') return undefined;
    const product = args.find((arg) => arg.op === 'linear');
    const bias = args.find((arg) => arg !== product);
    if (product?.op !== 'linear' || product.bias || !bias || !constantOf(bias)) return undefined;
    const shape = product.product.kind === 'conv' ? bias.shape : bias.shape;
    const channelAxis = product.product.kind === 'conv' ? 1 : product.shape.length - 1;
    const aligned = [...new Array<number>(product.shape.length - shape.length).fill(1), ...shape];
    const perChannel = aligned.every(
      (dim, axis) => dim === 1 || (axis === channelAxis && dim === product.shape[axis]),
    );
    return perChannel && sizeOf(product.shape) === sizeOf(this.shapeOf(node.outputs[0]!))
      ? { ...product, bias }
      : undefined;
  }
}

/** The axis along which a per-axis quantization runs after the move, if it still runs along one. */
function movedAxis(
  context: NodeContext,
  quantization: Quantization,
  from: readonly number[],
  to: readonly number[],
): number | undefined {
  const { node } = context;
  const axis = quantization.axis!;
  if (node.type === 'Transpose') {
    const perm = node.attributes.get('perm');
    return perm?.kind === 'ints' ? perm.value.indexOf(axis) : from.length - 1 - axis;
  }
  if (!['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'].includes(node.type)) return undefined;
  // The same elements: the axis survives if some new axis has its size and as many elements inside it.
  const inner = sizeOf(from.slice(axis + 1));
  const at = to.findIndex((dim, i) => dim === from[axis] && sizeOf(to.slice(i + 1)) === inner);
  return at >= 0 ? at : undefined;
}
