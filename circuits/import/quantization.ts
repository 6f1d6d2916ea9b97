/** Scales and zero points: reading them, checking them (F07), and the float32 formulas of Quantize and Dequantize. */
import { ModelRefused } from '../errors.js';
import type { ConstantTensor, Dtype, GraphNode } from '../onnx/graph.js';
import { axisOf, intAttribute, refuseNode, whereOf } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import { newTensorData } from '../onnx/tensor.js';
import { roundHalfEven } from './fit.js';

export interface Quantization {
  readonly dtype: Dtype;
  /** One number, or one for each index of `axis`. */
  readonly scales: Float32Array;
  readonly zeroPoints: readonly number[];
  readonly axis: number | undefined;
}

const ranges: Partial<Record<Dtype, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, 2 ** 31 - 1],
  bool: [0, 1],
};

/** Inclusive range of an integer dtype; of 64-bit types what a circuit carries. */
export function rangeOf(dtype: Dtype): readonly [number, number] {
  const range = ranges[dtype];
  if (!range)
    throw new ModelRefused({
      where: 'quantization',
      what: 'dtype',
      expected: Object.keys(ranges).join(', '),
      got: dtype,
    });
  return range;
}

const SMALLEST_NORMAL_F32 = 2 ** -126;

/** Refuses every scale that has no meaning: not finite, not positive, or so small that arithmetic flushes it. */
export function checkScales(node: GraphNode, what: string, scales: Float32Array): void {
  for (const scale of scales) {
    if (!(scale >= SMALLEST_NORMAL_F32 && scale < Infinity))
      refuseNode(node, what, 'a positive normal float32', scale);
  }
}

function constantAt(context: NodeContext, i: number, what: string): ConstantTensor {
  return (
    context.constant(i) ??
    refuseNode(
      context.node,
      what,
      'a constant (quantization parameters computed or given at run time are dynamic quantization)',
      'a run-time value',
    )
  );
}

/** Scale and zero point at inputs i and i + 1, of a tensor of this dtype and rank. */
export function readQuantization(
  context: NodeContext,
  i: number,
  dtype: Dtype,
  axis: number | undefined,
): Quantization {
  const { node } = context;
  const scale = constantAt(context, i, 'scale');
  if (scale.dtype !== 'float32') refuseNode(node, 'scale dtype', 'float32', scale.dtype);
  const scales = scale.data as Float32Array;
  checkScales(node, 'scale', scales);
  if (scale.shape.length > 1)
    refuseNode(node, 'scale shape', 'a scalar or one number a channel (no blocks)', [...scale.shape]);
  const zeroPoint = context.type(i + 1) ? constantAt(context, i + 1, 'zero point') : undefined;
  if (zeroPoint && zeroPoint.dtype !== dtype) refuseNode(node, 'zero point dtype', dtype, zeroPoint.dtype);
  const zeroPoints = zeroPoint
    ? Array.from(zeroPoint.data as ArrayLike<number>, Number)
    : new Array<number>(scales.length).fill(0);
  if (scales.length === 0 || zeroPoints.length !== scales.length)
    refuseNode(node, 'zero points', `${Math.max(1, scales.length)}, as many as scales`, zeroPoints.length);
  if (scales.length === 1) return { dtype, scales, zeroPoints, axis: undefined };
  if (axis === undefined) refuseNode(node, 'scale', 'one number', `${scales.length} numbers`);
  return { dtype, scales, zeroPoints, axis };
}

/** Scale and zero point of a QuantizeLinear or DequantizeLinear node. */
export function readNodeQuantization(
  context: NodeContext,
  dtype: Dtype,
  shape: readonly number[],
): Quantization {
  const { node } = context;
  if (intAttribute(node, 'block_size', 0) !== 0)
    refuseNode(node, 'block_size', '0', intAttribute(node, 'block_size', 0));
  const count = context.constant(1)?.data.length ?? 1;
  if (count === 1) return readQuantization(context, 1, dtype, undefined);
  const axis = axisOf(node, intAttribute(node, 'axis', 1), shape.length);
  if (shape[axis] !== count) refuseNode(node, 'scales', `${shape[axis]}, the size of axis ${axis}`, count);
  return readQuantization(context, 1, dtype, axis);
}

export function sameQuantization(p: Quantization, q: Quantization): boolean {
  return (
    p.dtype === q.dtype &&
    p.axis === q.axis &&
    p.scales.length === q.scales.length &&
    p.scales.every((scale, i) => scale === q.scales[i] && p.zeroPoints[i] === q.zeroPoints[i])
  );
}

/** The single scale and zero point of a per-tensor quantization. */
export function perTensor(node: GraphNode, q: Quantization): { scale: number; zeroPoint: number } {
  if (q.scales.length !== 1)
    throw new ModelRefused({
      where: whereOf(node),
      what: 'scale',
      expected: 'one number for an activation',
      got: `${q.scales.length} numbers`,
    });
  return { scale: q.scales[0]!, zeroPoint: q.zeroPoints[0]! };
}

/** DequantizeLinear: f32((q − zp)·scale). */
export function dequantize(q: number, { scale, zeroPoint }: { scale: number; zeroPoint: number }): number {
  return Math.fround(Math.fround(q - zeroPoint) * scale);
}

/** QuantizeLinear: saturate(rne(f32(x/scale)) + zp). */
export function quantize(
  x: number,
  { scale, zeroPoint }: { scale: number; zeroPoint: number },
  dtype: Dtype,
): number {
  const [low, high] = rangeOf(dtype);
  const y = roundHalfEven(Math.fround(x / scale)) + zeroPoint;
  return y < low ? low : y > high ? high : y;
}

/** Zero points as a constant: a scalar, or one a channel. */
export function zeroPointTensor(q: Quantization): ConstantTensor {
  const data = newTensorData(q.dtype, q.zeroPoints.length);
  q.zeroPoints.forEach((zeroPoint, i) => (data[i] = zeroPoint as never));
  return { dtype: q.dtype, shape: q.scales.length === 1 ? [] : [q.zeroPoints.length], data };
}

export function scaleTensor(q: Quantization): ConstantTensor {
  return { dtype: 'float32', shape: q.scales.length === 1 ? [] : [q.scales.length], data: q.scales };
}

/** Domain of the QuantizeLinear and DequantizeLinear that ONNX Runtime has for a type at the executed graph's opset. */
export function quantizerDomain(dtype: Dtype): '' | 'com.microsoft' {
  return dtype === 'int16' || dtype === 'uint16' ? 'com.microsoft' : '';
}
