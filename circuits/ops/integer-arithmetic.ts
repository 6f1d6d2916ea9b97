/**
 * Add, Sub, Mul, Neg, Abs (ai.onnx 13, 14) on integers, results as carried.ts says. Sums cost nothing but the wrap, and
 * that only where the bounds reach beyond the type. ReduceSum, ReduceMax, ReduceMin (13).
 * Refused: a ReduceSum of int32 that can leave its type.
 */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import * as max from '../gadgets/max.js';
import type { Dtype } from '../onnx/graph.js';
import { reducedAxes } from '../onnx/wiring.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { broadcastIndices, broadcastShape, dtypeRange, elementCount, stridesOf } from '../tensor.js';
import { accumulate } from './bilinear.js';
import { requireInteger, settle, settled, settledProduct, settleProduct, targetOf } from './carried.js';
import { defineOp, type NodeView, type Op } from './op.js';

const SUPPORTS = 'integer types; wraps around, of uint32 and 64-bit types results inside int32';

interface Pairwise {
  readonly shape: readonly number[];
}

function pairwise(
  type: string,
  compute: (x: number, y: number, dtype: Dtype) => number,
  combine: (
    circuit: Builder,
    x: AffineTensor,
    y: AffineTensor,
    shape: readonly number[],
    dtype: Dtype,
  ) => AffineTensor,
): Op {
  return defineOp<Pairwise>({
    type,
    domain: '',
    supports: SUPPORTS,
    attributes(view) {
      const [a, b] = [view.operand(0, 'A'), view.operand(1, 'B')];
      requireInteger(view, a);
      if (b.dtype !== a.dtype) view.refuse('dtype of B', a.dtype, b.dtype);
      const shape =
        broadcastShape(a.shape, b.shape) ??
        view.refuse('shapes', 'broadcastable', `[${a.shape.join(',')}] and [${b.shape.join(',')}]`);
      return { shape };
    },
    operands: () => [0, 1],
    shape: ({ shape }, [a]) => [{ dtype: a.dtype, shape }],
    reference(_, [a, b], [outputType]) {
      const [left, right] = [a, b].map(({ shape }) => broadcastIndices(shape, outputType.shape));
      const data = Int32Array.from(left, (at, i) => compute(a.data[at], b.data[right[i]], outputType.dtype));
      return [{ ...outputType, data }];
    },
    constrain({ circuit, types: [outputType] }, { shape }, inputs) {
      const [a, b] = inputs.map((input) => input.force(circuit));
      return [Quantized.of(outputType, combine(circuit, a, b, shape, outputType.dtype))];
    },
  });
}

/** x + scale·y, broadcast. */
function linear(x: AffineTensor, y: AffineTensor, shape: readonly number[], scale: 1 | -1): AffineTensor {
  const [left, right] = [x, y].map((tensor) => broadcastIndices(tensor.shape, shape));
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let i = 0; i < left.length; i++) {
    const [p, q] = [left[i], right[i]];
    sum.clear().addElement(x, p, 1).addElement(y, q, scale).normalize();
    const ends = scale === 1 ? [y.lo[q], y.hi[q]] : [-y.hi[q], -y.lo[q]];
    writer.combination(sum, x.lo[p] + ends[0], x.hi[p] + ends[1]);
  }
  return writer.finish(shape);
}

export const add = pairwise(
  'Add',
  (x, y, dtype) => settled('Add', x + y, dtype),
  (circuit, x, y, shape, dtype) => settle(circuit, linear(x, y, shape, 1), dtype),
);
export const subtract = pairwise(
  'Sub',
  (x, y, dtype) => settled('Sub', x - y, dtype),
  (circuit, x, y, shape, dtype) => settle(circuit, linear(x, y, shape, -1), dtype),
);
/** By a constant the product is a combination; it wraps like a sum. */
export const multiply = pairwise(
  'Mul',
  (x, y, dtype) => settledProduct('Mul', x, y, dtype),
  (circuit, x, y, shape, dtype) => {
    const [left, right] = [x, y].map((tensor) => broadcastIndices(tensor.shape, shape));
    if (!isExact(x, left, y, right))
      return settleProduct(circuit, gathered(x, shape, left), gathered(y, shape, right), dtype);
    const products = accumulate(circuit, x, y, shape, (product, end) => {
      left.forEach((at, i) => {
        product(at, right[i]);
        end();
      });
    });
    return settle(circuit, products, dtype);
  },
);

/**
 * One operand is constant, and what its numbers make of the other's combination stays inside the safe integers. A
 * combination of larger coefficients comes from a wrap; on a wire of its own it is multiplied exactly.
 */
function isExact(x: AffineTensor, left: Uint32Array, y: AffineTensor, right: Uint32Array): boolean {
  if (x.wires.length > 0 && y.wires.length > 0) return false;
  let coefficient = 1;
  for (const { coefficients } of [x, y])
    for (const value of coefficients) coefficient = Math.max(coefficient, Math.abs(value));
  if (coefficient > 2 ** 32) return false;
  const most = (tensor: AffineTensor, i: number) => Math.max(-tensor.lo[i], tensor.hi[i]);
  return left.every((at, i) => {
    const [p, q] = [most(x, at), most(y, right[i])];
    return Number.isSafeInteger(p * q) && Number.isSafeInteger(coefficient * (x.wires.length > 0 ? q : p));
  });
}

