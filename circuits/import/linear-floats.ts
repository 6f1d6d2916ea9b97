/** Convolutions and matrix products: QOperator nodes as they are, and float ones between dequantized operands. */
import type { ConstantTensor, GraphNode } from '../onnx/graph.js';
import { floatAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf, type NodeContext } from '../onnx/shape.js';
import { windowAttributes } from '../onnx/window.js';
import { wiringOf } from '../onnx/wiring.js';
import { scaled } from './accumulator.js';
import { constantOf } from './constant-float.js';
import { emitConvolution, emitGemm, emitMatrixProduct, type Operand } from './linear.js';
import type { Lowering } from './lowering.js';
import { moveDequantized } from './moves.js';
import { readQuantization, type Quantization } from './quantization.js';
import type { DequantizedFloat, Float, LinearFloat } from './value.js';

function operand(lowering: Lowering, node: GraphNode, i: number, quantization: Quantization): Operand {
  const tensor = lowering.integer(node, i);
  return { tensor, quantization, constant: lowering.builder.constantOf(tensor.name) };
}

export function lowerQLinearConv(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const x = operand(lowering, node, 0, readQuantization(context, 1, context.type(0)!.dtype, undefined));
  const w = operand(lowering, node, 3, readQuantization(context, 4, context.type(3)!.dtype, 0));
  const to = readQuantization(context, 6, lowering.dtypeOf(output), undefined);
  if (!w.constant) refuseNode(node, 'weights', 'a constant', 'a value computed at run time');
  const bias = context.type(8) ? (context.constant(8)?.data as Int32Array | undefined) : undefined;
  if (context.type(8) && !(bias instanceof Int32Array))
    refuseNode(node, 'bias', 'a constant int32', context.type(8)!.dtype);
  lowering.setInteger(
    output,
    emitConvolution(lowering.builder, {
      node,
      name: node.name,
      x,
      w,
      bias,
      to,
      shape: lowering.shapeOf(output),
      attributes: windowAttributes(context, 0, 3),
    }),
  );
}

export function lowerQLinearMatMul(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const a = operand(lowering, node, 0, readQuantization(context, 1, context.type(0)!.dtype, undefined));
  const b = operand(
    lowering,
    node,
    3,
    readQuantization(context, 4, context.type(3)!.dtype, context.type(3)!.shape.length - 1),
  );
  const to = readQuantization(context, 6, lowering.dtypeOf(output), undefined);
  lowering.setInteger(
    output,
    emitMatrixProduct(lowering.builder, { node, name: node.name, a, b, to, shape: lowering.shapeOf(output) }),
  );
}

export function lowerQGemm(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  if (floatAttribute(node, 'alpha', 1) !== 1)
    refuseNode(node, 'alpha', '1', floatAttribute(node, 'alpha', 1));
  if (intAttribute(node, 'transA', 0) !== 0) refuseNode(node, 'transA', '0', 1);
  if (!context.type(7)) refuseNode(node, 'y_scale', 'given (an integer result)', 'none');
  const isTransposed = intAttribute(node, 'transB', 0) !== 0;
  const a = operand(lowering, node, 0, readQuantization(context, 1, context.type(0)!.dtype, undefined));
  const b = operand(
    lowering,
    node,
    3,
    readQuantization(context, 4, context.type(3)!.dtype, isTransposed ? 0 : 1),
  );
  const to = readQuantization(context, 7, lowering.dtypeOf(output), undefined);
  if (!b.constant) refuseNode(node, 'B', 'a constant', 'a value computed at run time');
  const bias = context.type(6) ? context.constant(6) : undefined;
  if (context.type(6) && bias?.dtype !== 'int32')
    refuseNode(node, 'C', 'a constant int32', context.type(6)!.dtype);
  lowering.setInteger(
    output,
    emitGemm(lowering.builder, {
      node,
      name: node.name,
      a,
      b,
      bias,
      isTransposed,
      to,
      shape: lowering.shapeOf(output),
    }),
  );
}

export function lowerConv(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const x = lowering.dequantized(node, 0);
  const w = lowering.dequantized(node, 1);
  if (!w.constant) refuseNode(node, 'weights', 'a constant', 'a value computed at run time');
  const attributes = new Map(
    Object.entries(windowAttributes(context, 0, 1)).map(([name, value]) => [
      name,
      typeof value === 'number' ? ({ kind: 'int', value } as const) : ({ kind: 'ints', value } as const),
    ]),
  );
  const linear: LinearFloat = {
    op: 'linear',
    node: { ...node, attributes },
    shape: lowering.shapeOf(output),
    product: { kind: 'conv', x, w },
  };
  lowering.setFloat(output, context.type(2) ? { ...linear, bias: lowering.float(node, 2) } : linear);
}

