import type { NodeView } from './op.js';
import { elementCount, stridesOf } from '../tensor.js';

/** A sliding window over the spatial axes of [N, C, D1, …, Dk], as convolutions and pools use it. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of each axis, then end of each axis. */
  readonly pads: readonly number[];
  readonly ceilMode: boolean;
}

/** Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. */
export function windowAttributes(
  view: NodeView,
  spatial: readonly number[],
  kernel: readonly number[],
): Window {
  const rank = spatial.length;
  const list = (name: string, fallback: number, length: number): readonly number[] => {
    const values = view.ints(name) ?? new Array<number>(length).fill(fallback);
    if (values.length !== length) view.refuse(name, `${length} values`, `[${values.join(',')}]`);
    return values;
  };
  const positive = (name: string): readonly number[] => {
    const values = list(name, 1, rank);
    if (values.some((v) => v < 1)) view.refuse(name, 'positive', `[${values.join(',')}]`);
    return values;
  };
  if (kernel.length !== rank || kernel.some((v) => v < 1)) {
    view.refuse('kernel_shape', `${rank} positive values`, `[${kernel.join(',')}]`);
  }
  const strides = positive('strides');
  const dilations = positive('dilations');
  const ceilMode = view.int('ceil_mode', 0) === 1;
  const autoPad = view.string('auto_pad', 'NOTSET');
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(autoPad)) {
    view.refuse('auto_pad', 'NOTSET, VALID, SAME_UPPER or SAME_LOWER', autoPad);
  }
  let pads = list('pads', 0, 2 * rank);
  if (autoPad === 'VALID') pads = new Array<number>(2 * rank).fill(0);
  if (autoPad.startsWith('SAME'))
    pads = samePads(spatial, kernel, strides, dilations, autoPad === 'SAME_UPPER');
  if (pads.some((v) => v < 0)) view.refuse('pads', 'not negative', `[${pads.join(',')}]`);
  const window = { kernel, strides, dilations, pads, ceilMode };
  const output = outputSpatial(window, spatial);
  if (output.some((v) => v < 1)) view.refuse('output shape', 'not empty', `[${output.join(',')}]`);
  return window;
}

function samePads(
  spatial: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  upper: boolean,
): number[] {
  const total = spatial.map((size, axis) => {
    const output = Math.ceil(size / strides[axis]);
    return Math.max((output - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - size, 0);
  });
  const small = total.map((pad) => Math.floor(pad / 2));
  const large = total.map((pad, axis) => pad - small[axis]);
  return upper ? [...small, ...large] : [...large, ...small];
}

/** Output sizes of the spatial axes. */
export function outputSpatial(window: Window, spatial: readonly number[]): number[] {
  const rank = spatial.length;
  return spatial.map((size, axis) => {
    const extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
    const begin = window.pads[axis];
    const span = size + begin + window.pads[rank + axis] - extent;
    if (span < 0) return 0;
    if (!window.ceilMode) return Math.floor(span / window.strides[axis]) + 1;
    const steps = Math.ceil(span / window.strides[axis]) + 1;
    // A window may not start in the end padding.
    return (steps - 1) * window.strides[axis] >= size + begin ? steps - 1 : steps;
  });
}

/** Offset inside one channel of each tap of each output position, −1 where the tap lies in the padding. */
export function windowTaps(window: Window, spatial: readonly number[]): Int32Array {
  const output = outputSpatial(window, spatial);
  const kernelSize = elementCount(window.kernel);
  const positions = elementCount(output);
  const strides = stridesOf(spatial);
  const taps = new Int32Array(positions * kernelSize);
  const at = new Array<number>(spatial.length).fill(0);
  const tap = new Array<number>(spatial.length).fill(0);
  for (let p = 0, out = 0; p < positions; p++) {
    for (let k = 0; k < kernelSize; k++) {
      let offset = 0;
      for (let axis = 0; axis < spatial.length && offset >= 0; axis++) {
        const x = at[axis] * window.strides[axis] + tap[axis] * window.dilations[axis] - window.pads[axis];
        offset = x < 0 || x >= spatial[axis] ? -1 : offset + x * strides[axis];
      }
      taps[out++] = offset;
      advance(tap, window.kernel);
    }
    advance(at, output);
  }
  return taps;
}

function advance(position: number[], sizes: readonly number[]): void {
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    if (++position[axis] < sizes[axis]) return;
    position[axis] = 0;
  }
}
