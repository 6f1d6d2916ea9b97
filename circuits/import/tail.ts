/**
 * How a graph output is made. Integer outputs are proven as they are; a float output is the proven integers followed by
 * a deterministic tail outside the proof: DequantizeLinear, then only what turns numbers into an answer.
 */
import type { ConstantTensor, Dtype, ValueInfo } from '../onnx/graph.js';
import { dtypeCodes } from '../onnx/tensor.js';
import { ModelRefused } from '../errors.js';
import { refuseNode } from '../onnx/node.js';
import type { NodeParts, Tensor } from './builder.js';
import { accumulate } from './accumulator.js';
import type { Lowering } from './lowering.js';
import { constantOf } from './constant-float.js';
import { quantizerDomain, scaleTensor, zeroPointTensor } from './quantization.js';
import type { DequantizedFloat, Float, Value } from './value.js';

/** Elementwise operators that may follow the DequantizeLinear of an output; the arithmetic ones only with constants. */
const tailFunctions: ReadonlySet<string> = new Set(['Sigmoid', 'Add', 'Sub', 'Mul', 'Div']);

/** Emits the output under its own name. */
export function emitOutput(lowering: Lowering, output: ValueInfo, value: Value): Tensor {
  const { builder } = lowering;
  const tensor =
    value.kind === 'integer'
      ? value.tensor
      : emitFloat(lowering, proven(lowering, output.name, value.float), output.name);
  if (tensor.name === output.name) return tensor;
  return builder.emit(output.name, tensor, { type: 'Identity', inputs: [tensor.name] }, output.name);
}

/** Constants that leave the graph get a node, so that they are proven like everything else. */
function proven(lowering: Lowering, name: string, float: Float): Float {
  if (float.op === 'constant') return provenConstant(lowering, name, float.tensor);
  if (float.op !== 'dequantized' || !float.constant) return float;
  const { op, shape, quantization, tensor } = float;
  const identity = { type: 'Identity', inputs: [tensor.name] };
  return { op, shape, quantization, tensor: lowering.builder.emit(`${name}/proven`, tensor, identity) };
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
  if (constant) return builder.constant('operand', constant);
  switch (float.op) {
    case 'dequantized':
      if (float.quantization.axis !== undefined) return perAxis(lowering, float, emit);
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
      if (sum.quantization.axis !== undefined) return perAxis(lowering, sum, emit);
      return emit(`${float.node.name}/float`, dequantizeParts(lowering, sum));
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

/**
 * One scale a channel: dequantized by 1, which is exact as far as float32 goes, then zero points subtracted and scales
 * multiplied channel by channel, as DequantizeLinear does.
 */
function perAxis(
  lowering: Lowering,
  { tensor, quantization, shape }: DequantizedFloat,
  emit: (wish: string, parts: NodeParts) => Tensor,
): Tensor {
  const { builder } = lowering;
  const { axis, scales, zeroPoints } = quantization;
  const along = shape.map((_, i) => (i === axis ? scales.length : 1));
  const channels = (wish: string, data: Float32Array): string =>
    builder.constant(wish, { dtype: 'float32', shape: along, data }).name;
  const one = { ...quantization, scales: Float32Array.of(1), zeroPoints: [0], axis: undefined };
  const type = { dtype: 'float32', shape } as const;
  const parts = dequantizeParts(lowering, { op: 'dequantized', tensor, quantization: one, shape });
  let unit = builder.emit(`${tensor.name}/unit`, type, parts);
  if (zeroPoints.some((zero) => zero !== 0))
    unit = builder.emit(`${tensor.name}/centred`, type, {
      type: 'Sub',
      inputs: [unit.name, channels('zero_point', Float32Array.from(zeroPoints))],
    });
  return emit(`${tensor.name}/float`, { type: 'Mul', inputs: [unit.name, channels('scale', scales)] });
}

/** A float input of the graph, or something computed from such inputs alone. */
function isGiven(float: Float): boolean {
  if (float.op === 'pointwise')
    return float.args.every((arg) => isGiven(arg) || constantOf(arg)) && !constantOf(float);
  return float.op === 'input';
}

/** Types for which ONNX Runtime has a DequantizeLinear; of the others only a plain cast leaves the proof. */
const DEQUANTIZED: readonly Dtype[] = ['int8', 'uint8', 'int16', 'uint16', 'int32'];

function dequantizeParts(lowering: Lowering, { tensor, quantization }: DequantizedFloat): NodeParts {
  const { builder } = lowering;
  const { dtype, scales, zeroPoints } = quantization;
  if (!DEQUANTIZED.includes(dtype)) {
    if (scales[0] !== 1 || zeroPoints[0] !== 0)
      throw new ModelRefused({
        where: `value "${tensor.name}"`,
        what: `scale of ${dtype} integers that leave the graph`,
        expected: '1',
        got: String(scales[0]),
      });
    return {
      type: 'Cast',
      inputs: [tensor.name],
      attributes: { to: { kind: 'int', value: dtypeCodes.float32 } },
    };
  }
  return {
    type: 'DequantizeLinear',
    domain: quantizerDomain(quantization.dtype),
    inputs: [
      tensor.name,
      builder.constant('scale', scaleTensor(quantization)).name,
      builder.constant('zero_point', zeroPointTensor(quantization)).name,
    ],
    attributes: quantization.axis === undefined ? {} : { axis: { kind: 'int', value: quantization.axis } },
  };
}
