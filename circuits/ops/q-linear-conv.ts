/**
 * QLinearConv (ai.onnx 10): y = saturate(rne(M_c · Σ (x − x_zp)·(w − w_zp) + B) + y_zp), padding counts as x_zp.
 * Supported: any number of spatial axes, strides, pads, dilations, groups, weights per tensor or per output channel.
 * Refused: weights that are not constants.
 */
import { Quantized } from '../quantized.js';
import { dtypeRange, elementCount } from '../tensor.js';
import { convolution, eachProduct, type Convolution } from './convolution.js';
import { InnerProducts } from './inner-product.js';
import { defineOp, integers } from './op.js';
import {
  outputMultipliers,
  outputRescalings,
  requantizeReference,
  type OutputQuantization,
} from './q-linear.js';

interface QuantizedConvolution {
  readonly convolution: Convolution;
  /** w − w_zp, [channelsOut, channelsIn / group, kernel]. */
  readonly weights: Int32Array;
  readonly bias: Int32Array;
  readonly zeroPoint: number;
  readonly output: OutputQuantization;
}

export const qLinearConv = defineOp<QuantizedConvolution>({
  type: 'QLinearConv',
  domain: '',
  supports: '1-D to 3-D, strides, pads, dilations, groups, per-tensor and per-channel weights',

  attributes(view) {
    const x = view.operand(0, 'x');
    const dtype = view.requireByte(x, 'x dtype');
    const w = view.constant(3, 'w');
    const weightDtype = view.requireByte(w, 'w dtype');
    const geometry = convolution(view, x.shape, w.shape);
    const { channelsOut } = geometry;
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
    return { convolution: geometry, weights, bias, zeroPoint, output };
  },

  operands: () => [0],
  shape: ({ convolution: { output: shape }, output }) => [{ dtype: output.dtype, shape }],

  reference({ convolution, weights, bias, zeroPoint, output }, [x], [type]) {
    const data = new Int32Array(elementCount(type.shape));
    let sum = 0;
    eachProduct(
      convolution,
      (input, weight) => (sum += (x.data[input] - zeroPoint) * weights[weight]),
      (at, channel) => {
        data[at] = requantizeReference(output, channel, sum + bias[channel]);
        sum = 0;
      },
    );
    return [{ ...type, data }];
  },

  constrain({ circuit, label, types }, { convolution, weights, bias, zeroPoint, output }, [x]) {
    const products = new InnerProducts(x.force(circuit));
    eachProduct(
      convolution,
      (input, weight) => products.add(input, weights[weight], zeroPoint),
      (_, channel) => products.end(bias[channel]),
    );
    const positions = elementCount(types[0].shape.slice(2));
    const perChannel = output.multipliers.length > 1;
    const { min, max } = dtypeRange(output.dtype)!;
    return [
      Quantized.pending(types[0], label, {
        accumulator: products.finish(types[0].shape),
        rescalings: outputRescalings(output),
        rescalingOf: (i) => (perChannel ? Math.floor(i / positions) % convolution.channelsOut : 0),
        yMin: min,
        yMax: max,
      }),
    ];
  },
});
