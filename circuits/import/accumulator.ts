/**
 * Linear layers whose integers are not rounded: ConvInteger and MatMulInteger as uploaded, and a convolution or product
 * of dequantized operands whose float result leaves the graph. The int32 accumulator is proven; its scale is applied
 * behind it by a DequantizeLinear.
 */
import type { ConstantTensor } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import { windowAttributes } from '../onnx/window.js';
import type { GraphBuilder, Tensor } from './builder.js';
import { channelByChannel, hasOwnZeros } from './channel-zeros.js';
import { alignSignedness, flipActivation, flipConstant, type Operand } from './linear.js';
import type { Lowering } from './lowering.js';
import { perTensor, zeroPointTensor, type Quantization } from './quantization.js';
import { integerBiasOf } from './bias.js';
import { constantOf } from './constant-float.js';
import type { DequantizedFloat, Float, LinearFloat, LinearProduct } from './value.js';

/** ConvInteger or MatMulInteger: a linear float of scales 1, whose integers and whose float are the same numbers. */
export function lowerIntegerProduct(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const operand = (i: number): DequantizedFloat => {
    const tensor = lowering.integer(node, i);
    const constant = lowering.builder.constantOf(tensor.name);
    const given = context.type(i + 2) ? context.constant(i + 2) : undefined;
    if (context.type(i + 2) && !given) {
      refuseNode(
        node,
        'zero point',
        'a constant (quantization parameters computed or given at run time are dynamic quantization)',
        'a run-time value',
      );
    }
    const zeroPoints = given ? Array.from(given.data as ArrayLike<number>, Number) : [0];
    const axis =
      zeroPoints.length === 1
        ? undefined
        : i === 0
          ? Math.max(0, tensor.shape.length - 2)
          : node.type === 'ConvInteger'
            ? 0
            : tensor.shape.length - 1;
    const quantization: Quantization = {
      dtype: tensor.dtype,
      scales: new Float32Array(zeroPoints.length).fill(1),
      zeroPoints,
      axis,
    };
    if (i === 0) perTensor(node, quantization);
    return {
      op: 'dequantized',
      tensor,
      quantization,
      shape: tensor.shape,
      ...(constant ? { constant } : {}),
    };
  };
  const [x, w] = [operand(0), operand(1)];
  const product: LinearProduct =
    node.type === 'ConvInteger' ? { kind: 'conv', x, w } : { kind: 'matmul', a: x, b: w };
  const output = node.outputs[0]!;
  const attributes =
    node.type === 'ConvInteger'
      ? new Map(
          Object.entries(windowAttributes(context, 0, 1)).map(([name, value]) => [
            name,
            typeof value === 'number'
              ? ({ kind: 'int', value } as const)
              : ({ kind: 'ints', value } as const),
          ]),
        )
      : node.attributes;
  const linear: LinearFloat = {
    op: 'linear',
    node: { ...node, attributes },
    shape: lowering.shapeOf(output),
    product,
  };
  const { tensor } = accumulate(lowering.builder, linear, []);
  lowering.setInteger(output, tensor);
  lowering.setProduct(tensor.name, linear);
}

/** The accumulator of a linear float as int32, with the scale of one unit of it. */
export function accumulate(builder: GraphBuilder, linear: LinearFloat, notes: string[]): DequantizedFloat {
  const { node, product, shape } = linear;
  const [x, w] = product.kind === 'conv' ? [product.x, product.w] : [product.a, product.b];
  let tensor = integerProduct(builder, linear, x, w);
  const { scale } = perTensor(node, x.quantization);
  const scales = w.quantization.scales.map((s) => Math.fround(scale * s));
  const channelAxis = product.kind === 'conv' ? 1 : shape.length - 1;
  if (linear.bias) {
    const channels = shape[channelAxis]!;
    const bias = integerBiasOf(node, linear.bias, x.quantization, w.quantization, channels, notes);
    const biasShape = shape.map((_, axis) => (axis === channelAxis ? channels : 1));
    const constant = builder.constant(`${node.name}/bias`, { dtype: 'int32', shape: biasShape, data: bias });
    tensor = builder.emit(
      `${node.name}/biased`,
      { dtype: 'int32', shape },
      { type: 'Add', inputs: [tensor.name, constant.name] },
    );
  }
  const axis = scales.length === 1 ? undefined : channelAxis;
  const quantization: Quantization = {
    dtype: 'int32',
    scales,
    zeroPoints: new Array<number>(scales.length).fill(0),
    axis,
  };
  return { op: 'dequantized', tensor, quantization, shape };
}

