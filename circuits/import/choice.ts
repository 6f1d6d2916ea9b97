/**
 * Comparisons of quantized values, Where between them, and Cast of them to integers: exact on integers, because
 * DequantizeLinear is monotone. A comparison with a number becomes one with the first integer that reaches it.
 */
import type { ConstantTensor, Dtype, GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import { newTensorData, dtypeCodes } from '../onnx/tensor.js';
import type { NodeContext } from '../onnx/shape.js';
import type { Tensor } from './builder.js';
import { emitInteger } from './emit-integer.js';
import type { Lowering } from './lowering.js';
import { constantOf } from './constant-float.js';
import {
  dequantize,
  perTensor,
  quantize,
  rangeOf,
  sameQuantization,
  type Quantization,
} from './quantization.js';
import type { DequantizedFloat, Float } from './value.js';

const mirrored: Readonly<Record<string, string>> = {
  Greater: 'Less',
  GreaterOrEqual: 'LessOrEqual',
  Less: 'Greater',
  LessOrEqual: 'GreaterOrEqual',
  Equal: 'Equal',
};

export function isComparison(node: GraphNode): boolean {
  return node.domain === '' && node.type in mirrored;
}

/** A comparison of two floats, at least one of them quantized, as a bool tensor. */
export function lowerComparison(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const [x, y] = [lowering.float(node, 0), lowering.float(node, 1)];
  const known = [x, y].map(constantOf);
  const shape = lowering.shapeOf(node.outputs[0]!);
  const compare = (type: string, left: Float, right: Float, number: ConstantTensor | undefined) =>
    number
      ? (withWholeNumbers(lowering, node, type, left, number, shape) ??
        withNumbers(lowering, node, type, quantized(node, left), number, shape))
      : withQuantized(lowering, node, type, quantized(node, left), quantized(node, right), shape);
  const result = known[0]
    ? compare(mirrored[node.type]!, y, x, known[0])
    : compare(node.type, x, y, known[1]);
  lowering.setInteger(node.outputs[0]!, result);
}

/** Wider integers may meet in one float32, large ones in infinity: then the order of the integers is not that of the floats. */
const NARROW: readonly Dtype[] = ['int8', 'uint8', 'int16', 'uint16', 'bool'];

/** The integers of a float that are in its very order: one scale, at most 16 bits, all finite. */
export function orderedIntegers(float: Float): Tensor | undefined {
  if (float.op !== 'dequantized' || float.quantization.axis !== undefined) return undefined;
  const { dtype, scales, zeroPoints } = float.quantization;
  if (!NARROW.includes(dtype)) return undefined;
  const params = { scale: scales[0]!, zeroPoint: zeroPoints[0]! };
  return rangeOf(dtype).every((end) => Number.isFinite(dequantize(end, params))) ? float.tensor : undefined;
}

function quantized(node: GraphNode, float: Float): DequantizedFloat {
  if (float.op === 'dequantized' && float.quantization.axis === undefined) {
    if (orderedIntegers(float)) return float;
    return refuseNode(node, 'operand', 'of at most 16 bits and finite', float.quantization.dtype);
  }
  const got = float.op === 'dequantized' ? 'quantized per axis' : `a float ${float.op}`;
  return refuseNode(
    node,
    'operands',
    'quantized per tensor (a float model is quantized first: verinfer quantize)',
    got,
  );
}

/** The least q whose float is ≥ x (or > x), one past the range if there is none. */
function firstReaching(quantization: Quantization, node: GraphNode, x: number, isStrict: boolean): number {
  const params = perTensor(node, quantization);
  let [low, high] = rangeOf(quantization.dtype) as [number, number];
  high++;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const value = dequantize(middle, params);
    if (isStrict ? value > x : value >= x) high = middle;
    else low = middle + 1;
  }
  return low;
}

function int32s(
  lowering: Lowering,
  wish: string,
  shape: readonly number[],
  values: readonly number[],
): Tensor {
  return lowering.builder.constant(wish, { dtype: 'int32', shape, data: Int32Array.from(values) });
}

function widened(lowering: Lowering, { tensor }: DequantizedFloat): Tensor {
  return lowering.builder.emit(
    `${tensor.name}/wide`,
    { dtype: 'int32', shape: tensor.shape },
    { type: 'Cast', inputs: [tensor.name], attributes: { to: { kind: 'int', value: dtypeCodes.int32 } } },
  );
}

