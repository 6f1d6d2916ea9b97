import { requantizeFloat } from '../import/fit.js';
import type { Rescaling } from '../quantized.js';
import { dtypeRange } from '../tensor.js';
import type { NodeView } from './op.js';

/** What every integer kernel with a requantized output has: zero points in, scale and zero point out. */
export interface OutputQuantization {
  readonly dtype: 'int8' | 'uint8';
  readonly zeroPoint: number;
  /** M = f32(f32(sx·sw)/sy), one for the tensor or one a channel. */
  readonly multipliers: Float64Array;
}

/** ONNX Runtime's multiplier: both operations in float32. Refuses subnormal results. */
export function outputMultipliers(
  view: NodeView,
  inputScale: number,
  weightScales: Float64Array,
  outputScale: number,
): Float64Array {
  return weightScales.map((weightScale) => {
    const multiplier = Math.fround(Math.fround(inputScale * weightScale) / outputScale);
    if (!(multiplier >= 2 ** -126 && multiplier < Infinity)) {
      view.refuse('x_scale·w_scale/y_scale', 'a positive normal float32', `${multiplier}`);
    }
    return multiplier;
  });
}

/** y of the runtime's integer kernels: saturate(rne(f32(f32(acc)·M)) + zeroPoint). */
export function requantizeReference(
  output: OutputQuantization,
  channel: number,
  accumulator: number,
): number {
  const { min, max } = dtypeRange(output.dtype)!;
  const multiplier = output.multipliers[output.multipliers.length === 1 ? 0 : channel];
  const range = { accMin: accumulator, accMax: accumulator, yMin: min, yMax: max };
  return requantizeFloat({ multiplier, zeroPoint: output.zeroPoint, ...range }, accumulator);
}

/** The rescalings of a tensor whose channel of element i is given. */
export function outputRescalings(output: OutputQuantization): Rescaling[] {
  const { multipliers, zeroPoint } = output;
  return Array.from(multipliers, (multiplier) => ({ kind: 'multiplier', multiplier, zeroPoint }));
}
