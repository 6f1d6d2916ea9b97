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
  Clip: { int16: 'int32', uint16: 'int32' },
  CumSum: { uint32: 'int64', uint64: 'int64' },
  ReduceSum: { uint32: 'int64', uint64: 'int64' },
  ReduceMax: { uint32: 'int64', uint64: 'int64' },
  ReduceMin: { uint32: 'int64', uint64: 'int64' },
  Where: {
    bool: 'uint8',
    int8: 'int32',
    int16: 'int32',
    uint16: 'int32',
    uint32: 'int64',
    uint64: 'int64',
  },
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
  const { dtype } = operands[first]!;
  const wide = widened[operator]?.[dtype];
  if (!wide) return builder.emit(name, type, parts);
  // Axes and conditions keep their own types.
  const isWidened = (operand: Tensor, i: number): boolean => i >= first && operand.dtype === dtype;
  const narrow = operands.filter(isWidened);
  const outputs = narrow.map((operand) => builder.fresh(`${operand.name}/wide`));
  const to = (dtype: Dtype): Readonly<Record<string, AttributeValue>> => ({
    to: { kind: 'int', value: dtypeCodes[dtype] },
  });
  const executed: NodeParts[] = narrow.map((operand) => ({
    type: 'Cast',
    inputs: [operand.name],
    attributes: to(wide),
  }));
  const widenedNames = outputs.values();
  executed.push({
    ...parts,
    inputs: operands.map((operand, i) => (isWidened(operand, i) ? widenedNames.next().value! : operand.name)),
  });
  if (type.dtype === dtype) {
    outputs.push(builder.fresh(`${name}/wide`));
    executed.push({ type: 'Cast', inputs: [outputs.at(-1)!], attributes: to(type.dtype) });
  }
  outputs.push(builder.fresh(name));
  return builder.emitTwoForms(name, type, parts, executed, outputs);
}
