/** Layers with weights on the lattice: one divisor per output channel, 32-bit bias, output zero point 0. */
import type { AttributeValue } from '../onnx/graph.js';
import { sizeOf } from '../onnx/shape.js';
import type { Emitter, QuantizedValue } from './emitter.js';
import { quantizeChannel, roundHalfEven } from './lattice.js';
import { perChannel, type PlainAffine, type PlainConv, type PlainLinear } from './plain.js';

/** An accumulator must stay where int32 and the float path are exact. */
const BIAS_LIMIT = 2 ** 30;

const WINDOW_ATTRIBUTES = ['auto_pad', 'dilations', 'group', 'kernel_shape', 'pads', 'strides'];

/** Names of the constants of one layer: weights, scale and zero point per channel, bias. */
interface LatticeConstants {
  readonly weights: string;
  readonly scales: string;
  readonly zeros: string;
  readonly bias: string;
}

/** `weights` is channel-major; `bias` has one float per channel. */
function quantizeLayer(
  emitter: Emitter,
  output: string,
  weights: Float32Array,
  weightShape: readonly number[],
  bias: Float32Array,
  inputExponent: number,
): LatticeConstants {
  const channels = bias.length;
  const each = weights.length / channels;
  const ratio = 2 ** (emitter.scaleOf(output).exponent - inputExponent);
  const quantized = new Int8Array(weights.length);
  const scales = new Float32Array(channels);
  const biases = new Int32Array(channels);
  for (let c = 0; c < channels; c++) {
    const slice = weights.subarray(c * each, (c + 1) * each);
    const channel = quantizeChannel(slice, ratio, emitter.levels, emitter.options.divisorMax);
    quantized.set(channel.weights, c * each);
    scales[c] = channel.scale;
    const q = roundHalfEven(bias[c]! / (2 ** inputExponent * channel.scale));
    biases[c] = Math.min(BIAS_LIMIT, Math.max(-BIAS_LIMIT, q));
  }
  const shape = [channels];
  return {
    weights: emitter.constant(`${output}_weight`, { dtype: 'int8', shape: weightShape, data: quantized }),
    scales: emitter.constant(`${output}_weight_scale`, { dtype: 'float32', shape, data: scales }),
    zeros: emitter.constant(`${output}_weight_zero`, { dtype: 'int8', shape, data: new Int8Array(channels) }),
    bias: emitter.constant(`${output}_bias`, { dtype: 'int32', shape, data: biases }),
  };
}

export function emitConv(emitter: Emitter, conv: PlainConv): void {
  const input = emitter.value(conv.inputs[0]);
  const { output, weights, weightShape, bias } = conv;
  const layer = quantizeLayer(emitter, output, weights, weightShape, bias, input.exponent);
  const attributes = new Map([...conv.node.attributes].filter(([name]) => WINDOW_ATTRIBUTES.includes(name)));
  emitter.emitInteger(
    { type: 'QLinearConv', name: conv.name, inputs: convInputs(emitter, input, layer, output), attributes },
    output,
  );
}

function convInputs(
  emitter: Emitter,
  input: QuantizedValue,
  layer: LatticeConstants,
  output: string,
): string[] {
  return [
    input.name,
    emitter.scaleConstant(input.exponent),
    emitter.int8Constant(input.zeroPoint),
    layer.weights,
    layer.scales,
    layer.zeros,
    emitter.scaleConstant(emitter.scaleOf(output).exponent),
    emitter.int8Constant(0),
    layer.bias,
  ];
}

/** com.microsoft QGemm on rows: the only integer matrix product of ONNX Runtime that takes a bias. */
export function emitLinear(emitter: Emitter, linear: PlainLinear): void {
  const { output, name } = linear;
  let { weights, bias } = linear;
  let input = emitter.value(linear.inputs[0]);
  const length = weights.length / bias.length;
  if (input.features) {
    // x = scale·(q − zero point): the scale goes into the weights, the zero points into the bias.
    const { scales, zeroPoints } = input.features;
    const given = weights;
    bias = bias.map((b, o) =>
      zeroPoints.reduce((sum, z, i) => sum - given[o * length + i]! * scales[i]! * z, b),
    );
    weights = weights.map((w, k) => w * scales[k % length]!);
    input = { ...input, exponent: 0, zeroPoint: 0 };
  }
  const layer = quantizeLayer(emitter, output, weights, [bias.length, length], bias, input.exponent);
  const rows = sizeOf(input.shape) / length;
  const isMatrix = input.shape.length === 2;
  const from = isMatrix
    ? input.name
    : emitter.reshape(`${name}_rows`, input.name, [rows, length], `${output}_rows_q`);
  const product = isMatrix ? `${output}_q` : `${output}_product_q`;
  emitter.emit({
    type: 'QGemm',
    domain: 'com.microsoft',
    name,
    inputs: [
      from,
      emitter.scaleConstant(input.exponent),
      emitter.int8Constant(input.zeroPoint),
      layer.weights,
      layer.scales,
      layer.zeros,
      layer.bias,
      emitter.scaleConstant(emitter.scaleOf(output).exponent),
      emitter.int8Constant(0),
    ],
    output: product,
    attributes: new Map<string, AttributeValue>([['transB', { kind: 'int', value: 1 }]]),
  });
  if (!isMatrix) emitter.reshape(`${name}_shape`, product, emitter.shape(output), `${output}_q`);
  emitter.bind(output, `${output}_q`);
}

/** A depthwise 1×1 convolution, over the channels if the map depends on them only, else over single elements. */
export function emitAffine(emitter: Emitter, affine: PlainAffine): void {
  const { name, output, scale, shift } = affine;
  const input = emitter.value(affine.inputs[0]);
  const shape = input.shape;
  const scales = shape.length >= 3 ? perChannel(scale, shape, 1) : undefined;
  const shifts = scales ? perChannel(shift, shape, 1) : undefined;
  const [weights, bias] = scales && shifts ? [scales, shifts] : [scale, shift];
  const isSpread = weights.length !== scale.length || (scales !== undefined && shifts !== undefined);
  const spatial = isSpread ? shape.slice(2).map(() => 1) : [1, 1];
  const layer = quantizeLayer(
    emitter,
    output,
    weights,
    [weights.length, 1, ...spatial],
    bias,
    input.exponent,
  );
  const attributes = new Map<string, AttributeValue>([
    ['group', { kind: 'int', value: weights.length }],
    ['kernel_shape', { kind: 'ints', value: spatial }],
  ]);
  if (isSpread) {
    emitter.emitInteger(
      { type: 'QLinearConv', name, inputs: convInputs(emitter, input, layer, output), attributes },
      output,
    );
    return;
  }
  const flat = emitter.reshape(`${name}_flat`, input.name, [1, weights.length, 1, 1], `${output}_flat_q`);
  const product = emitter.emit({
    type: 'QLinearConv',
    name,
    inputs: convInputs(emitter, { ...input, name: flat }, layer, output),
    output: `${output}_product_q`,
    attributes,
  });
  emitter.reshape(`${name}_shape`, product, emitter.shape(output), `${output}_q`);
  emitter.bind(output, `${output}_q`);
}