/** ConvInteger or MatMulInteger. */
function integerProduct(builder: GraphBuilder, linear: LinearFloat, x: Operand, w: Operand): Tensor {
  const { node, product, shape } = linear;
  if (product.kind === 'conv' && w.constant && hasOwnZeros(w)) {
    const attributes = new Map(node.attributes).set('group', { kind: 'int', value: 1 });
    return channelByChannel(builder, node.name, x, w, shape, (own, filter, _, part) =>
      integerProduct(builder, { ...linear, shape: part, node: { ...node, attributes } }, own, filter),
    );
  }
  const aligned = alignSignedness(builder, node, x, w);
  // ConvInteger has no kernel for signed activations.
  const { x: left, w: right } =
    product.kind === 'conv' && aligned.x.quantization.dtype === 'int8' ? unsigned(builder, aligned) : aligned;
  const type = product.kind === 'conv' ? 'ConvInteger' : 'MatMulInteger';
  return builder.emit(
    node.name,
    { dtype: 'int32', shape },
    {
      type,
      inputs: [left.tensor.name, right.tensor.name, zeroPoint(builder, left), zeroPoint(builder, right)],
      attributes: type === 'ConvInteger' ? Object.fromEntries(node.attributes) : {},
    },
  );
}

function unsigned(builder: GraphBuilder, { x, w }: { x: Operand; w: Operand }): { x: Operand; w: Operand } {
  return {
    x: flipActivation(builder, x),
    w: w.constant ? flipConstant(builder, w) : flipActivation(builder, w),
  };
}

function zeroPoint(builder: GraphBuilder, { quantization }: Operand): string {
  // The scales of an operand may outnumber its zero points, which are then all one number.
  const [first] = quantization.zeroPoints;
  const same = quantization.zeroPoints.every((z) => z === first);
  const one = { ...quantization, scales: Float32Array.of(1), zeroPoints: [first!] };
  return builder.constant('zero_point', zeroPointTensor(same ? one : quantization)).name;
}

/** A linear float times positive constants along its channels: the same product at other scales. */
export function scaled(linear: LinearFloat, factor: ConstantTensor): LinearFloat | undefined {
  const { product, shape } = linear;
  const channelAxis = product.kind === 'conv' ? 1 : shape.length - 1;
  const factors = alongAxis(factor, shape, channelAxis);
  if (!factors?.every((x) => x > 0)) return undefined;
  const w = product.kind === 'conv' ? product.w : product.b;
  const { quantization } = w;
  const count = Math.max(factors.length, quantization.scales.length);
  const pick = <T>(values: ArrayLike<T>, i: number): T => values[values.length === 1 ? 0 : i]!;
  const scales = Float32Array.from(
    { length: count },
    (_, i) => pick(quantization.scales, i) * pick(factors, i),
  );
  const zeroPoints = Array.from({ length: count }, (_, i) => pick(quantization.zeroPoints, i));
  const axis = count === 1 ? undefined : product.kind === 'conv' ? 0 : w.shape.length - 1;
  const rescaled: DequantizedFloat = { ...w, quantization: { ...quantization, scales, zeroPoints, axis } };
  const bias = linear.bias && scaledBias(linear.bias, factors, shape[channelAxis]!);
  if (linear.bias && !bias) return undefined;
  return {
    ...linear,
    ...(bias && { bias }),
    product: product.kind === 'conv' ? { ...product, w: rescaled } : { ...product, b: rescaled },
  };
}

/** A constant bias, one number or one a channel, times the factors of its channels. */
function scaledBias(bias: Float, factors: Float32Array, channels: number): Float | undefined {
  const values = constantOf(bias)?.data as Float32Array | undefined;
  if (!values || (values.length !== 1 && values.length !== channels)) return undefined;
  const data = Float32Array.from(
    { length: channels },
    (_, c) => values[values.length === 1 ? 0 : c]! * factors[factors.length === 1 ? 0 : c]!,
  );
  return { op: 'constant', shape: [channels], tensor: { dtype: 'float32', shape: [channels], data } };
}

/** The values of a constant that varies along one axis of `shape` at most; one number if along none. */
export function alongAxis(
  constant: ConstantTensor,
  shape: readonly number[],
  axis: number,
): Float32Array | undefined {
  const values = Float32Array.from(constant.data as ArrayLike<number>);
  if (values.length === 1) return values;
  const aligned = [...new Array<number>(shape.length - constant.shape.length).fill(1), ...constant.shape];
  return aligned.every((dim, i) => dim === 1 || (i === axis && dim === shape[i])) ? values : undefined;
}

export function isConstantFloat(float: Float): boolean {
  return constantOf(float) !== undefined;
}
