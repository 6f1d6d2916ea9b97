/**
 * Gather (ai.onnx 13). By constant indices it moves elements (wiring.ts). By computed indices a negative one counts from
 * the end, and one outside the axis is refused for the inference. Two forms then: a small index into a constant list
 * is a table look-up (every elementwise function of an 8-bit value); anything else is a one-hot choice along the axis,
 * whose sum with constant data is free and costs one product an element with computed data.
 */
import { AffineWriter, type AffineTensor } from '../affine.js';
import { InputRefused } from '../errors.js';
import * as oneHot from '../gadgets/one-hot.js';
import * as product from '../gadgets/product.js';
import { rangeCheck } from '../gadgets/range.js';
import * as table from '../gadgets/table.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { dtypeRange, elementCount, type TensorType } from '../tensor.js';
import { axisOf } from '../onnx/node.js';
import { defineOp } from './op.js';
import { gather as move } from './wiring.js';

interface Choice {
  readonly kind: 'choice';
  readonly axis: number;
  readonly shape: readonly number[];
}

interface Move {
  readonly kind: 'move';
  readonly moves: unknown;
}

const MAX_ENTRIES = 2 ** 12;

export const gather = defineOp<Choice | Move>({
  type: 'Gather',
  domain: '',
  supports: 'constant indices, any axis; computed indices along an axis of at most 4096',

  attributes(view) {
    const indices = view.operand(1, 'indices');
    if (indices.constant) return { kind: 'move', moves: move.attributes(view) };
    if (!dtypeRange(indices.dtype)) view.refuse('indices dtype', 'an integer type', indices.dtype);
    const { shape, dtype } = view.operand(0, 'data');
    if (!dtypeRange(dtype)) view.refuse('data dtype', 'an integer type', dtype);
    const axis = axisOf(view.node, view.int('axis', 0), shape.length);
    const size = shape[axis];
    if (size > MAX_ENTRIES) view.refuse(`size of axis ${axis}`, `at most ${MAX_ENTRIES}`, `${size}`);
    return {
      kind: 'choice',
      axis,
      shape: [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)],
    };
  },

  operands: (gather) => (gather.kind === 'choice' ? [0, 1] : move.operands(gather.moves)),
  shape: (gather, inputs) =>
    gather.kind === 'choice'
      ? [{ dtype: inputs[0].dtype, shape: gather.shape }]
      : move.shape(gather.moves, inputs),

  reference(gather, inputs, types) {
    if (gather.kind === 'move') return move.reference(gather.moves, inputs, types);
    const [data, indices] = inputs;
    const { outer, size, inner } = split(data, gather.axis);
    const at = indices.data.map((index) => {
      if (index >= -size && index < size) return index < 0 ? index + size : index;
      throw new InputRefused({
        where: 'operator Gather',
        what: 'index',
        expected: `from ${-size} to ${size - 1}`,
        got: String(index),
      });
    });
    const result = new Int32Array(elementCount(gather.shape));
    let to = 0;
    for (let o = 0; o < outer; o++)
      for (const index of at)
        for (let i = 0; i < inner; i++) result[to++] = data.data[(o * size + index) * inner + i];
    return [{ ...types[0], data: result }];
  },

  constrain(context, gather, inputs) {
    if (gather.kind === 'move') return move.constrain(context, gather.moves, inputs);
    const { circuit } = context;
    const [data, indices] = inputs.map((input) => input.force(circuit));
    const { size } = split(inputs[0].type, gather.axis);
    const least = indices.lo.reduce((all, value) => Math.min(all, value), Infinity);
    const most = indices.hi.reduce((all, value) => Math.max(all, value), -Infinity);
    // ONNX has no answer outside the axis, so neither has a proof.
    const [lo, hi] = [Math.max(least, -size), Math.min(most, size - 1)];
    if (lo > hi) throw new RangeError(`indices in [${least}, ${most}] miss an axis of ${size}`);
    if (data.shape.length === 1 && data.wires.length === 0) {
      const entry = (index: number) => data.constants[index < 0 ? index + size : index];
      const reachable = Int32Array.from({ length: hi - lo + 1 }, (_, i) => entry(lo + i));
      const inside = lo > least || hi < most ? proveInside(circuit, indices, lo, hi) : indices;
      const looked = table.constrain(circuit, inside, lo, reachable);
      return [Quantized.of(context.types[0], { ...looked, shape: gather.shape })];
    }
    return [Quantized.of(context.types[0], chosen(circuit, data, indices, inputs[0].type, gather))];
  },
});

function proveInside(circuit: Builder, indices: AffineTensor, lo: number, hi: number): AffineTensor {
  rangeCheck(circuit, 'index', indices, lo, hi - lo + 1);
  return {
    ...indices,
    lo: indices.lo.map((value) => Math.max(value, lo)),
    hi: indices.hi.map((value) => Math.min(value, hi)),
  };
}

function split({ shape }: TensorType, axis: number): { outer: number; size: number; inner: number } {
  return {
    outer: elementCount(shape.slice(0, axis)),
    size: shape[axis],
    inner: elementCount(shape.slice(axis + 1)),
  };
}

/** Σₖ hₖ·data[k] for the one-hot choice h of each index; h proves the index in [−size, size). */
function chosen(
  circuit: Builder,
  data: AffineTensor,
  indices: AffineTensor,
  type: TensorType,
  { axis, shape }: Choice,
): AffineTensor {
  const { outer, size, inner } = split(type, axis);
  const isNegative = indices.lo.some((lo) => lo < 0);
  const from = isNegative ? -size : 0;
  const width = size - from;
  const count = indices.lo.length;
  const first = oneHot.constrain(circuit, indices, from, width);
  // Position k is chosen by the index k or k − size.
  const choices = new AffineWriter();
  for (let t = 0; t < count; t++)
    for (let k = 0; k < size; k++) {
      choices.term(first + t * width + k, 1);
      if (isNegative) choices.term(first + t * width + k + size, 1);
      choices.end(0, 0, 1);
    }
  const choice = choices.finish([count, size]);
  const left = new Uint32Array(outer * count * inner * size);
  const right = new Uint32Array(left.length);
  let n = 0;
  for (let o = 0; o < outer; o++)
    for (let t = 0; t < count; t++)
      for (let i = 0; i < inner; i++)
        for (let k = 0; k < size; k++, n++) {
          left[n] = t * size + k;
          right[n] = (o * size + k) * inner + i;
        }
  const isConstant = data.wires.length === 0;
  const products = isConstant
    ? undefined
    : product.constrain(circuit, choice, data, { left, right, leftZero: 0, rightZero: 0 });
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let to = 0; to < outer * count * inner; to++) {
    let [lo, hi] = [Infinity, -Infinity];
    sum.clear();
    for (n = to * size; n < (to + 1) * size; n++) {
      lo = Math.min(lo, data.lo[right[n]]);
      hi = Math.max(hi, data.hi[right[n]]);
      if (products) sum.addElement(products, n, 1);
      else sum.addElement(choice, left[n], data.constants[right[n]]);
    }
    writer.combination(sum.normalize(), lo, hi);
  }
  return writer.finish(shape);
}
