/**
 * A float expression and the quantization asked for → the integer tensor that stands for it. This is where a QDQ graph
 * becomes a QOperator graph: everything between DequantizeLinear and QuantizeLinear turns into one integer operator.
 */
import type { AttributeValue, ConstantTensor, GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import { broadcastShapes, sizeOf, stridesOf } from '../onnx/shape.js';
import { newTensorData } from '../onnx/tensor.js';
import { integerBiasOf } from './bias.js';
import type { GraphBuilder, Tensor } from './builder.js';
import { emitPair } from './combination.js';
import { constantOf, evaluate } from './constant-float.js';
import { emitConvolution, emitMatrixProduct } from './linear.js';
import { emitUnary } from './lookup.js';
import { emitNearestSum } from './nearest-sum.js';
import { evaluatePointwise } from './pointwise.js';
import {
  dequantize,
  perTensor,
  quantize,
  quantizerDomain,
  rangeOf,
  sameQuantization,
  scaleTensor,
  zeroPointTensor,
  type Quantization,
} from './quantization.js';
import type { DequantizedFloat, Float, LinearFloat, PointwiseFloat } from './value.js';
import { broadcast, reshape } from './wires.js';

/** Channels with constants of their own become so many small expressions. */
const MAX_SLICES = 1024;

export class FloatQuantizer {
  private readonly done = new Map<Float, { to: Quantization; tensor: Tensor }[]>();

  constructor(
    private readonly builder: GraphBuilder,
    private readonly notes: string[],
    /** Emits a float outside the proof. */
    private readonly emitFloat: (float: Float) => Tensor,
  ) {}

  /** The integers of `float` under `to`; `node` is the QuantizeLinear that asks. */
  quantize(float: Float, to: Quantization, node: GraphNode): Tensor {
    const known = this.done.get(float)?.find((entry) => sameQuantization(entry.to, to));
    if (known) return known.tensor;
    const tensor = this.emit(float, to, node);
    this.done.set(float, [...(this.done.get(float) ?? []), { to, tensor }]);
    return tensor;
  }

  private emit(float: Float, to: Quantization, node: GraphNode): Tensor {
    switch (float.op) {
      case 'input':
        return this.quantizeLinear(float.name, float.shape, to, node);
      case 'constant':
        return this.builder.constant(node.outputs[0]!, this.quantizedConstant(float.tensor, to, node));
      case 'dequantized':
        return this.requantize(float, to, node);
      case 'linear':
        return this.linear(float, to);
      case 'moved':
        perTensor(node, to);
        return float.apply(
          float.sources.map((source) => this.quantize(source, to, node)),
          to,
        );
      case 'pooled':
        return float.emit(float.source, to);
      case 'pointwise':
        return this.pointwise(float, to, node);
      case 'tail':
        return this.quantizeLinear(this.emitFloat(float).name, float.shape, to, node);
    }
  }

  /** A QuantizeLinear outside the proof: of an input of the graph, or at its very end. */
  private quantizeLinear(input: string, shape: readonly number[], to: Quantization, node: GraphNode): Tensor {
    const axis: AttributeValue | undefined =
      to.axis === undefined ? undefined : { kind: 'int', value: to.axis };
    return this.builder.emit(
      node.name,
      { dtype: to.dtype, shape },
      {
        type: 'QuantizeLinear',
        domain: quantizerDomain(to.dtype),
        ...(axis && { attributes: { axis } }),
        inputs: [
          input,
          this.builder.constant('scale', scaleTensor(to)).name,
          this.builder.constant('zero_point', zeroPointTensor(to)).name,
        ],
      },
    );
  }

  private quantizedConstant(tensor: ConstantTensor, to: Quantization, node: GraphNode): ConstantTensor {
    const params = perTensor(node, to);
    const data = newTensorData(to.dtype, tensor.data.length);
    for (let i = 0; i < data.length; i++)
      data[i] = quantize(Number(tensor.data[i]), params, to.dtype) as never;
    return { dtype: to.dtype, shape: tensor.shape, data };
  }

  private requantize(float: DequantizedFloat, to: Quantization, node: GraphNode): Tensor {
    if (sameQuantization(float.quantization, to)) return float.tensor;
    const from = perTensor(node, float.quantization);
    return emitUnary(this.builder, node.name, float, to, (q) => dequantize(q, from), node);
  }

  private linear(float: LinearFloat, to: Quantization): Tensor {
    const { node, product, shape } = float;
    if (product.kind === 'matmul') {
      if (float.bias) return this.biasedProduct(float, to);
      return emitMatrixProduct(this.builder, {
        node,
        name: node.name,
        a: product.a,
        b: product.b,
        to,
        shape,
      });
    }
    const attributes: Record<string, readonly number[] | number> = {};
    for (const [name, value] of node.attributes) {
      if (
        ['dilations', 'group', 'kernel_shape', 'pads', 'strides'].includes(name) &&
        (value.kind === 'ints' || value.kind === 'int')
      )
        attributes[name] = value.value;
    }
    const autoPad = node.attributes.get('auto_pad');
    if (autoPad?.kind === 'string' && autoPad.value !== 'NOTSET')
      refuseNode(node, 'auto_pad', 'replaced by pads before lowering', autoPad.value);
    const bias =
      float.bias &&
      integerBiasOf(
        node,
        float.bias,
        product.x.quantization,
        product.w.quantization,
        product.w.shape[0]!,
        this.notes,
      );
    return emitConvolution(this.builder, {
      node,
      name: node.name,
      x: product.x,
      w: product.w,
      bias,
      to,
      shape,
      attributes,
    });
  }

  /** [.., K]·[K, N] + bias as a 1×1 convolution: the standard matrix kernel has no bias. */
  private biasedProduct(float: LinearFloat, to: Quantization): Tensor {
    const { node, product, shape } = float;
    if (product.kind !== 'matmul') throw new Error('only matrix products are biased here');
    const { a, b } = product;
    const weights = b.constant;
    if (!weights || weights.shape.length !== 2)
      refuseNode(
        node,
        'second operand',
        'a constant matrix where a bias is added',
        weights ? [...weights.shape] : 'an activation',
      );
    const [k, n] = weights.shape as [number, number];
    const rows = sizeOf(a.shape) / k;
    const data = newTensorData(weights.dtype, k * n);
    for (let i = 0; i < k; i++)
      for (let j = 0; j < n; j++) data[j * k + i] = weights.data[i * n + j]! as never;
    const kernel: ConstantTensor = { dtype: weights.dtype, shape: [n, k, 1, 1], data };
    const x = reshape(this.builder, `${node.name}/rows`, a.tensor, [rows, k, 1, 1]);
    const bias = integerBiasOf(node, float.bias!, a.quantization, b.quantization, n, this.notes);
    const y = emitConvolution(this.builder, {
      node,
      name: node.name,
      x: { tensor: x, quantization: a.quantization },
      w: {
        tensor: this.builder.constant(`${node.name}/weights`, kernel),
        quantization: { ...b.quantization, axis: b.quantization.axis === undefined ? undefined : 0 },
        constant: kernel,
      },
      bias,
      to,
      shape: [rows, n, 1, 1],
      attributes: { kernel_shape: [1, 1] },
    });
    return reshape(this.builder, `${node.name}/result`, y, shape);
  }

  private pointwise(float: PointwiseFloat, to: Quantization, node: GraphNode): Tensor {
    const leaves = [...new Set(leavesOf(float))];
    const dynamic = leaves.filter((leaf) => !constantOf(leaf));
    const clamp = clampOf(float);
    // A clamp of something that is quantized as a whole: quantization is monotone, so it commutes.
    if (clamp && (dynamic.length !== 1 || dynamic[0]!.op !== 'dequantized'))
      return this.clamp(float, clamp, to, node);
    if ((float.node.type === 'Max' || float.node.type === 'Min') && dynamic.length > 1)
      return this.extremum(float, to, node);
    for (const leaf of dynamic) {
      if (leaf.op === 'dequantized') continue;
      const got =
        leaf.op === 'input'
          ? 'a float input of the graph'
          : `the float result of node "${'node' in leaf ? leaf.node.name : ''}"`;
      refuseNode(float.node, 'inputs', 'quantized (the output of a DequantizeLinear)', got);
    }
    const axes = varyingAxes(float, leaves);
    if (axes.length > 1)
      refuseNode(float.node, 'constants and scales', 'varying along one axis at most', `${axes.length} axes`);
    if (axes.length === 1) return this.alongAxis(float, axes[0]!, to, node);
    const sources = dynamic as DequantizedFloat[];
    if (sources.length === 1) {
      const source = sources[0]!;
      const from = perTensor(float.node, source.quantization);
      const tensor = emitUnary(
        this.builder,
        float.node.name,
        source,
        to,
        (q) => evaluate(float, new Map([[source, dequantize(q, from)]])),
        float.node,
      );
      return broadcast(this.builder, float.node.name, tensor, float.shape);
    }
    for (const { quantization } of sources) requireByte(float.node, 'operand dtype', quantization.dtype);
    requireByte(float.node, 'result dtype', to.dtype);
    const joint = { ...float, shape: broadcastShapes(...sources.map(({ shape }) => shape))! };
    const [first, second] = sources as [DequantizedFloat, DequantizedFloat];
    const exact = sources.length === 2 ? emitPair(this.builder, joint, [first, second], to) : undefined;
    const tensor =
      exact ??
      emitNearestSum(this.builder, joint, to, this.notes) ??
      refuseNode(
        float.node,
        `function of ${sources.length} quantized values`,
        'a sum, or a function that one division by at most 2^18 reproduces',
        float.node.type,
      );
    return broadcast(this.builder, float.node.name, tensor, float.shape);
  }

  /** Max and Min commute with quantization, operand by operand. */
  private extremum(float: PointwiseFloat, to: Quantization, node: GraphNode): Tensor {
    perTensor(node, to);
    const inputs = float.args.map((arg) => this.quantize(arg, to, node).name);
    return this.builder.emit(
      float.node.name,
      { dtype: to.dtype, shape: float.shape },
      { type: float.node.type, inputs },
    );
  }

  /** Constants or scales differ along one axis: each index of it is an expression of its own. */
  private alongAxis(float: PointwiseFloat, axis: number, to: Quantization, node: GraphNode): Tensor {
    const fromEnd = float.shape.length - axis;
    const count = float.shape[axis]!;
    if (count > MAX_SLICES)
      refuseNode(float.node, 'constants that vary', `along an axis of at most ${MAX_SLICES}`, count);
    const slices = new Map<string, DequantizedFloat>();
    const parts = Array.from({ length: count }, (_, k) =>
      this.quantize(this.slice(float, fromEnd, k, slices), to, node),
    );
    return this.builder.emit(
      float.node.name,
      { dtype: to.dtype, shape: float.shape },
      {
        type: 'Concat',
        inputs: parts.map(({ name }) => name),
        attributes: { axis: { kind: 'int', value: axis } },
      },
    );
  }

  /** The expression at index k of the axis that lies `fromEnd` places before the end. */
  private slice(float: Float, fromEnd: number, k: number, slices: Map<string, DequantizedFloat>): Float {
    const axis = float.shape.length - fromEnd;
    if (axis < 0 || (float.shape[axis] === 1 && float.op !== 'pointwise')) return float;
    const shape = float.shape.map((dim, i) => (i === axis ? 1 : dim));
    const constant = constantOf(float);
    if (constant) {
      const inner = sizeOf(shape.slice(axis + 1));
      const data = (constant.data as Float32Array).filter(
        (_, i) => Math.floor(i / inner) % float.shape[axis]! === k,
      );
      return { op: 'constant', shape, tensor: { dtype: 'float32', shape, data } };
    }
    if (float.op === 'pointwise')
      return { ...float, shape, args: float.args.map((arg) => this.slice(arg, fromEnd, k, slices)) };
    if (float.op !== 'dequantized') throw new Error('leaves were checked to be quantized');
    const { tensor, quantization } = float;
    const key = `${tensor.name}|${axis}|${k}`;
    const known = slices.get(key);
    if (known) return known;
    const bounds = [[k], [k + 1], [axis]].map((values) => this.builder.int64s('slice', values).name);
    const part = this.builder.emit(
      `${tensor.name}/${k}`,
      { dtype: tensor.dtype, shape },
      { type: 'Slice', inputs: [tensor.name, ...bounds] },
    );
    const own = quantization.axis === axis;
    const result: DequantizedFloat = {
      op: 'dequantized',
      shape,
      tensor: part,
      quantization: own
        ? {
            ...quantization,
            axis: undefined,
            scales: quantization.scales.slice(k, k + 1),
            zeroPoints: [quantization.zeroPoints[k]!],
          }
        : quantization,
    };
    slices.set(key, result);
    return result;
  }

  private clamp(
    float: PointwiseFloat,
    { argument, low, high }: Clamp,
    to: Quantization,
    node: GraphNode,
  ): Tensor {
    const params = perTensor(node, to);
    const inner = this.quantize(argument, to, node);
    const [yMin, yMax] = rangeOf(to.dtype);
    const [from, upTo] = [quantize(low, params, to.dtype), quantize(high, params, to.dtype)];
    if (from <= yMin && upTo >= yMax) return inner;
    return this.builder.emit(
      float.node.name,
      { dtype: to.dtype, shape: float.shape },
      {
        type: 'Clip',
        inputs: [
          inner.name,
          this.builder.scalar('low', to.dtype, from).name,
          this.builder.scalar('high', to.dtype, upTo).name,
        ],
      },
    );
  }
}

/** All pairs of 8-bit values can be looked at; of wider ones there are too many. */
function requireByte(node: GraphNode, what: string, dtype: string): void {
  if (dtype !== 'int8' && dtype !== 'uint8') refuseNode(node, what, 'int8 or uint8', dtype);
}

function leavesOf(float: Float): Float[] {
  return float.op === 'pointwise' ? float.args.flatMap(leavesOf) : [float];
}

/** Axes of the result along which a constant, or the scale of an operand, is not one number. */
function varyingAxes(float: PointwiseFloat, leaves: readonly Float[]): number[] {
  const axes = new Set<number>();
  for (const leaf of leaves) {
    const shift = float.shape.length - leaf.shape.length;
    const constant = constantOf(leaf);
    if (!constant) {
      if (leaf.op === 'dequantized' && leaf.quantization.axis !== undefined)
        axes.add(leaf.quantization.axis + shift);
      continue;
    }
    const data = constant.data as Float32Array;
    stridesOf(leaf.shape).forEach((stride, axis) => {
      const varies = data.some(
        (value, i) => Math.floor(i / stride) % leaf.shape[axis]! > 0 && value !== data[i - stride],
      );
      if (varies) axes.add(axis + shift);
    });
  }
  return [...axes];
}

interface Clamp {
  readonly argument: Float;
  readonly low: number;
  readonly high: number;
}

/** Relu or Clip with constant scalar bounds. */
function clampOf(float: PointwiseFloat): Clamp | undefined {
  const { node, args } = float;
  if (node.type === 'Relu') return { argument: args[0]!, low: 0, high: Infinity };
  if (node.type !== 'Clip') return undefined;
  const bounds = [-Infinity, Infinity].map((x) =>
    evaluatePointwise(node, [x, ...args.slice(1).map((arg) => Number(constantOf(arg)?.data[0]))]),
  );
  return bounds.some(Number.isNaN) ? undefined : { argument: args[0]!, low: bounds[0]!, high: bounds[1]! };
}