/** x compared with thresholds: reaching them decides all five comparisons. */
function decide(
  lowering: Lowering,
  name: string,
  type: string,
  x: Tensor,
  reached: Tensor,
  passed: Tensor,
  shape: readonly number[],
): Tensor {
  const { builder } = lowering;
  const bool = { dtype: 'bool', shape } as const;
  const test = (operator: string, threshold: Tensor) =>
    emitInteger(builder, name, bool, operator, [x, threshold]);
  switch (type) {
    case 'GreaterOrEqual':
      return test('GreaterOrEqual', reached);
    case 'Greater':
      return test('GreaterOrEqual', passed);
    case 'Less':
      return test('Less', reached);
    case 'LessOrEqual':
      return test('Less', passed);
    default:
      return emitInteger(builder, name, bool, 'And', [test('GreaterOrEqual', reached), test('Less', passed)]);
  }
}

function withNumbers(
  lowering: Lowering,
  node: GraphNode,
  type: string,
  x: DequantizedFloat,
  numbers: ConstantTensor,
  shape: readonly number[],
): Tensor {
  const values = Array.from(numbers.data as Float32Array);
  const [reached, passed] = [false, true].map((isStrict) =>
    int32s(
      lowering,
      `${node.name}/threshold`,
      numbers.shape,
      values.map((value) => firstReaching(x.quantization, node, value, isStrict)),
    ),
  ) as [Tensor, Tensor];
  return decide(lowering, node.name, type, widened(lowering, x), reached, passed, shape);
}

const WIDE: readonly Dtype[] = ['int32', 'uint32', 'int64', 'uint64'];

/**
 * Wide integers cast to float32 and compared with numbers below 2^24: rounding to float32 keeps the order and leaves
 * integers up to 2^24 alone, so the cast integer reaches a number exactly when the integer itself does.
 */
function withWholeNumbers(
  lowering: Lowering,
  node: GraphNode,
  type: string,
  x: Float,
  numbers: ConstantTensor,
  shape: readonly number[],
): Tensor | undefined {
  if (x.op !== 'dequantized' || !WIDE.includes(x.quantization.dtype)) return undefined;
  const { dtype, scales, zeroPoints, axis } = x.quantization;
  if (axis !== undefined || scales[0] !== 1 || zeroPoints[0] !== 0) return undefined;
  const values = Array.from(numbers.data as Float32Array);
  if (!values.every((value) => Math.abs(value) < 2 ** 24)) return undefined;
  const isUnsigned = dtype.startsWith('u');
  const thresholds = (of: (value: number) => number): Tensor => {
    const data = newTensorData(dtype, values.length);
    values.forEach((value, i) => {
      const whole = isUnsigned ? Math.max(of(value), 0) : of(value);
      data[i] = (dtype.endsWith('64') ? BigInt(whole) : whole) as never;
    });
    return lowering.builder.constant(`${node.name}/threshold`, { dtype, shape: numbers.shape, data });
  };
  const reached = thresholds(Math.ceil);
  const passed = thresholds((value) => Math.floor(value) + 1);
  return decide(lowering, node.name, type, x.tensor, reached, passed, shape);
}

function withQuantized(
  lowering: Lowering,
  node: GraphNode,
  type: string,
  x: DequantizedFloat,
  y: DequantizedFloat,
  shape: readonly number[],
): Tensor {
  if (sameQuantization(x.quantization, y.quantization))
    return emitInteger(lowering.builder, node.name, { dtype: 'bool', shape }, type, [x.tensor, y.tensor]);
  // The thresholds of x are a function of the 8-bit y: a table.
  const params = perTensor(node, y.quantization);
  const [reached, passed] = [false, true].map((isStrict) =>
    lookedUp(lowering, node, y, 'int32', (q) =>
      firstReaching(x.quantization, node, dequantize(q, params), isStrict),
    ),
  ) as [Tensor, Tensor];
  return decide(lowering, node.name, type, widened(lowering, x), reached, passed, shape);
}