/** MatMul and Gemm of dequantized operands; alpha and beta become scales. */
export function lowerProduct(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  let a = lowering.dequantized(node, 0);
  let b = lowering.dequantized(node, 1);
  const shape = lowering.shapeOf(output);
  let bias: Float | undefined;
  if (node.type === 'Gemm') {
    if (intAttribute(node, 'transA', 0)) a = transposed(lowering, node, a);
    if (intAttribute(node, 'transB', 0)) b = transposed(lowering, node, b);
    if (context.type(2)) {
      bias = lowering.float(node, 2);
    }
  }
  if (a.constant && b.constant) refuseNode(node, 'operands', 'one computed from an input', 'two constants');
  const product: LinearFloat = { op: 'linear', node, shape, product: { kind: 'matmul', a, b } };
  const [alpha, beta] = ['alpha', 'beta'].map((name) =>
    node.type === 'Gemm' ? floatAttribute(node, name, 1) : 1,
  ) as [number, number];
  const linear =
    alpha === 1 ? product : (scaled(product, scalar(alpha)) ?? refuseNode(node, 'alpha', 'above 0', alpha));
  if (!bias) return lowering.setFloat(output, linear);
  lowering.setFloat(output, { ...linear, bias: beta === 1 ? bias : timesBeta(node, bias, beta) });
}

function scalar(value: number): ConstantTensor {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

function timesBeta(node: GraphNode, bias: Float, beta: number): Float {
  const values =
    constantOf(bias) ?? refuseNode(node, 'C', 'a constant where beta is not 1', 'a computed value');
  const data = (values.data as Float32Array).map((value) => value * beta);
  return { op: 'constant', shape: values.shape, tensor: { ...values, data } };
}

/** With constant statistics a multiplication and an addition a channel, as the fused kernels have it. */
export function lowerBatchNormalization(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  if (intAttribute(node, 'training_mode', 0) !== 0) refuseNode(node, 'training_mode', '0', 1);
  const [gamma, beta, mean, variance] = ['scale', 'B', 'input_mean', 'input_var'].map((what, i) => {
    const constant = constantOf(lowering.float(node, i + 1));
    return (
      (constant?.data as Float32Array | undefined) ?? refuseNode(node, what, 'a constant', 'a computed value')
    );
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const output = node.outputs[0]!;
  const shape = lowering.shapeOf(output);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const factors = gamma.map((value, c) => value / Math.sqrt(variance[c]! + epsilon));
  const along = [factors.length, ...shape.slice(2).map(() => 1)];
  const channels = (name: string, data: Float32Array): string => {
    lowering.setFloat(name, {
      op: 'constant',
      shape: along,
      tensor: { dtype: 'float32', shape: along, data },
    });
    return name;
  };
  const shifts = beta.map((value, c) => value - mean[c]! * factors[c]!);
  const step = (type: string, x: string, operand: string, y: string): void =>
    lowering.lowerAs(
      {
        node: {
          name: `${node.name}/${type}`,
          domain: '',
          type,
          inputs: [x, operand],
          outputs: [y],
          attributes: new Map(),
        },
        opset: 17,
        type: (i) => ({ dtype: 'float32', shape: i === 0 ? shape : along }),
        constant: () => undefined,
      },
      shape,
    );
  step('Mul', node.inputs[0]!, channels(`${node.name}/factors`, factors), `${node.name}/scaled`);
  step('Add', `${node.name}/scaled`, channels(`${node.name}/shifts`, shifts), output);
}

function transposed(lowering: Lowering, node: GraphNode, float: DequantizedFloat): DequantizedFloat {
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
    moveDequantized(lowering, context, wiringOf(context)![0]!, [float]) ??
    refuseNode(node, 'operand', 'one that can be transposed', 'per-axis activation')
  );
}

/** MatMul or Conv followed by Add of a constant: the bias of the product. By Mul: its scale. */
export function biased(lowering: Lowering, node: GraphNode, args: readonly Float[]): Float | undefined {
  if (node.type === 'Mul') {
    const linear = args.find((arg) => arg.op === 'linear');
    const factor = constantOf(args.find((arg) => arg !== linear) ?? args[0]!);
    return linear?.op === 'linear' && factor ? scaled(linear, factor) : undefined;
  }
  if (node.type !== 'Add') return undefined;
  const product = args.find((arg) => arg.op === 'linear');
  const bias = args.find((arg) => arg !== product);
  if (product?.op !== 'linear' || !bias || !constantOf(bias)) return undefined;
  const { shape } = bias;
  const channelAxis = product.product.kind === 'conv' ? 1 : product.shape.length - 1;
  const aligned = [...new Array<number>(product.shape.length - shape.length).fill(1), ...shape];
  const perChannel = aligned.every(
    (dim, axis) => dim === 1 || (axis === channelAxis && dim === product.shape[axis]),
  );
  if (!perChannel || sizeOf(product.shape) !== sizeOf(lowering.shapeOf(node.outputs[0]!))) return undefined;
  const whole = product.bias ? addedBias(product.bias, bias) : bias;
  return whole && { ...product, bias: whole };
}

/** Two constant biases, each one number or one a channel, as one. */
function addedBias(p: Float, q: Float): Float | undefined {
  const [x, y] = [p, q].map((bias) => constantOf(bias)?.data as Float32Array | undefined);
  if (!x || !y || (x.length !== y.length && x.length !== 1 && y.length !== 1)) return undefined;
  const pick = (values: Float32Array, i: number): number => values[values.length === 1 ? 0 : i]!;
  const length = Math.max(x.length, y.length);
  const data = Float32Array.from({ length }, (_, i) => pick(x, i) + pick(y, i));
  return { op: 'constant', shape: [length], tensor: { dtype: 'float32', shape: [length], data } };
}
