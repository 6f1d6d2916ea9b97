/**
 * MaxPool (ai.onnx 12, integer form): the largest element of each window; padding never wins.
 * Rounding is non-decreasing, so a pool may take the maximum of accumulators and round once a window. Which order
 * is cheaper depends on the widths and on how windows overlap: both are counted, the smaller one is built.
 * Refused: the Indices output, storage_order 1.
 */
import type { AffineTensor } from '../affine.js';
import { concatenated, gathered } from '../affine.js';
import * as max from '../gadgets/max.js';
import { Quantized, roundingCost, type Pending } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { elementCount, type TensorType } from '../tensor.js';
import { defineOp } from './op.js';
import { outputSpatial, windowAttributes, windowTaps, type Window } from './window.js';

export const maxPool = defineOp<Window>({
  type: 'MaxPool',
  domain: '',
  supports: 'int8 and uint8, 1-D to 3-D, strides, pads, dilations, ceil_mode; no Indices output',

  attributes(view) {
    const x = view.operand(0, 'X');
    view.requireByte(x, 'X dtype');
    if (x.shape.length < 3) view.refuse('X shape', 'of rank 3 or more', `[${x.shape.join(',')}]`);
    if (view.node.outputs.length > 1 && view.node.outputs[1] !== '')
      view.refuse('Indices', 'absent', 'present');
    if (view.int('storage_order', 0) !== 0) view.refuse('storage_order', '0', '1');
    const window = windowAttributes(view, x.shape.slice(2), view.ints('kernel_shape') ?? []);
    candidatesOf(window, x).forEach((candidates) => {
      if (candidates.length === 0)
        view.refuse('pads', 'smaller than the kernel', `[${window.pads.join(',')}]`);
    });
    return window;
  },

  operands: () => [0],
  shape: (window, [x]) => [
    { dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...outputSpatial(window, x.shape.slice(2))] },
  ],

  reference(window, [x], [type]) {
    const data = candidatesOf(window, x).map((candidates) => Math.max(...candidates.map((i) => x.data[i])));
    return [{ ...type, data: Int32Array.from(data) }];
  },

  constrain({ circuit, label, types, isOnlyReader }, window, [x]) {
    const windows = candidatesOf(window, x.type);
    const { pending } = x;
    if (pending && x.isPending && isOnlyReader(0) && commutes(pending, windows)) {
      const accumulator = maxima(circuit, pending.accumulator, windows, types[0]);
      const { rescalingOf } = pending;
      const moved = { ...pending, accumulator, rescalingOf: (i: number) => rescalingOf(windows[i][0]) };
      return [Quantized.pending(types[0], label, moved)];
    }
    return [Quantized.of(types[0], maxima(circuit, x.force(circuit), windows, types[0]))];
  },
});

/** Indices of the elements of each window, row-major over the output. */
function candidatesOf(window: Window, x: TensorType): number[][] {
  const spatial = x.shape.slice(2);
  const plane = elementCount(spatial);
  const taps = windowTaps(window, spatial);
  const kernelSize = elementCount(window.kernel);
  const positions = taps.length / kernelSize;
  const windows: number[][] = [];
  for (let channel = 0; channel < x.shape[0] * x.shape[1]; channel++) {
    for (let position = 0; position < positions; position++) {
      const inside: number[] = [];
      for (let k = 0; k < kernelSize; k++) {
        const tap = taps[position * kernelSize + k];
        if (tap >= 0) inside.push(channel * plane + tap);
      }
      windows.push(inside);
    }
  }
  return windows;
}

/**
 * Whether pooling accumulators and rounding the winners takes fewer rows than rounding first. Only where the elements
 * of each window share one rescaling: a greater accumulator on another scale may round to less.
 */
function commutes(pending: Pending, windows: readonly (readonly number[])[]): boolean {
  const isMixed = ([first, ...rest]: readonly number[]) =>
    rest.some((i) => pending.rescalingOf(i) !== pending.rescalingOf(first));
  if (windows.some(isMixed)) return false;
  const { lo, hi } = pending.accumulator;
  let pooled = 0;
  let direct = roundingCost(pending);
  const levels = pending.yMax - pending.yMin;
  for (const window of windows) {
    for (let k = 1; k < window.length; k++) {
      const [p, q] = [window[k - 1], window[k]];
      pooled += max.cost(lo[p] - hi[q], hi[p] - lo[q]);
      direct += max.cost(-levels, levels);
    }
  }
  const winners = {
    ...pending,
    accumulator: {
      ...pending.accumulator,
      lo: Float64Array.from(windows, (window) => Math.max(...window.map((i) => lo[i]))),
      hi: Float64Array.from(windows, (window) => Math.max(...window.map((i) => hi[i]))),
    },
    rescalingOf: (i: number) => pending.rescalingOf(windows[i][0]),
  };
  return pooled + roundingCost(winners) < direct;
}

/** The maximum of each window by a tournament: neighbours first, level by level. */
function maxima(
  circuit: Builder,
  x: AffineTensor,
  windows: readonly (readonly number[])[],
  type: TensorType,
): AffineTensor {
  let tensor = x;
  let remaining: (readonly number[])[] = [...windows];
  while (remaining.some((window) => window.length > 1)) {
    const left: number[] = [];
    const right: number[] = [];
    const kept: number[] = [];
    const next: { pairs: number; odd: boolean }[] = [];
    for (const window of remaining) {
      const pairs = window.length >> 1;
      for (let k = 0; k < pairs; k++) {
        left.push(window[2 * k]);
        right.push(window[2 * k + 1]);
      }
      const odd = window.length % 2 === 1;
      if (odd) kept.push(window[window.length - 1]);
      next.push({ pairs, odd });
    }
    const winners = max.constrain(
      circuit,
      gathered(tensor, [left.length], left),
      gathered(tensor, [right.length], right),
    );
    const survivors = gathered(tensor, [kept.length], kept);
    tensor = concatenated([winners, survivors]);
    let winner = 0;
    let survivor = left.length;
    remaining = next.map(({ pairs, odd }) => {
      const window = Array.from({ length: pairs }, () => winner++);
      if (odd) window.push(survivor++);
      return window;
    });
  }
  return gathered(
    tensor,
    type.shape,
    remaining.map((window) => window[0]),
  );
}
