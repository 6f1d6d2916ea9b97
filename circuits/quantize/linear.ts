/** Conv and Gemm on the lattice: one divisor per output channel, 32-bit bias, output zero point 0. */
import { ModelRefused } from '../errors.js';
import type { AttributeValue, ConstantTensor, GraphNode } from '../onnx/graph.js';
import type { Emitter, QuantizedValue } from './emitter.js';
import { quantizeChannel, roundHalfEven } from './lattice.js';

/** An accumulator must stay where int32 and the float path are exact. */
const BIAS_LIMIT = 2 ** 30;

export interface LatticeWeights {
  /** Channel-major: channel c owns `perChannel` consecutive weights. */
  readonly weights: Int8Array;
  readonly scales: Float32Array;
  readonly bias: Int32Array;
}

/** `weights` is channel-major; `bias` has one float per channel. */
export function quantizeChannels(
  emitter: Emitter,
  weights: Float32Array,
  bias: Float32Array,
  inputExponent: number,
  outputExponent: number,
): LatticeWeights {
  const channels = bias.length;
  const perChannel = weights.length / channels;
  const ratio = 2 ** (outputExponent - inputExponent);
  const out = {
    weights: new Int8Array(weights.length),
    scales: new Float32Array(channels),
    bias: new Int32Array(channels),
  };
  for (let c = 0; c < channels; c++) {
    const channel = quantizeChannel(
      weights.subarray(c * perChannel, (c + 1) * perChannel),
      ratio,
      emitter.levels,
      emitter.options.divisorMax,
    );
    out.weights.set(channel.weights, c * perChannel);
    out.scales[c] = channel.scale;
    const q = roundHalfEven(bias[c]! / (2 ** inputExponent * channel.scale));
    out.bias[c] = Math.min(BIAS_LIMIT, Math.max(-BIAS_LIMIT, q));
  }
  return out;
}

/** The float constant behind an input of a node, or a refusal: weights must be known when the circuit is. */
export function constantInput(
  emitter: Emitter,
  node: GraphNode,
  index: number,
  what: string,
): ConstantTensor {
  const tensor = emitter.graph.constants.get(node.inputs[index] ?? '');
  if (tensor?.dtype === 'float32') return tensor;
  throw new ModelRefused({
    where: `node "${node.name}" (${node.type})`,
    what,
    expected: 'a float32 constant',
    got: tensor ? tensor.dtype : `the computed value "${node.inputs[index]}"`,
  });
}

export function emitConv(emitter: Emitter, node: GraphNode): void {
  const weight = constantInput(emitter, node, 1, 'weight');
  const channels = weight.shape[0]!;
  const bias = node.inputs[2]
    ? (constantInput(emitter, node, 2, 'bias').data as Float32Array)
    : new Float32Array(channels);
  emitLinear(emitter, node, {
    type: 'QLinearConv',
    domain: '',
    weights: weight.data as Float32Array,
    bias,
    store: (q) => ({ dtype: 'int8', shape: weight.shape, data: q }),
    attributes: node.attributes,
  });
}

/** Y = X·W + B with W constant, as com.microsoft QGemm with one scale per column. */
export function emitGemm(emitter: Emitter, node: GraphNode): void {
  const flag = (name: string): number => numberAttribute(node, name, 0);
  if (flag('transA') !== 0)
    throw new ModelRefused({ where: `node "${node.name}" (Gemm)`, what: 'transA', expected: '0', got: '1' });
  const weight = constantInput(emitter, node, 1, 'B');
  const isTransposed = flag('transB') !== 0;
  const [rows, columns] = weight.shape as [number, number];
  const outputs = isTransposed ? rows : columns;
  const inputs = isTransposed ? columns : rows;
  const alpha = numberAttribute(node, 'alpha', 1);
  const beta = numberAttribute(node, 'beta', 1);
  const source = weight.data as Float32Array;
  const weights = new Float32Array(source.length);
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      weights[o * inputs + i] = alpha * source[isTransposed ? o * inputs + i : i * outputs + o]!;
  const bias = new Float32Array(outputs);
  if (node.inputs[2]) {
    const given = constantInput(emitter, node, 2, 'C').data as Float32Array;
    for (let o = 0; o < outputs; o++) bias[o] = beta * given[given.length === 1 ? 0 : o]!;
  }
  emitLinear(emitter, node, {
    type: 'QGemm',
    domain: 'com.microsoft',
    weights,
    bias,
    store: (q) => ({ dtype: 'int8', shape: [outputs, inputs], data: q }),
    attributes: new Map<string, AttributeValue>([['transB', { kind: 'int', value: 1 }]]),
  });
}

interface LinearForm {
  readonly type: 'QLinearConv' | 'QGemm';
  readonly domain: string;
  /** Channel-major. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly store: (weights: Int8Array) => ConstantTensor;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

function emitLinear(emitter: Emitter, node: GraphNode, form: LinearForm): void {
  const input = emitter.quantized.get(node.inputs[0]!)!;
  const output = node.outputs[0]!;
  const exponent = emitter.exponentFor(output);
  const lattice = quantizeChannels(emitter, form.weights, form.bias, input.exponent, exponent);
  const channels = form.bias.length;
  const vector = { shape: [channels] };
  const scales = emitter.constant(`${output}_weight_scale`, {
    dtype: 'float32',
    ...vector,
    data: lattice.scales,
  });
  const zeros = emitter.constant(`${output}_weight_zero`, {
    dtype: 'int8',
    ...vector,
    data: new Int8Array(channels),
  });
  const weights = emitter.constant(`${output}_weight`, form.store(lattice.weights));
  const bias = emitter.constant(`${output}_bias`, { dtype: 'int32', ...vector, data: lattice.bias });
  const zero = emitter.int8Constant(0);
  const inputZero = emitter.int8Constant(input.zeroPoint);
  const inputScale = emitter.scaleConstant(input.exponent);
  const outputScale = emitter.scaleConstant(exponent);
  const value: QuantizedValue = {
    name: `${output}_q`,
    exponent,
    zeroPoint: 0,
    shape: emitter.range(output).shape,
  };
  const inputs =
    form.type === 'QLinearConv'
      ? [input.name, inputScale, inputZero, weights, scales, zeros, outputScale, zero, bias]
      : [input.name, inputScale, inputZero, weights, scales, zeros, bias, outputScale, zero];
  emitter.emit({
    type: form.type,
    domain: form.domain,
    name: node.name,
    inputs,
    output: value.name,
    attributes: form.attributes,
  });
  emitter.bind(output, value);
}

function numberAttribute(node: GraphNode, name: string, otherwise: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : otherwise;
}
