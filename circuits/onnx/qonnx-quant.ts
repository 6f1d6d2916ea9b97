/** QONNX's Quant (Brevitas, FINN, hls4ml): a fake quantization to a number of bits. */
import { roundHalfEven } from '../import/fit.js';
import type { Rewriting } from './equivalent-writer.js';
import type { AttributeValue } from './graph.js';
import { intAttribute, refuseNode, stringAttribute } from './node.js';
import { sizeOf } from './shape.js';

/** QONNX: (clamp(rne(x/scale + zero point)) − zero point)·scale, the clamp to a number of bits. */
export const quant: Rewriting = (writer, context) => {
  const { node } = context;
  const [scales, zeros, bits] = ['scale', 'zero_point', 'bit_width'].map((what, i) => {
    const given =
      context.constant(i + 1) ?? refuseNode(node, what, 'a constant', 'a value computed at run time');
    return { shape: given.shape, values: Array.from(given.data as ArrayLike<number>, Number) };
  }) as unknown as readonly [Listed, Listed, Listed];
  const [width, zero] = [bits.values[0]!, zeros.values[0]!];
  if (bits.values.length !== 1 || !Number.isInteger(width) || width < 2 || width > 8)
    refuseNode(node, 'bit_width', 'one whole number from 2 to 8', bits.values);
  if (zeros.values.length !== 1 || !Number.isInteger(zero))
    refuseNode(node, 'zero_point', 'one whole number', zeros.values);
  const mode = stringAttribute(node, 'rounding_mode', 'ROUND').toUpperCase();
  if (mode !== 'ROUND' && mode !== 'HALF_EVEN') refuseNode(node, 'rounding_mode', 'ROUND or HALF_EVEN', mode);
  const isSigned = intAttribute(node, 'signed', 1) !== 0;
  const narrow = intAttribute(node, 'narrow', 0);
  const low = isSigned ? -(2 ** (width - 1)) + narrow : 0;
  const high = isSigned ? 2 ** (width - 1) - 1 : 2 ** width - 1 - narrow;
  const dtype = isSigned ? 'int8' : 'uint8';
  const axis = scales.shape.findIndex((dim) => dim > 1);
  const [x] = node.inputs as [string];
  const given = context.constant(0);
  if (
    axis >= 0 &&
    (!given || scales.shape.length !== given.shape.length || sizeOf(scales.shape) !== scales.shape[axis])
  )
    refuseNode(node, 'scale', 'one number, or one a channel of a constant', scales.shape);
  const parameters = [
    writer.constant('float32', axis < 0 ? [] : [scales.values.length], scales.values),
    writer.constant(
      dtype,
      axis < 0 ? [] : [scales.values.length],
      scales.values.map(() => zero),
    ),
  ];
  const along: Record<string, AttributeValue> = axis < 0 ? {} : { axis: { kind: 'int', value: axis } };
  if (given) {
    const inner = axis < 0 ? 1 : sizeOf(given.shape.slice(axis + 1));
    const integers = Array.from(given.data as Float32Array, (value, i) => {
      const scale = scales.values[axis < 0 ? 0 : Math.floor(i / inner) % scales.values.length]!;
      return Math.min(Math.max(roundHalfEven(Math.fround(value / scale)) + zero, low), high);
    });
    const quantized = writer.constant(dtype, given.shape, integers);
    return void writer.emit('DequantizeLinear', [quantized, ...parameters], along, node.outputs[0]!);
  }
  const rounded = writer.emit('QuantizeLinear', [x, ...parameters]);
  const [least, most] = isSigned ? [-128, 127] : [0, 255];
  const bounds = [low, high].map((bound) => writer.constant(dtype, [], [bound]));
  const clamped = low > least || high < most ? writer.emit('Clip', [rounded, ...bounds]) : rounded;
  writer.emit('DequantizeLinear', [clamped, ...parameters], {}, node.outputs[0]!);
};

interface Listed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}
