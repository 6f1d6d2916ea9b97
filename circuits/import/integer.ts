/** Operators that compute on integer tensors as they are; they pass into the executed graph under the newest opset's form. */
import type { AttributeValue, Dtype } from '../onnx/graph.js';
import { hasAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import { dtypeCodes } from '../onnx/tensor.js';
import { reducedAxes } from '../onnx/wiring.js';
import type { NodeParts, Tensor } from './builder.js';
import type { Lowering } from './lowering.js';
import { rangeOf } from './quantization.js';

/** Operators whose newest form is the uploaded one, once old attributes are gone. */
const passing: ReadonlySet<string> = new Set(
  (
    'Add Sub Mul Div Mod Max Min Neg Abs And Or Xor Not Equal Greater Less GreaterOrEqual LessOrEqual Where Cast Pow ' +
    'BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot Sign'
  ).split(' '),
);

/**
 * Types for which ONNX Runtime has no kernel of these operators, and the wider type that has one. Both wrap modulo a
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
  Div: arithmetic,
  Max: { int16: 'int32', uint16: 'int32' },
  Min: { int16: 'int32', uint16: 'int32' },
  BitShift: { uint16: 'uint32' },
  Where: { int8: 'int32', int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
  Equal: { int8: 'int32', uint8: 'int32', int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64' },
};

/** The node as it is, on the integers its inputs stand for; widened in the executed graph where it must be. */
function pass(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const output = node.outputs[0]!;
  const type = { dtype: lowering.dtypeOf(output), shape: lowering.shapeOf(output) };
  const operands = node.inputs.map((_, i) => lowering.integer(node, i));
  const parts = {
    type: node.type,
    inputs: operands.map(({ name }) => name),
    attributes: Object.fromEntries(node.attributes),
  };
  // The condition of a Where is bool already; its choices are what may need another type.
  const first = node.type === 'Where' ? 1 : 0;
  const wide = widened[node.type]?.[operands[first]!.dtype];
  if (!wide) return builder.emit(node.name, type, parts);
  const narrow = operands.slice(first);
  const outputs = narrow.map(({ name }) => builder.fresh(`${name}/wide`));
  const to = (dtype: Dtype): Readonly<Record<string, AttributeValue>> => ({
    to: { kind: 'int', value: dtypeCodes[dtype] },
  });
  const executed: NodeParts[] = narrow.map(({ name }) => ({
    type: 'Cast',
    inputs: [name],
    attributes: to(wide),
  }));
  executed.push({ ...parts, inputs: [...operands.slice(0, first).map(({ name }) => name), ...outputs] });
  if (type.dtype !== 'bool') {
    outputs.push(builder.fresh(`${node.name}/wide`));
    executed.push({ type: 'Cast', inputs: [outputs.at(-1)!], attributes: to(type.dtype) });
  }
  outputs.push(builder.fresh(node.name));
  return builder.emitTwoForms(node.name, type, parts, executed, outputs);
}

/** Reductions take their axes as an input in the newest opset. */
function reduce(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const output = node.outputs[0]!;
  const axes = [...reducedAxes(context)];
  const type = { dtype: lowering.dtypeOf(output), shape: lowering.shapeOf(output) };
  return builder.emit(node.name, type, {
    type: node.type,
    inputs: [lowering.integer(node, 0).name, builder.int64s('axes', axes).name],
    attributes: { keepdims: { kind: 'int', value: intAttribute(node, 'keepdims', 1) } },
  });
}

export function emitIntegerNode(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const type = { dtype: context.type(0)!.dtype, shape: lowering.shapeOf(output) };
  switch (node.type) {
    case 'Relu':
      return lowering.setInteger(
        output,
        lowering.builder.emit(node.name, type, { type: 'Relu', inputs: [lowering.integer(node, 0).name] }),
      );
    case 'Clip': {
      if (hasAttribute(node, 'min') || hasAttribute(node, 'max'))
        refuseNode(node, 'min and max', 'inputs of the operand type', 'float attributes');
      const [low, high] = rangeOf(type.dtype);
      const bound = (i: number, fallback: number): string => {
        const constant = context.constant(i);
        if (context.type(i) && !constant)
          refuseNode(node, `input ${i}`, 'a constant', 'a value computed at run time');
        return lowering.builder.scalar('bound', type.dtype, constant ? Number(constant.data[0]) : fallback)
          .name;
      };
      return lowering.setInteger(
        output,
        lowering.builder.emit(node.name, type, {
          type: 'Clip',
          inputs: [lowering.integer(node, 0).name, bound(1, low), bound(2, high)],
        }),
      );
    }
    case 'ReduceSum':
    case 'ReduceMax':
    case 'ReduceMin':
      return lowering.setInteger(output, reduce(lowering, context));
    default:
      if (!passing.has(node.type))
        return refuseNode(node, 'operator on integers', 'one that has an integer form', node.type);
      return lowering.setInteger(output, pass(lowering, context));
  }
}
