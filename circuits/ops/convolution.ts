import type { NodeView } from './op.js';
import { elementCount } from '../tensor.js';
import { outputSpatial, windowAttributes, windowTaps, type Window } from './window.js';

/** Which input element meets which weight: what QLinearConv and ConvInteger share. */
export interface Convolution {
  readonly window: Window;
  readonly group: number;
  readonly channelsIn: number;
  readonly channelsOut: number;
  /** [N, channelsIn, spatial…] and [N, channelsOut, spatial…]. */
  readonly input: readonly number[];
  readonly output: readonly number[];
}

/** Reads group, kernel_shape and the window; weights are [channelsOut, channelsIn / group, kernel…]. */
export function convolution(
  view: NodeView,
  input: readonly number[],
  weights: readonly number[],
): Convolution {
  const rank = input.length - 2;
  if (rank < 1) view.refuse('x shape', 'of rank 3 or more', `[${input.join(',')}]`);
  if (weights.length !== rank + 2) view.refuse('w shape', `of rank ${rank + 2}`, `[${weights.join(',')}]`);
  const group = view.int('group', 1);
  const [channelsOut, channelsPerGroup] = weights;
  const [batch, channelsIn] = input;
  if (group < 1 || channelsPerGroup * group !== channelsIn || channelsOut % group !== 0) {
    view.refuse('group', `a divisor of ${channelsIn} and ${channelsOut} channels that fits w`, `${group}`);
  }
  const kernel = view.ints('kernel_shape') ?? weights.slice(2);
  if (kernel.join() !== weights.slice(2).join()) {
    view.refuse('kernel_shape', `[${weights.slice(2).join(',')}]`, `[${kernel.join(',')}]`);
  }
  const window = windowAttributes(view, input.slice(2), kernel);
  const output = [batch, channelsOut, ...outputSpatial(window, input.slice(2))];
  return { window, group, channelsIn, channelsOut, input, output };
}

/** Every product of every output element, in row-major order of the output; `end` closes an element. */
export function eachProduct(
  { window, group, channelsIn, channelsOut, input }: Convolution,
  product: (input: number, weight: number) => void,
  end: (output: number, channel: number) => void,
): void {
  const spatial = input.slice(2);
  const plane = elementCount(spatial);
  const taps = windowTaps(window, spatial);
  const kernelSize = elementCount(window.kernel);
  const positions = taps.length / kernelSize;
  const inPerGroup = channelsIn / group;
  const outPerGroup = channelsOut / group;
  let output = 0;
  for (let n = 0; n < input[0]; n++) {
    for (let channel = 0; channel < channelsOut; channel++) {
      const firstInput = n * channelsIn + Math.floor(channel / outPerGroup) * inPerGroup;
      for (let position = 0; position < positions; position++) {
        for (let c = 0; c < inPerGroup; c++) {
          const base = (firstInput + c) * plane;
          const weightBase = (channel * inPerGroup + c) * kernelSize;
          for (let k = 0; k < kernelSize; k++) {
            const tap = taps[position * kernelSize + k];
            if (tap >= 0) product(base + tap, weightBase + k);
          }
        }
        end(output++, channel);
      }
    }
  }
}
