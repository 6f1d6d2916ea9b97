/** The float value of an expression that is known when the model is loaded, and the value of one under given leaves. */
import type { ConstantTensor } from '../onnx/graph.js';
import { sizeOf } from '../onnx/shape.js';
import { evaluatePointwise } from './pointwise.js';
import { dequantize } from './quantization.js';
import type { Float } from './value.js';

/** The float value of a leaf that is known when the model is loaded. */
export function constantOf(float: Float): ConstantTensor | undefined {
  if (float.op === 'constant') return float.tensor;
  if (float.op !== 'dequantized' || !float.constant) return undefined;
  const { quantization, constant } = float;
  const { scales, zeroPoints, axis } = quantization;
  const inner = axis === undefined ? 1 : sizeOf(constant.shape.slice(axis + 1));
  const data = Float32Array.from({ length: constant.data.length }, (_, i) => {
    const channel = axis === undefined ? 0 : Math.floor(i / inner) % scales.length;
    return dequantize(Number(constant.data[i]), { scale: scales[channel]!, zeroPoint: zeroPoints[channel]! });
  });
  return { dtype: 'float32', shape: constant.shape, data };
}

/** One element, the computed leaves given as numbers. */
export function evaluate(float: Float, values: ReadonlyMap<Float, number>): number {
  const given = values.get(float);
  if (given !== undefined) return given;
  if (float.op === 'pointwise')
    return evaluatePointwise(
      float.node,
      float.args.map((arg) => evaluate(arg, values)),
    );
  const constant = constantOf(float);
  if (!constant) throw new Error(`no value for a ${float.op} leaf`);
  return Number(constant.data[0]);
}
