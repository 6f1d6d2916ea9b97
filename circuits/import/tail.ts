/**
 * How a graph output is made. Integer outputs are proven as they are; a float output is the proven integers followed by
 * a deterministic tail outside the proof: DequantizeLinear, then only what turns numbers into an answer.
 */
import type { ConstantTensor, ValueInfo } from '../onnx/graph.js';
import { ModelRefused } from '../errors.js';
import { refuseNode } from '../onnx/node.js';
import type { NodeParts, Tensor } from './builder.js';
import { accumulate } from './accumulator.js';
import type { Lowering } from './lowering.js';
import { constantOf } from './quantize-float.js';
import { scaleTensor, zeroPointTensor } from './quantization.js';
import type { DequantizedFloat, Float, Value } from './value.js';

/** Elementwise operators that may follow the DequantizeLinear of an output; the arithmetic ones only with constants. */
const tailFunctions: ReadonlySet<string> = new Set(['Sigmoid', 'Add', 'Sub', 'Mul', 'Div']);

/** Emits the output under its own name. */
export function emitOutput(lowering: Lowering, output: ValueInfo, value: Value): Tensor {
  const { builder } = lowering;
  const known = value.kind === 'float' && value.float.op === 'constant' ? value.float.tensor : undefined;
  const tensor = known
    ? emitFloat(lowering, provenConstant(lowering, output.name, known), output.name)
    : value.kind === 'integer'
      ? value.tensor
      : emitFloat(lowering, value.float, output.name);
  if (tensor.name === output.name) return tensor;
  return builder.emit(output.name, tensor, { type: 'Identity', inputs: [tensor.name] }, output.name);
}

/** A float constant that leaves the graph, as proven integers and one scale: integers, or ± one number. */
function provenConstant(lowering: Lowering, name: string, { shape, data }: ConstantTensor): DequantizedFloat {
  const { builder } = lowering;
  const values = data as Float32Array;
  const unit = values.every((value) => Math.abs(value) < 2 ** 31 && Number.isInteger(value))
    ? 1
    : Math.abs(values.find((value) => value !== 0)!);
  const integers = Int32Array.from(values, (value) => value / unit);
  if (values.some((value, i) => Math.fround(integers[i]! * unit) !== value || Object.is(value, -0)))
    throw new ModelRefused({
      where: `output "${name}"`,
      what: 'float constants',
      expected: 'integers, or one number and its negative',
      got: Array.from(values.slice(0, 4)).join(', '),
    });
  const constant = builder.constant(`${name}/integers`, { dtype: 'int32', shape, data: integers });
  const tensor = builder.emit(`${name}/proven`, constant, { type: 'Identity', inputs: [constant.name] });
  const quantization = {
    dtype: 'int32',
    scales: Float32Array.of(unit),
    zeroPoints: [0],
    axis: undefined,
  } as const;
  return { op: 'dequantized', tensor, quantization, shape };
}

/** A float value outside the proof, under the given name if it is emitted here. */
export function emitFloat(lowering: Lowering, float: Float, name?: string): Tensor {
  const { builder } = lowering;
  const emit = (wish: string, parts: NodeParts, dtype: Tensor['dtype'] = 'float32'): Tensor =>
    builder.emit(wish, { dtype, shape: float.shape }, parts, name ?? builder.fresh(wish));
  const constant = constantOf(float);
  // An output that is known stays a dequantized constant, so that it is seen not to come from the proof.
  if (constant && !(name && float.op === 'dequantized')) return builder.constant('operand', constant);
  switch (float.op) {
    case 'dequantized':
      return emit(`${float.tensor.name}/float`, dequantizeParts(lowering, float));
    case 'tail': {
      const inputs = float.args.map((arg) => emitFloat(lowering, arg).name);
      const attributes = Object.fromEntries(float.node.attributes);
      return emit(
        float.node.name,
        { type: float.node.type, domain: float.node.domain, inputs, attributes },
        float.dtype ?? (float.node.type === 'ArgMax' ? 'int64' : 'float32'),
      );
    }
    case 'linear': {
      const sum = accumulate(builder, float, lowering.notes);
      const { scales, axis } = sum.quantization;
      if (axis === undefined) return emit(`${float.node.name}/float`, dequantizeParts(lowering, sum));
      // One scale a channel: dequantized by 1, which is exact as far as float32 goes, then multiplied channel by channel.
      const one = { ...sum.quantization, scales: Float32Array.of(1), zeroPoints: [0], axis: undefined };
      const type = { dtype: 'float32', shape: float.shape } as const;
      const unit = builder.emit(
        `${float.node.name}/unit`,
        type,
        dequantizeParts(lowering, { ...sum, quantization: one }),
      );
      const shape = float.shape.map((_, i) => (i === axis ? scales.length : 1));
      const factor = builder.constant('scale', { dtype: 'float32', shape, data: scales });
      return emit(`${float.node.name}/float`, { type: 'Mul', inputs: [unit.name, factor.name] });
    }
    case 'pointwise': {
      const computed = float.args.filter((arg) => !constantOf(arg));
      if (computed.length > 1 && computed.some(isGiven)) {
        refuseNode(
          float.node,
          'factor of a quantized value',
          'a constant (quantization parameters computed or given at run time are dynamic quantization)',
          'a float input',
        );
      }
      if (!tailFunctions.has(float.node.type) || computed.length !== 1) break;
      const inputs = float.args.map((arg) => emitFloat(lowering, arg).name);
      return emit(float.node.name, { type: float.node.type, inputs });
    }
    case 'moved': {
      const sources = float.sources.map((source) => emitFloat(lowering, source));
      return float.apply(sources, undefined);
    }
  }
  const expected =
    'quantized, or the result of a DequantizeLinear (a float model is quantized first: verinfer quantize)';
  if ('node' in float)
    return refuseNode(float.node, 'result that leaves the graph', expected, `a float ${float.node.type}`);
  throw new ModelRefused({
    where: `input "${float.op === 'input' ? float.name : ''}"`,
    what: 'use',
    expected,
    got: 'float',
  });
}

/** A float input of the graph, or something computed from such inputs alone. */
function isGiven(float: Float): boolean {
  if (float.op === 'pointwise')
    return float.args.every((arg) => isGiven(arg) || constantOf(arg)) && !constantOf(float);
  return float.op === 'input';
}

function dequantizeParts(lowering: Lowering, { tensor, quantization }: DequantizedFloat): NodeParts {
  const { builder } = lowering;
  return {
    type: 'DequantizeLinear',
    inputs: [
      tensor.name,
      builder.constant('scale', scaleTensor(quantization)).name,
      builder.constant('zero_point', zeroPointTensor(quantization)).name,
    ],
    attributes: quantization.axis === undefined ? {} : { axis: { kind: 'int', value: quantization.axis } },
  };
}
