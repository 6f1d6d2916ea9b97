/**
 * QLinearConv (ai.onnx 10): y = saturate(rne(M_c · Σ (x − x_zp)·(w − w_zp) + B) + y_zp), padding counts as x_zp.
 * Supported: any number of spatial axes, strides, pads, dilations, groups, weights per tensor or per output channel.
 * Refused: weights that are not constants.
 */
import { Quantized } from '../quantized.js';
import { dtypeRange, elementCount, type TensorType } from '../tensor.js';
import { InnerProducts } from './inner-product.js';
import { defineOp, integers } from './op.js';
import {
  outputMultipliers,
  outputRescalings,
  requantizeReference,
  type OutputQuantization,
} from './q-linear.js';
import { outputSpatial, windowAttributes, windowTaps, type Window } from './window.js';

interface Convolution {
  readonly window: Window;
  readonly group: number;
  readonly channelsIn: number;
  readonly channelsOut: number;
  /** w − w_zp, [channelsOut, channelsIn / group, kernel]. */
  readonly weights: Int32Array;
  readonly bias: Int32Array;
  readonly zeroPoint: number;
  readonly output: OutputQuantization;
}

export const qLinearConv = defineOp<Convolution>({
  type: 'QLinearConv',
  domain: '',
  supports: '1-D to 3-D, strides, pads, dilations, groups, per-tensor and per-channel weights',

  attributes(view) {
    const x = view.operand(0, 'x');
    const dtype = view.requireByte(x, 'x dtype');
    const rank = x.shape.length - 2;
    if (rank < 1) view.refuse('x shape', 'of rank 3 or more', `[${x.shape.join(',')}]`);
    const w = view.constant(3, 'w');
    if (w.shape.length !== rank + 2) view.refuse('w shape', `of rank ${rank + 2}`, `[${w.shape.join(',')}]`);
    const weightDtype = view.requireByte(w, 'w dtype');
    const group = view.int('group', 1);
    const [channelsOut, channelsPerGroup] = w.shape;
    const channelsIn = x.shape[1];
    if (group < 1 || channelsPerGroup * group !== channelsIn || channelsOut % group !== 0) {
      view.refuse('group', `a divisor of ${channelsIn} and ${channelsOut} channels that fits w`, `${group}`);
    }
    const kernel = view.ints('kernel_shape') ?? w.shape.slice(2);
    if (kernel.join() !== w.shape.slice(2).join()) {
      view.refuse('kernel_shape', `[${w.shape.slice(2).join(',')}]`, `[${kernel.join(',')}]`);
    }
    const window = windowAttributes(view, x.shape.slice(2), kernel);
    const weightZeroPoints = view.zeroPoints(5, 'w_zero_point', weightDtype, channelsOut);
    const raw = integers(w);
    const perChannel = raw.length / channelsOut;
    const weights = raw.map((value, i) => {
      const channel = Math.floor(i / perChannel);
      return value - weightZeroPoints[weightZeroPoints.length === 1 ? 0 : channel];
    });
    const bias = view.hasOperand(8) ? integers(view.constant(8, 'B')) : new Int32Array(channelsOut);
    if (bias.length !== channelsOut) view.refuse('B', `${channelsOut} values`, `${bias.length}`);
    const multipliers = outputMultipliers(
      view,
      view.scales(1, 'x_scale')[0],
      view.scales(4, 'w_scale', channelsOut),
      view.scales(6, 'y_scale')[0],
    );
    const zeroPoint = view.zeroPoints(2, 'x_zero_point', dtype)[0];
    const outputZeroPoint = view.hasOperand(7) ? view.constant(7, 'y_zero_point') : undefined;
    const outputDtype = outputZeroPoint ? view.requireByte(outputZeroPoint, 'y_zero_point dtype') : dtype;
    const output = {
      dtype: outputDtype,
      zeroPoint: view.zeroPoints(7, 'y_zero_point', outputDtype)[0],
      multipliers,
    };
    return { window, group, channelsIn, channelsOut, weights, bias, zeroPoint, output };
  },

  operands: () => [0],

  shape({ window, channelsOut, output }, [x]) {
    return [
      { dtype: output.dtype, shape: [x.shape[0], channelsOut, ...outputSpatial(window, x.shape.slice(2))] },
    ];
  },

  reference(conv, [x], [type]) {
    const data = new Int32Array(elementCount(type.shape));
    let sum = 0;
    eachProduct(
      conv,
      x,
      (input, weight) => (sum += (x.data[input] - conv.zeroPoint) * weight),
      (output, channel) => {
        data[output] = requantizeReference(conv.output, channel, sum + conv.bias[channel]);
        sum = 0;
      },
    );
    return [{ ...type, data }];
  },

  constrain({ circuit, label, types }, conv, [x]) {
    const products = new InnerProducts(x.force(circuit));
    eachProduct(
      conv,
      x.type,
      (input, weight) => products.add(input, weight, conv.zeroPoint),
      (_, channel) => products.end(conv.bias[channel]),
    );
    const accumulator = products.finish(types[0].shape);
    const positions = elementCount(types[0].shape.slice(2));
    const perChannel = conv.output.multipliers.length > 1;
    const { min, max } = dtypeRange(conv.output.dtype)!;
    return [
      Quantized.pending(types[0], label, {
        accumulator,
        rescalings: outputRescalings(conv.output),
        rescalingOf: (i) => (perChannel ? Math.floor(i / positions) % conv.channelsOut : 0),
        yMin: min,
        yMax: max,
      }),
    ];
  },
});

/** Every product of every output element, in row-major order of the output; `end` closes an element. */
function eachProduct(
  conv: Convolution,
  x: TensorType,
  product: (input: number, weight: number) => void,
  end: (output: number, channel: number) => void,
): void {
  const spatial = x.shape.slice(2);
  const plane = elementCount(spatial);
  const taps = windowTaps(conv.window, spatial);
  const kernelSize = elementCount(conv.window.kernel);
  const positions = taps.length / kernelSize;
  const inPerGroup = conv.channelsIn / conv.group;
  const outPerGroup = conv.channelsOut / conv.group;
  let output = 0;
  for (let n = 0; n < x.shape[0]; n++) {
    for (let channel = 0; channel < conv.channelsOut; channel++) {
      const firstInput = n * conv.channelsIn + Math.floor(channel / outPerGroup) * inPerGroup;
      for (let position = 0; position < positions; position++) {
        for (let c = 0; c < inPerGroup; c++) {
          const base = (firstInput + c) * plane;
          const weightBase = (channel * inPerGroup + c) * kernelSize;
          for (let k = 0; k < kernelSize; k++) {
            const tap = taps[position * kernelSize + k];
            const weight = conv.weights[weightBase + k];
            if (tap >= 0 && weight !== 0) product(base + tap, weight);
          }
        }
        end(output++, channel);
      }
    }
  }
}