/** A function of an 8-bit value as a table of 256 entries, rotated because Gather counts negative indices from the end. */
function lookedUp(
  lowering: Lowering,
  node: GraphNode,
  source: DequantizedFloat,
  dtype: Dtype,
  valueAt: (q: number) => number,
): Tensor {
  const { tensor } = source;
  if (tensor.dtype !== 'int8' && tensor.dtype !== 'uint8')
    refuseNode(node, 'operand dtype', 'int8 or uint8', tensor.dtype);
  const [low, high] = rangeOf(tensor.dtype);
  const data = newTensorData(dtype, 256);
  for (let q = low; q <= high; q++)
    data[q & 255] = (dtype === 'int64' || dtype === 'uint64' ? BigInt(valueAt(q)) : valueAt(q)) as never;
  const list = lowering.builder.constant(`${node.name}/table`, { dtype, shape: [256], data });
  return lowering.builder.emit(
    `${node.name}/looked-up`,
    { dtype, shape: tensor.shape },
    {
      type: 'Gather',
      inputs: [list.name, widened(lowering, source).name],
      attributes: { axis: { kind: 'int', value: 0 } },
    },
  );
}

/** Where between floats: on integers at once if both sides have or fit one quantization, else once one is asked for. */
export function lowerChoice(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const shape = lowering.shapeOf(output);
  const condition = lowering.integer(node, 0);
  const sources = [lowering.float(node, 1), lowering.float(node, 2)];
  const choose = (tensors: readonly Tensor[]): Tensor =>
    emitInteger(lowering.builder, node.name, { dtype: tensors[0]!.dtype, shape }, 'Where', [
      condition,
      ...tensors,
    ]);
  const quantization = sharedQuantization(node, sources);
  if (quantization) {
    const tensor = choose(sources.map((source) => lowering.quantizer.quantize(source, quantization, node)));
    return lowering.setFloat(output, { op: 'dequantized', tensor, quantization, shape });
  }
  lowering.setFloat(output, { op: 'moved', node, shape, sources, apply: choose });
}

/** A quantization under which both sides are exactly what they are. */
function sharedQuantization(node: GraphNode, sources: readonly Float[]): Quantization | undefined {
  const constants = sources.map(constantOf);
  const own = sources.find((source, i) => !constants[i] && source.op === 'dequantized');
  const numbers = constants.flatMap((constant) =>
    constant ? Array.from(constant.data as Float32Array) : [],
  );
  const candidate: Quantization | undefined =
    own?.op === 'dequantized'
      ? own.quantization
      : constants.every(Boolean)
        ? { dtype: 'int32', scales: Float32Array.of(unitOf(numbers)), zeroPoints: [0], axis: undefined }
        : undefined;
  if (!candidate || candidate.axis !== undefined) return undefined;
  const params = perTensor(node, candidate);
  const isExact = (value: number) =>
    !Object.is(value, -0) && dequantize(quantize(value, params, candidate.dtype), params) === value;
  const fits = sources.every((source, i) =>
    constants[i]
      ? (constants[i].data as Float32Array).every(isExact)
      : source.op === 'dequantized' && sameQuantization(source.quantization, candidate),
  );
  return fits ? candidate : undefined;
}

/** 1 for integers, else the magnitude of the first number. */
function unitOf(numbers: readonly number[]): number {
  return numbers.every(Number.isInteger) ? 1 : Math.abs(numbers.find((value) => value !== 0)!);
}

/** Cast of a quantized value to an integer type, towards zero; to bool, not zero. */
export function lowerTruncation(lowering: Lowering, context: NodeContext, dtype: Dtype): void {
  const { node } = context;
  const source = quantized(node, lowering.float(node, 0));
  const output = node.outputs[0]!;
  const params = perTensor(node, source.quantization);
  const [low, high] = rangeOf(source.quantization.dtype);
  const isPlain = params.scale === 1 && params.zeroPoint === 0;
  if (isPlain) {
    const type = { dtype, shape: source.shape };
    const attributes = { to: { kind: 'int', value: dtypeCodes[dtype] } } as const;
    const isSame = source.tensor.dtype === dtype;
    return lowering.setInteger(
      output,
      isSame
        ? source.tensor
        : lowering.builder.emit(node.name, type, { type: 'Cast', inputs: [source.tensor.name], attributes }),
    );
  }
  const truncated = (q: number): number => {
    const value = dequantize(q, params);
    return dtype === 'bool' ? Number(value !== 0) : Math.trunc(value) + 0;
  };
  const ends = dtype === 'bool' ? [0, 1] : [truncated(low), truncated(high)];
  const [min, max] = rangeOf(dtype);
  // C leaves a float outside the integer type undefined.
  if (ends[0]! < min || ends[1]! > max)
    refuseNode(
      node,
      'values',
      `inside ${dtype}`,
      `${dequantize(low, params)} to ${dequantize(high, params)}`,
    );
  lowering.setInteger(output, lookedUp(lowering, node, source, dtype, truncated));
}
