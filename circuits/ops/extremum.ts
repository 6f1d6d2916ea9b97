/**
 * Max, Min (ai.onnx 13) and Clip (ai.onnx 13) on integers, numpy broadcasting. Against a single constant a pending
 * rounding only narrows its clamp; otherwise each pair costs one comparison.
 */
import { constantTensor, gathered, type AffineTensor } from '../affine.js';
import * as max from '../gadgets/max.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import {
  broadcastIndices,
  broadcastShape,
  dtypeRange,
  elementCount,
  type IntTensor,
  type TensorType,
} from '../tensor.js';
import { defineOp, integers, type NodeView, type Op } from './op.js';

interface Bounds {
  readonly lo: number;
  readonly hi: number;
}

function extremum(type: 'Max' | 'Min'): Op {
  const choose = type === 'Max' ? Math.max : Math.min;
  return defineOp<{ count: number; bound: number | undefined; dynamic: number }>({
    type,
    domain: '',
    supports: 'integer tensors of up to 32 bits',
    attributes(view) {
      const count = view.operands.length;
      const shape = jointShape(view);
      const dynamic = view.operands.findIndex((operand) => operand!.constant === undefined);
      const constants = view.operands.filter((operand) => operand!.constant !== undefined);
      const uniform = constants.every((operand) => operand!.constant!.data.length === 1);
      const keepsShape = dynamic >= 0 && view.operands[dynamic]!.shape.join() === shape.join();
      const narrows = uniform && keepsShape && constants.length === count - 1 && count > 1;
      const bound = narrows
        ? choose(...constants.map((operand) => integers(operand!.constant!)[0]))
        : undefined;
      return { count, bound, dynamic };
    },
    operands: ({ count }) => Array.from({ length: count }, (_, i) => i),
    shape: (_, inputs) => [
      {
        dtype: inputs[0].dtype,
        shape: inputs.map(({ shape }) => shape).reduce((p, q) => broadcastShape(p, q)!),
      },
    ],
    reference: (_, inputs, [outputType]) => [pairwise(inputs, outputType, choose)],
    constrain({ circuit, label, types, isOnlyReader }, { bound, dynamic }, inputs) {
      if (bound !== undefined) {
        const bounds = type === 'Max' ? { lo: bound, hi: Infinity } : { lo: -Infinity, hi: bound };
        return [clamped(circuit, label, inputs[dynamic], bounds, types[0], isOnlyReader(dynamic))];
      }
      const values = inputs.map((input) => spread(input.force(circuit), input.type.shape, types[0].shape));
      return [
        Quantized.of(
          types[0],
          values.reduce((p, q) => either(circuit, p, q, type)),
        ),
      ];
    },
  });
}

export const maximum = extremum('Max');
export const minimum = extremum('Min');

export const clip = defineOp<Bounds>({
  type: 'Clip',
  domain: '',
  supports: 'integer tensors, constant bounds',
  attributes(view) {
    const bound = (index: number, what: string, fallback: number) =>
      view.hasOperand(index) ? Number(view.constant(index, what).data[0]) : fallback;
    const range = dtypeRange(view.operand(0, 'input').dtype);
    if (!range) view.refuse('input dtype', 'an integer type', view.operand(0, 'input').dtype);
    return { lo: bound(1, 'min', -Infinity), hi: bound(2, 'max', Infinity) };
  },
  operands: () => [0],
  shape: (_, [x]) => [x],
  reference: ({ lo, hi }, [x]) => [{ ...x, data: x.data.map((value) => Math.min(Math.max(value, lo), hi)) }],
  constrain: ({ circuit, label, types, isOnlyReader }, bounds, [x]) => [
    clamped(circuit, label, x, bounds, types[0], isOnlyReader(0)),
  ],
});

/** min(max(x, lo), hi), as ONNX orders them. */
function clamped(
  circuit: Builder,
  label: string,
  x: Quantized,
  { lo, hi }: Bounds,
  type: TensorType,
  alone: boolean,
): Quantized {
  const { pending } = x;
  if (pending && x.isPending && alone) {
    const into = (value: number) => Math.min(Math.max(value, lo), hi);
    return Quantized.pending(type, label, { ...pending, yMin: into(pending.yMin), yMax: into(pending.yMax) });
  }
  let values = x.force(circuit);
  const bound = (value: number) =>
    constantTensor(type.shape, new Float64Array(values.constants.length).fill(value));
  if (lo > -Infinity) values = either(circuit, values, bound(lo), 'Max');
  if (hi < Infinity) values = either(circuit, values, bound(hi), 'Min');
  return Quantized.of(type, values);
}

function either(circuit: Builder, x: AffineTensor, y: AffineTensor, which: 'Max' | 'Min'): AffineTensor {
  return which === 'Max' ? max.constrain(circuit, x, y) : max.constrainMin(circuit, x, y);
}

function spread(x: AffineTensor, from: readonly number[], to: readonly number[]): AffineTensor {
  return from.join() === to.join() ? x : gathered(x, to, broadcastIndices(from, to));
}

function pairwise(
  inputs: readonly IntTensor[],
  type: TensorType,
  choose: (x: number, y: number) => number,
): IntTensor {
  const indices = inputs.map(({ shape }) => broadcastIndices(shape, type.shape));
  const data = Int32Array.from({ length: elementCount(type.shape) }, (_, i) =>
    inputs.map((input, k) => input.data[indices[k][i]]).reduce((x, y) => choose(x, y)),
  );
  return { ...type, data };
}

function jointShape(view: NodeView): readonly number[] {
  const operands = view.operands.map((_, i) => view.operand(i, `input ${i}`));
  const [{ dtype }] = operands;
  if (!dtypeRange(dtype)) view.refuse('dtype', 'an integer type', dtype);
  let shape: readonly number[] = [];
  for (const operand of operands) {
    if (operand.dtype !== dtype) view.refuse('dtype', dtype, operand.dtype);
    shape =
      broadcastShape(shape, operand.shape) ??
      view.refuse('shapes', 'broadcastable', `[${shape.join(',')}] and [${operand.shape.join(',')}]`);
  }
  return shape;
}
