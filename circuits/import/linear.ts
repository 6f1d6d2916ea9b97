/**
 * QLinearConv and QLinearMatMul: the integer kernels of the executed graph, exact in ONNX Runtime where both operands
 * have the same signedness. On x86 without VNNI a product of u8 and s8 saturates 16-bit partial sums, so weights of the
 * other signedness are moved by 128 (value and zero point alike), which changes no product.
 */
import type { ConstantTensor, GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import type { GraphBuilder, Tensor } from './builder.js';
import { channelByChannel, hasOwnZeros } from './channel-zeros.js';
import { roundHalfEven } from './fit.js';
import { perTensor, scaleTensor, zeroPointTensor, type Quantization } from './quantization.js';

/** An int8 or uint8 tensor with its meaning; `constant` where the values are known. */
export interface Operand {
  readonly tensor: Tensor;
  readonly quantization: Quantization;
  readonly constant?: ConstantTensor | undefined;
}

export function checkEightBit(node: GraphNode, what: string, operand: Operand): void {
  const { dtype } = operand.quantization;
  if (dtype !== 'int8' && dtype !== 'uint8') refuseNode(node, `${what} dtype`, 'int8 or uint8', dtype);
}

/** The same constant with the other signedness: values and zero points move by 128 together. */
export function flipConstant(builder: GraphBuilder, operand: Operand): Operand {
  const { dtype } = operand.quantization;
  const target = dtype === 'int8' ? 'uint8' : 'int8';
  const shift = dtype === 'int8' ? 128 : -128;
  const from = operand.constant!.data as Int8Array | Uint8Array;
  const data =
    target === 'uint8' ? Uint8Array.from(from, (x) => x + shift) : Int8Array.from(from, (x) => x + shift);
  const constant: ConstantTensor = { dtype: target, shape: operand.constant!.shape, data };
  return {
    tensor: builder.constant(operand.tensor.name, constant),
    quantization: {
      ...operand.quantization,
      dtype: target,
      zeroPoints: operand.quantization.zeroPoints.map((z) => z + shift),
    },
    constant,
  };
}

/** The same activation with the other signedness. The shift never saturates and costs no constraint. */
export function flipActivation(builder: GraphBuilder, operand: Operand): Operand {
  const { quantization, tensor } = operand;
  const target = quantization.dtype === 'int8' ? 'uint8' : 'int8';
  const shift = target === 'uint8' ? 128 : -128;
  return {
    tensor: relabel(builder, tensor, target, shift),
    quantization: {
      ...quantization,
      dtype: target,
      zeroPoints: quantization.zeroPoints.map((z) => z + shift),
    },
  };
}

/** y = x + shift in the other 8-bit type. */
export function relabel(
  builder: GraphBuilder,
  tensor: Tensor,
  dtype: 'int8' | 'uint8',
  shift: number,
): Tensor {
  const name = `${tensor.name}/${dtype}`;
  const code = dtype === 'uint8' ? 2 : 3;
  const outputs = [builder.fresh(`${name}/wide`), builder.fresh(`${name}/moved`), builder.fresh(name)];
  const by = builder.scalar('shift', 'int32', shift);
  return builder.emitTwoForms(
    name,
    { dtype, shape: tensor.shape },
    {
      domain: 'verinfer',
      type: 'Rescale',
      inputs: [tensor.name],
      attributes: {
        coefficients: { kind: 'ints', value: [1] },
        offset: { kind: 'int', value: shift },
        divisor: { kind: 'int', value: 1 },
        to: { kind: 'int', value: code },
      },
    },
    [
      { type: 'Cast', inputs: [tensor.name], attributes: { to: { kind: 'int', value: 6 } } },
      { type: 'Add', inputs: [outputs[0]!, by.name] },
      { type: 'Cast', inputs: [outputs[1]!], attributes: { to: { kind: 'int', value: code } } },
    ],
    outputs,
  );
}

/** Both operands and the output with one signedness, the activation's; a second activation follows the first. */
export function alignSignedness(
  builder: GraphBuilder,
  node: GraphNode,
  x: Operand,
  w: Operand,
): { x: Operand; w: Operand } {
  checkEightBit(node, 'input', x);
  checkEightBit(node, 'weight', w);
  if (x.quantization.dtype === w.quantization.dtype) return { x, w };
  if (w.constant) return { x, w: flipConstant(builder, w) };
  if (x.constant) return { x: flipConstant(builder, x), w };
  return { x, w: flipActivation(builder, w) };
}

/** Emits a kernel whose output has the input's signedness, and relabels if another was asked for. */
function withOutputOf(
  builder: GraphBuilder,
  node: GraphNode,
  dtype: 'int8' | 'uint8',
  to: Quantization,
  emit: (to: Quantization) => Tensor,
): Tensor {
  if (to.dtype === dtype) return emit(to);
  if (to.dtype !== 'int8' && to.dtype !== 'uint8')
    refuseNode(node, 'output dtype', 'int8 or uint8', to.dtype);
  const shift = to.dtype === 'uint8' ? 128 : -128;
  const near = emit({ ...to, dtype, zeroPoints: to.zeroPoints.map((z) => z - shift) });
  return relabel(builder, near, to.dtype, shift);
}

/** Bias as int32 at scale sx·sw, zero point 0: as given if it has that scale, else rounded to it. */
export function integerBias(
  node: GraphNode,
  values: Float32Array | number[],
  x: Quantization,
  w: Quantization,
): Int32Array {
  const { scale } = perTensor(node, x);
  return Int32Array.from(values, (value, channel) => {
    const unit = Math.fround(scale * w.scales[w.scales.length === 1 ? 0 : channel]!);
    const rounded = roundHalfEven(value / unit);
    if (Math.abs(rounded) >= 2 ** 31) refuseNode(node, 'bias', 'inside int32 at scale sx·sw', value);
    return rounded;
  });
}

export interface ConvolutionParts {
  readonly node: GraphNode;
  readonly name: string;
  readonly x: Operand;
  readonly w: Operand;
  readonly bias?: Int32Array | undefined;
  readonly to: Quantization;
  readonly shape: readonly number[];
  readonly attributes: Readonly<Record<string, readonly number[] | number>>;
}

export function emitConvolution(builder: GraphBuilder, parts: ConvolutionParts): Tensor {
  const { node, name } = parts;
  if (parts.w.constant && hasOwnZeros(parts.w)) {
    const attributes = { ...parts.attributes, group: 1 };
    return channelByChannel(builder, name, parts.x, parts.w, parts.shape, (x, w, c, shape) =>
      emitConvolution(builder, { ...parts, x, w, shape, attributes, bias: parts.bias?.slice(c, c + 1) }),
    );
  }
  const { x, w } = alignSignedness(builder, node, parts.x, parts.w);
  perTensor(node, x.quantization);
  perTensor(node, parts.to);
  const bias =
    parts.bias &&
    builder.constant(`${name}/bias`, { dtype: 'int32', shape: [parts.bias.length], data: parts.bias });
  return withOutputOf(builder, node, x.quantization.dtype as 'int8' | 'uint8', parts.to, (to) =>
    builder.emit(
      name,
      { dtype: to.dtype, shape: parts.shape },
      {
        type: 'QLinearConv',
        inputs: [
          x.tensor.name,
          builder.constant('scale', scaleTensor(x.quantization)).name,
          builder.constant('zero_point', zeroPointTensor(x.quantization)).name,
          w.tensor.name,
          builder.constant('scale', scaleTensor(w.quantization)).name,
          builder.constant('zero_point', zeroPointTensor(w.quantization)).name,
          builder.constant('scale', scaleTensor(to)).name,
          builder.constant('zero_point', zeroPointTensor(to)).name,
          ...(bias ? [bias.name] : []),
        ],
        attributes: Object.fromEntries(
          Object.entries(parts.attributes).map(([key, value]) => [
            key,
            typeof value === 'number' ? { kind: 'int', value } : { kind: 'ints', value },
          ]),
        ),
      },
    ),
  );
}

export interface MatrixProductParts {
  readonly node: GraphNode;
  readonly name: string;
  readonly a: Operand;
  readonly b: Operand;
  readonly to: Quantization;
  readonly shape: readonly number[];
}

export function emitMatrixProduct(builder: GraphBuilder, parts: MatrixProductParts): Tensor {
  const { node, name } = parts;
  const { x: a, w: b } = alignSignedness(builder, node, parts.a, parts.b);
  perTensor(node, a.quantization);
  perTensor(node, parts.to);
  return withOutputOf(builder, node, a.quantization.dtype as 'int8' | 'uint8', parts.to, (to) =>
    builder.emit(
      name,
      { dtype: to.dtype, shape: parts.shape },
      {
        type: 'QLinearMatMul',
        inputs: [
          a.tensor.name,
          builder.constant('scale', scaleTensor(a.quantization)).name,
          builder.constant('zero_point', zeroPointTensor(a.quantization)).name,
          b.tensor.name,
          builder.constant('scale', scaleTensor(b.quantization)).name,
          builder.constant('zero_point', zeroPointTensor(b.quantization)).name,
          builder.constant('scale', scaleTensor(to)).name,
          builder.constant('zero_point', zeroPointTensor(to)).name,
        ],
      },
    ),
  );
}

export interface GemmParts extends MatrixProductParts {
  readonly bias: ConstantTensor | undefined;
  readonly isTransposed: boolean;
}

/** com.microsoft QGemm: A·B + C in int32, requantized by f32(sa·sb)/sy. */
export function emitGemm(builder: GraphBuilder, parts: GemmParts): Tensor {
  const { node, name, bias, isTransposed } = parts;
  const { x: a, w: b } = alignSignedness(builder, node, parts.a, parts.b);
  return withOutputOf(builder, node, a.quantization.dtype as 'int8' | 'uint8', parts.to, (to) =>
    builder.emit(
      name,
      { dtype: to.dtype, shape: parts.shape },
      {
        domain: 'com.microsoft',
        type: 'QGemm',
        inputs: [
          a.tensor.name,
          builder.constant('scale', scaleTensor(a.quantization)).name,
          builder.constant('zero_point', zeroPointTensor(a.quantization)).name,
          b.tensor.name,
          builder.constant('scale', scaleTensor(b.quantization)).name,
          builder.constant('zero_point', zeroPointTensor(b.quantization)).name,
          bias ? builder.constant(`${name}/bias`, bias).name : '',
          builder.constant('scale', scaleTensor(to)).name,
          builder.constant('zero_point', zeroPointTensor(to)).name,
        ],
        attributes: { transB: { kind: 'int', value: isTransposed ? 1 : 0 } },
      },
    ),
  );
}