function unary(
  type: string,
  compute: (x: number) => number,
  combine: (circuit: Builder, x: AffineTensor) => AffineTensor,
): Op {
  return defineOp<null>({
    type,
    domain: '',
    supports: SUPPORTS,
    attributes(view) {
      requireInteger(view, view.operand(0, 'X'));
      return null;
    },
    operands: () => [0],
    shape: (_, [x]) => [x],
    reference(_, [x]) {
      return [{ ...x, data: x.data.map((value) => settled(type, compute(value), x.dtype)) }];
    },
    constrain({ circuit, types: [outputType] }, _, [x]) {
      const result = combine(circuit, x.force(circuit));
      return [Quantized.of(outputType, settle(circuit, result, outputType.dtype))];
    },
  });
}

function negated(x: AffineTensor): AffineTensor {
  return {
    ...x,
    coefficients: x.coefficients.map((value) => -value),
    constants: x.constants.map((value) => -value),
    lo: x.hi.map((value) => -value),
    hi: x.lo.map((value) => -value),
  };
}

export const negate = unary(
  'Neg',
  (x) => -x,
  (_, x) => negated(x),
);
/** |x| = −min(x, −x): the minimum fits the type even where the absolute value does not. */
export const absolute = unary('Abs', Math.abs, (circuit, x) =>
  negated(max.constrainMin(circuit, x, negated(x))),
);

interface Reduction {
  readonly shape: readonly number[];
  /** Elements of each group, group by group. */
  readonly members: Int32Array;
  readonly groupSize: number;
}

export const reduceSum = defineOp<Reduction>({
  type: 'ReduceSum',
  domain: '',
  supports: 'integer types, constant axes; an int32 sum must stay inside the type',
  attributes(view) {
    const x = view.operand(0, 'data');
    requireInteger(view, x);
    return reductionOf(view, x.shape);
  },
  operands: () => [0],
  shape: ({ shape }, [x]) => [{ dtype: x.dtype, shape }],
  reference({ members, groupSize }, [x], [type]) {
    const data = Int32Array.from({ length: elementCount(type.shape) }, (_, group) => {
      let sum = 0;
      for (let k = 0; k < groupSize; k++) sum += x.data[members[group * groupSize + k]];
      return targetOf(type.dtype).wraps ? sum : settled('ReduceSum', sum, type.dtype);
    });
    return [{ ...type, data }];
  },
  constrain({ circuit, types: [type] }, { members, groupSize }, [x]) {
    const values = x.force(circuit);
    const writer = new AffineWriter();
    const sum = new LinearCombination();
    for (let group = 0; group < members.length; group += groupSize) {
      let [lo, hi] = [0, 0];
      sum.clear();
      for (let k = group; k < group + groupSize; k++) {
        sum.addElement(values, members[k], 1);
        lo += values.lo[members[k]];
        hi += values.hi[members[k]];
      }
      writer.combination(sum.normalize(), lo, hi);
    }
    const { min, max: top, wraps } = targetOf(type.dtype);
    const sums = writer.finish(type.shape);
    if (wraps && (sums.lo.some((value) => value < min) || sums.hi.some((value) => value > top))) {
      throw new RangeError(`a sum can leave ${type.dtype}`);
    }
    return [Quantized.of(type, settle(circuit, sums, type.dtype))];
  },
});

function reduceExtremum(type: 'ReduceMax' | 'ReduceMin'): Op {
  const choose = type === 'ReduceMax' ? Math.max : Math.min;
  return defineOp<Reduction>({
    type,
    domain: '',
    supports: 'integer types and bool, constant axes',
    attributes(view) {
      const x = view.operand(0, 'data');
      if (!dtypeRange(x.dtype)) view.refuse('dtype', 'an integer type or bool', x.dtype);
      return reductionOf(view, x.shape);
    },
    operands: () => [0],
    shape: ({ shape }, [x]) => [{ dtype: x.dtype, shape }],
    reference({ members, groupSize }, [x], [outputType]) {
      const data = Int32Array.from({ length: elementCount(outputType.shape) }, (_, group) =>
        choose(...Array.from({ length: groupSize }, (_unused, k) => x.data[members[group * groupSize + k]])),
      );
      return [{ ...outputType, data }];
    },
    constrain({ circuit, types: [outputType] }, { members, groupSize }, [x]) {
      const values = x.force(circuit);
      let best: AffineTensor | undefined;
      for (let k = 0; k < groupSize; k++) {
        const layer = gathered(
          values,
          outputType.shape,
          members.filter((_member, i) => i % groupSize === k),
        );
        if (best === undefined) best = layer;
        else
          best =
            type === 'ReduceMax'
              ? max.constrain(circuit, best, layer)
              : max.constrainMin(circuit, best, layer);
      }
      return [Quantized.of(outputType, best!)];
    },
  });
}

export const reduceMax = reduceExtremum('ReduceMax');
export const reduceMin = reduceExtremum('ReduceMin');

function reductionOf(view: NodeView, from: readonly number[]): Reduction {
  const axes = reducedAxes(view.context);
  const keep = view.int('keepdims', 1) === 1;
  const outer = from.flatMap((size, axis) => (axes.has(axis) ? [] : [{ size, axis }]));
  const inner = from.flatMap((size, axis) => (axes.has(axis) ? [{ size, axis }] : []));
  const strides = stridesOf(from);
  const offsets = (list: readonly { size: number; axis: number }[]) =>
    list.reduce<number[]>(
      (all, { size, axis }) =>
        all.flatMap((at) => Array.from({ length: size }, (_, i) => at + i * strides[axis])),
      [0],
    );
  const groups = offsets(outer);
  const group = offsets(inner);
  const members = Int32Array.from(groups.flatMap((at) => group.map((offset) => at + offset)));
  const shape = from.flatMap((size, axis) => (axes.has(axis) ? (keep ? [1] : []) : [size]));
  return { shape, members, groupSize: group.length };
}
