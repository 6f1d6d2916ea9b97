/** One integer operator in both forms: as it is proven, and in types for which ONNX Runtime has a kernel. */
import type { AttributeValue, Dtype } from '../onnx/graph.js';
import type { ValueType } from '../onnx/shape.js';
import { dtypeCodes } from '../onnx/tensor.js';
import type { GraphBuilder, NodeParts, Tensor } from './builder.js';

/**
 * Types for which ONNX Runtime has no safe kernel of these operators, and the wider type that has one. Both wrap modulo a
 * power of two, and a Cast back keeps the low bits, so the widened operator is the same function.
 */
const arithmetic: Partial<Record<Dtype, Dtype>> = {
  int8: 'int32',
  uint8: 'int32',
  int16: 'int32',
  uint16: 'int32',
  uint32: 'int64',
  uint64: 'int64',
};
const widened: Readonly<Record<string, Partial<Record<Dtype, Dtype>>>> = {
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  // −2³¹ / −1 stops the process that runs it: x86 has no such quotient, and ONNX Runtime does not look for it.
  Div: { ...arithmetic, int32: 'int64' },
  Mod: { int32: 'int64' },
  Max: { int16: 'int32', uint16: 'int32' },
  Min: { int16: 'int32', uint16: 'int32' },
  ArgMax: { int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
  ArgMin: { int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
  BitShift: { uint16: 'uint32' },
  Where: { int8: 'int32', int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
  Equal: { int8: 'int32', uint8: 'int32', int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
};

/** One integer operator; widened in the executed graph where ONNX Runtime has no kernel for the type. */
export function emitInteger(
  builder: GraphBuilder,
  name: string,
  type: ValueType,
  operator: string,
  operands: readonly Tensor[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): Tensor {
  const parts = { type: operator, inputs: operands.map((operand) => operand.name), attributes };
  // The condition of a Where is bool already; its choices are what may need another type.
  const first = operator === 'Where' ? 1 : 0;
  const wide = widened[operator]?.[operands[first]!.dtype];
  if (!wide) return builder.emit(name, type, parts);
  const narrow = operands.slice(first);
  const outputs = narrow.map((operand) => builder.fresh(`${operand.name}/wide`));
  const to = (dtype: Dtype): Readonly<Record<string, AttributeValue>> => ({
    to: { kind: 'int', value: dtypeCodes[dtype] },
  });
  const executed: NodeParts[] = narrow.map((operand) => ({
    type: 'Cast',
    inputs: [operand.name],
    attributes: to(wide),
  }));
  executed.push({
    ...parts,
    inputs: [...operands.slice(0, first).map((operand) => operand.name), ...outputs],
  });
  if (type.dtype !== 'bool') {
    outputs.push(builder.fresh(`${name}/wide`));
    executed.push({ type: 'Cast', inputs: [outputs.at(-1)!], attributes: to(type.dtype) });
  }
  outputs.push(builder.fresh(name));
  return builder.emitTwoForms(name, type, parts, executed, outputs);
}
