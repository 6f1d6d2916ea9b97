/** Operators that only rename positions in row-major order: Reshape, Flatten, Squeeze, Unsqueeze, Identity. */
import { reshaped } from '../affine.js';
import { Quantized } from '../quantized.js';
import { elementCount } from '../tensor.js';
import { defineOp, integers, type NodeView, type Op } from './op.js';

interface NewShape {
  readonly shape: readonly number[];
}

function shapeOp(
  type: string,
  supports: string,
  newShape: (view: NodeView, from: readonly number[]) => number[],
): Op {
  return defineOp<NewShape>({
    type,
    domain: '',
    supports,
    attributes(view) {
      const from = view.operand(0, 'input').shape;
      const shape = newShape(view, from);
      if (elementCount(shape) !== elementCount(from)) {
        view.refuse('shape', `${elementCount(from)} elements`, `[${shape.join(',')}]`);
      }
      return { shape };
    },
    operands: () => [0],
    shape: ({ shape }, [x]) => [{ dtype: x.dtype, shape }],
    reference: (_, [x], [type]) => [{ ...type, data: x.data }],
    constrain({ circuit, label, types, isOnlyReader }, { shape }, [x]) {
      const { pending } = x;
      if (pending && x.isPending && isOnlyReader(0)) {
        const accumulator = reshaped(pending.accumulator, shape);
        return [Quantized.pending(types[0], label, { ...pending, accumulator })];
      }
      return [Quantized.of(types[0], reshaped(x.force(circuit), shape))];
    },
  });
}

function normalizedAxes(view: NodeView, rank: number): number[] | undefined {
  const raw = view.hasOperand(1) ? [...integers(view.constant(1, 'axes'))] : view.ints('axes');
  return raw?.map((axis) => {
    if (axis < -rank || axis >= rank) view.refuse('axes', `within rank ${rank}`, `${axis}`);
    return axis < 0 ? axis + rank : axis;
  });
}

export const reshape = shapeOp('Reshape', 'constant shape', (view, from) => {
  const allowZero = view.int('allowzero', 0) === 1;
  const wanted = [...integers(view.constant(1, 'shape'))];
  const shape = wanted.map((size, axis) => (size === 0 && !allowZero ? from[axis] : size));
  const known = shape.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
  return shape.map((size) => (size === -1 ? elementCount(from) / known : size));
});

export const flatten = shapeOp('Flatten', 'any axis', (view, from) => {
  let axis = view.int('axis', 1);
  if (axis < -from.length || axis > from.length) view.refuse('axis', `within rank ${from.length}`, `${axis}`);
  if (axis < 0) axis += from.length;
  return [elementCount(from.slice(0, axis)), elementCount(from.slice(axis))];
});

export const squeeze = shapeOp('Squeeze', 'constant axes', (view, from) => {
  const axes = normalizedAxes(view, from.length) ?? from.flatMap((size, axis) => (size === 1 ? [axis] : []));
  for (const axis of axes) if (from[axis] !== 1) view.refuse('axes', 'axes of size 1', `${axis}`);
  return from.filter((_, axis) => !axes.includes(axis));
});

export const unsqueeze = shapeOp('Unsqueeze', 'constant axes', (view, from) => {
  const count = view.hasOperand(1)
    ? integers(view.constant(1, 'axes')).length
    : (view.ints('axes')?.length ?? 0);
  const axes = normalizedAxes(view, from.length + count) ?? [];
  const rest = [...from];
  return Array.from({ length: from.length + count }, (_, axis) => (axes.includes(axis) ? 1 : rest.shift()!));
});

export const identity = shapeOp('Identity', 'any integer tensor', (_, from) => [...from]);
