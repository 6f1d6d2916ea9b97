/** Operators without weights, on int8. What has no integer form is written dequantize, operator, quantize. */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import { axisOf, floatAttribute, intAttribute, integersOf, intsAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf } from '../onnx/shape.js';
import type { Emitter, QuantizedValue } from './emitter.js';
import { roundHalfEven } from './lattice.js';
import type { PlainOperator, PlainWiring } from './plain.js';

/** Functions of one value: a table of 256 entries each, whatever they are. */
const UNARY = new Set(
  (
    'Sigmoid Tanh LeakyRelu Elu Selu Celu Softplus Softsign HardSigmoid HardSwish Gelu Erf Exp Log Sqrt Abs Neg ' +
    'Reciprocal Floor Ceil Round Sign Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh ThresholdedRelu Mish Shrink ' +
    'Swish'
  ).split(' '),
);

/** Operators that are quantized around their weights, which must be known. */
const WEIGHTED = new Set('Conv ConvTranspose Gemm BatchNormalization PRelu'.split(' '));

/** Where a function has no value, the nearest argument that has one stands in; one step of the scale is `step`. */
const DOMAINS: Readonly<Record<string, (step: number) => readonly [number, number]>> = {
  Log: (step) => [step, Infinity],
  Sqrt: () => [0, Infinity],
  Asin: () => [-1, 1],
  Acos: () => [-1, 1],
  Acosh: () => [1, Infinity],
  Atanh: (step) => [step - 1, 1 - step],
};

export function emitOperator(emitter: Emitter, operator: PlainOperator): void {
  const { node, output } = operator;
  if (node.domain !== '')
    refuseNode(node, 'operator', 'one that can be quantized', `${node.domain}:${node.type}`);
  switch (node.type) {
    case 'Relu':
      return emitClamp(emitter, operator, 0, Infinity);
    case 'Clip': {
      const [low, high] = clipBounds(emitter, node);
      return emitClamp(emitter, operator, low, high);
    }
    case 'MaxPool':
      return void emitter.emitInteger(
        {
          type: 'MaxPool',
          name: node.name,
          inputs: [emitter.value(node.inputs[0]!).name],
          attributes: node.attributes,
        },
        output,
      );
    case 'GlobalMaxPool':
    case 'ReduceMax':
    case 'ReduceMin':
      return emitWholeExtremum(emitter, operator);
    case 'Max':
    case 'Min':
      return void emitter.emitInteger(
        { type: node.type, name: node.name, inputs: operands(emitter, operator) },
        output,
      );
    case 'Add':
    case 'Sub':
    case 'Sum':
      if (node.inputs.length !== 2) return refuseNode(node, 'operands', '2', node.inputs.length);
      return emitThroughFloat(emitter, operator, node.type === 'Sum' ? 'Add' : node.type);
    case 'Mul':
      return emitThroughFloat(emitter, operator, 'Mul');
    case 'MatMul':
      return emitProduct(emitter, operator);
  }
  if (!UNARY.has(node.type)) {
    const computed = node.inputs.slice(1).find((name) => name !== '' && !emitter.constants.has(name));
    if (WEIGHTED.has(node.type) && computed !== undefined)
      refuseNode(node, 'weights', 'constants', `the computed value "${computed}"`);
    refuseNode(node, 'operator', 'one that can be quantized', node.type);
  }
  emitThroughFloat(emitter, operator, node.type);
}

/** The greatest or least element along whole axes, on the integers as it is on what they stand for. */
function emitWholeExtremum(emitter: Emitter, { node, output }: PlainOperator): void {
  const input = emitter.value(node.inputs[0]!);
  const { shape } = input;
  const ints = (value: readonly number[]): AttributeValue => ({ kind: 'ints', value });
  if (node.type === 'GlobalMaxPool') {
    const attributes = new Map([['kernel_shape', ints(shape.slice(2))]]);
    return void emitter.emitInteger(
      { type: 'MaxPool', name: node.name, inputs: [input.name], attributes },
      output,
    );
  }
  const given = emitter.constants.get(node.inputs[1] ?? '');
  if (node.inputs[1] && !given) refuseNode(node, 'axes', 'a constant', 'a value computed at run time');
  const axes = intsAttribute(node, 'axes') ?? (given ? integersOf(given) : shape.map((_, axis) => axis));
  const keepdims: AttributeValue = { kind: 'int', value: intAttribute(node, 'keepdims', 1) };
  const attributes = new Map([
    ['axes', ints(axes.map((axis) => axisOf(node, axis, shape.length)))],
    ['keepdims', keepdims],
  ]);
  emitter.emitInteger({ type: node.type, name: node.name, inputs: [input.name], attributes }, output);
}

/** Bounds of a Clip: attributes before opset 11, constant inputs since. */
export function clipBounds(emitter: Emitter, node: GraphNode): [number, number] {
  const given = (index: number, name: string, fallback: number): number => {
    const input = node.inputs[index];
    if (!input) return floatAttribute(node, name, fallback);
    const constant = emitter.constants.get(input);
    if (!constant) refuseNode(node, name, 'a constant', `the computed value "${input}"`);
    return Number(constant.data[0]);
  };
  return [given(1, 'min', -Infinity), given(2, 'max', Infinity)];
}

/** Relu as such where it is one; any other clamp, or fewer bits, as Clip on integers. */
function emitClamp(emitter: Emitter, { node, output }: PlainOperator, low: number, high: number): void {
  const input = emitter.value(node.inputs[0]!);
  const step = 2 ** input.exponent;
  const quantized = (bound: number): number =>
    Math.min(127, Math.max(-128, roundHalfEven(bound / step) + input.zeroPoint));
  const top = Math.min(quantized(high), input.zeroPoint === 0 ? emitter.levels : 127);
  const bottom = quantized(low);
  const isRelu = bottom === 0 && top === 127;
  emitter.emitInteger(
    isRelu
      ? { type: 'Relu', name: node.name, inputs: [input.name] }
      : {
          type: 'Clip',
          name: node.name,
          inputs: [input.name, emitter.int8Constant(bottom), emitter.int8Constant(top)],
        },
    output,
  );
}

