/**
 * Rescale (verinfer 1), the integer form that import gives to sums and changes of scale of quantized tensors:
 * y = clamp(floor((Σ coefficientᵢ·xᵢ + offset) / divisor)) on the stored integers, numpy broadcasting. Import has
 * checked the form against the float formula for every tuple of values; the executed graph keeps the float nodes.
 * With `ties` = 1 the division rounds to the nearest and half to even, before `zero_point` is added; divisor 2^k, k ≥ 2.
 */
import { AffineWriter } from '../affine.js';
import { roundHalfEven, type RequantizationFit } from '../import/fit.js';
import { Quantized } from '../quantized.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { broadcastIndices, broadcastShape, dtypeRange, elementCount } from '../tensor.js';
import { defineOp } from './op.js';

interface Rescale {
  readonly coefficients: readonly number[];
  readonly offset: number;
  readonly divisor: number;
  /** log2 of the divisor where ties go to even. */
  readonly evenShift: number | undefined;
  readonly zeroPoint: number;
  readonly dtype: 'int8' | 'uint8';
  readonly shape: readonly number[];
}

/** ONNX codes of TensorProto.DataType. */
const DTYPE_CODES: Readonly<Record<number, 'int8' | 'uint8'>> = { 2: 'uint8', 3: 'int8' };

export const rescale = defineOp<Rescale>({
  type: 'Rescale',
  domain: 'verinfer',
  supports: 'sums and changes of scale of 8-bit tensors (the integer form of Add, Sub, Clip, requantization)',

  attributes(view) {
    const count = view.operands.length;
    const coefficients = view.ints('coefficients') ?? [];
    if (coefficients.length !== count)
      view.refuse('coefficients', `${count} values`, `${coefficients.length}`);
    const divisor = view.int('divisor', 1);
    if (!Number.isSafeInteger(divisor) || divisor < 1) view.refuse('divisor', 'positive', `${divisor}`);
    const dtype = DTYPE_CODES[view.int('to', 3)];
    if (!dtype) view.refuse('to', '2 (uint8) or 3 (int8)', `${view.int('to', 3)}`);
    let shape: readonly number[] = [];
    for (let i = 0; i < count; i++) {
      const operand = view.operand(i, `x${i}`);
      view.requireByte(operand, `x${i} dtype`);
      shape =
        broadcastShape(shape, operand.shape) ??
        view.refuse('shapes', 'broadcastable', `[${shape.join(',')}] and [${operand.shape.join(',')}]`);
    }
    const evenShift = view.int('ties', 0) === 1 ? Math.log2(divisor) : undefined;
    if (evenShift !== undefined && !(Number.isInteger(evenShift) && evenShift >= 2)) {
      view.refuse('divisor', 'a power of two of at least 4, for ties to even', `${divisor}`);
    }
    const offset = view.int('offset', 0);
    return { coefficients, offset, divisor, evenShift, zeroPoint: view.int('zero_point', 0), dtype, shape };
  },

  operands: ({ coefficients }) => coefficients.map((_, i) => i),
  shape: ({ dtype, shape }) => [{ dtype, shape }],

  reference({ coefficients, offset, divisor, evenShift, zeroPoint, dtype }, inputs, [type]) {
    const { min, max } = dtypeRange(dtype)!;
    const data = new Int32Array(elementCount(type.shape));
    const indices = inputs.map((input) => broadcastIndices(input.shape, type.shape));
    for (let i = 0; i < data.length; i++) {
      let sum = offset;
      for (let k = 0; k < inputs.length; k++) sum += coefficients[k] * inputs[k].data[indices[k][i]];
      const quotient = evenShift === undefined ? Math.floor(sum / divisor) : roundHalfEven(sum / divisor);
      data[i] = Math.min(Math.max(quotient + zeroPoint, min), max);
    }
    return [{ ...type, data }];
  },

  constrain(
    { circuit, label, types: [type] },
    { coefficients, offset, divisor, evenShift, zeroPoint, dtype },
    inputs,
  ) {
    const values = inputs.map((input) => input.force(circuit));
    const indices = inputs.map((input) => broadcastIndices(input.type.shape, type.shape));
    // The tie relation divides the bare accumulator, so its offset is added before.
    const inner = evenShift === undefined ? 0 : offset;
    const writer = new AffineWriter();
    const sum = new LinearCombination();
    for (let i = 0; i < elementCount(type.shape); i++) {
      let lo = inner;
      let hi = inner;
      sum.clear().constant(inner);
      values.forEach((value, k) => {
        const at = indices[k][i];
        const ends = [coefficients[k] * value.lo[at], coefficients[k] * value.hi[at]];
        sum.addElement(value, at, coefficients[k]);
        lo += Math.min(...ends);
        hi += Math.max(...ends);
      });
      writer.combination(sum.normalize(), lo, hi);
    }
    const { min, max } = dtypeRange(dtype)!;
    const fit: RequantizationFit =
      evenShift === undefined
        ? { kind: 'floor', a: 1, b: divisor, c: offset, exceptions: [] }
        : { kind: 'halfEven', m: 1, k: evenShift };
    return [
      Quantized.pending(type, label, {
        accumulator: writer.finish(type.shape),
        rescalings: [{ kind: 'fit', fit, zeroPoint }],
        rescalingOf: () => 0,
        yMin: min,
        yMax: max,
      }),
    ];
  },
});