/** Integer operands of one scale; a constant is rounded to it. */
function operands(emitter: Emitter, operator: PlainOperator): string[] {
  return operator.inputs.map((name, i) => {
    const constant = emitter.constants.get(name);
    if (!constant) return emitter.value(name).name;
    if (constant.dtype !== 'float32') refuseNode(operator.node, `input ${i}`, 'float32', constant.dtype);
    const { exponent } = emitter.scaleOf(operator.output);
    const data = Int8Array.from(constant.data as Float32Array, (value) =>
      Math.min(127, Math.max(-128, roundHalfEven(value / 2 ** exponent))),
    );
    return emitter.constant(`${operator.output}_operand${i}`, { dtype: 'int8', shape: constant.shape, data });
  });
}

function emitThroughFloat(emitter: Emitter, operator: PlainOperator, type: string): void {
  const { node, output, inputs } = operator;
  const scale = emitter.scaleOf(output);
  const floats = operands(emitter, operator).map((name, i) => {
    const isConstant = emitter.constants.has(inputs[i]!);
    const value: QuantizedValue = isConstant
      ? { name, shape: [], ...scale, zeroPoint: 0 }
      : emitter.value(inputs[i]!);
    return emitter.dequantize(value, `${output}_float${i}`);
  });
  const domain = DOMAINS[type]?.(2 ** emitter.value(inputs[0]!).exponent);
  if (domain) floats[0] = emitter.clip(floats[0]!, domain, `${output}_inside`);
  if (type === 'Add' && floats.length > 2) refuseNode(node, 'inputs', 'two', String(floats.length));
  const result = emitter.emit({
    type,
    name: node.name,
    inputs: floats,
    output: `${output}_float`,
    attributes: new Map([...node.attributes].filter(([name]) => name !== 'consumed_inputs')),
  });
  emitter.quantize(result, output);
}

/** A product of two activations. */
function emitProduct(emitter: Emitter, { node, output, inputs }: PlainOperator): void {
  const [a, b] = inputs.map((name) => (emitter.constants.has(name) ? undefined : emitter.value(name)));
  if (!a || !b) refuseNode(node, 'A', 'a computed value', 'a constant');
  const parts = [a, b].flatMap((value) => [
    value.name,
    emitter.scaleConstant(value.exponent),
    emitter.int8Constant(value.zeroPoint),
  ]);
  const { exponent } = emitter.scaleOf(output);
  const target = [emitter.scaleConstant(exponent), emitter.int8Constant(0)];
  emitter.emitInteger({ type: 'QLinearMatMul', name: node.name, inputs: [...parts, ...target] }, output);
}

/** Reshape, Transpose or Concat where it is one, else a gather from the flattened sources. */
export function emitWiring(emitter: Emitter, { node, name, inputs, output, wiring }: PlainWiring): void {
  const sources = inputs.map((input) => emitter.value(input));
  const map = wiring.map();
  const shape = wiring.shape;
  const first = sources[0]!;
  const done = (type: string, operandNames: string[], attributes: [string, AttributeValue][] = []): void =>
    void emitter.emitInteger({ type, name, inputs: operandNames, attributes: new Map(attributes) }, output);
  if (sources.length === 1 && map.length === sizeOf(first.shape) && map.every((from, i) => from === i))
    return node.type === 'Flatten'
      ? done('Flatten', [first.name], [...node.attributes])
      : done('Reshape', [first.name, emitter.shapeConstant(shape)]);
  if (node.type === 'Transpose') {
    const perm = intsAttribute(node, 'perm') ?? first.shape.map((_, i) => first.shape.length - 1 - i);
    return done('Transpose', [first.name], [['perm', { kind: 'ints', value: perm }]]);
  }
  if (node.type === 'Concat') {
    const axis = axisOf(node, intAttribute(node, 'axis', 1), shape.length);
    return done(
      'Concat',
      sources.map((source) => source.name),
      [['axis', { kind: 'int', value: axis }]],
    );
  }
  const flats = sources.map((source, i) =>
    emitter.reshape(`${name}_flat${i}`, source.name, [sizeOf(source.shape)], `${output}_flat${i}_q`),
  );
  let total = sources.reduce((sum, source) => sum + sizeOf(source.shape), 0);
  if (map.includes(-1)) {
    const { exponent, zeroPoint } = emitter.scaleOf(output);
    const fill = Math.min(127, Math.max(-128, roundHalfEven((wiring.fill ?? 0) / 2 ** exponent) + zeroPoint));
    flats.push(
      emitter.constant(`${output}_fill`, { dtype: 'int8', shape: [1], data: Int8Array.from([fill]) }),
    );
    map.forEach((from, i) => (map[i] = from < 0 ? total : from));
    total++;
  }
  const axis = new Map<string, AttributeValue>([['axis', { kind: 'int', value: 0 }]]);
  const pool =
    flats.length === 1
      ? flats[0]!
      : emitter.emit({
          type: 'Concat',
          name: `${name}_pool`,
          inputs: flats,
          output: `${output}_pool_q`,
          attributes: axis,
        });
  const indices = emitter.constant(`${output}_indices`, {
    dtype: 'int64',
    shape: [...shape],
    data: BigInt64Array.from(map, BigInt),
  });
  done('Gather', [pool, indices], [...axis]);
}
