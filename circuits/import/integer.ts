/** Operators that compute on integer tensors as they are; they pass into the executed graph under the newest opset's form. */
import { hasAttribute, refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import type { Tensor } from './builder.js';
import type { Lowering } from './lowering.js';
import { rangeOf } from './quantization.js';

/** Operators whose newest form is the uploaded one, once old attributes are gone. */
const passing: ReadonlySet<string> = new Set(
  (
    'Add Sub Mul Div Mod Max Min Neg Abs And Or Xor Not Equal Greater Less GreaterOrEqual LessOrEqual Where Cast Pow ' +
    'BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot Sign'
  ).split(' '),
);

/** The node as it is, on the integers its inputs stand for. */
function pass(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const output = node.outputs[0]!;
  const inputs = node.inputs.map((_, i) => lowering.integer(node, i).name);
  const attributes = Object.fromEntries(node.attributes);
  return lowering.builder.emit(
    node.name,
    { dtype: lowering.dtypeOf(output), shape: lowering.shapeOf(output) },
    { type: node.type, inputs, attributes },
  );
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
    default:
      if (!passing.has(node.type))
        return refuseNode(node, 'operator on integers', 'one that has an integer form', node.type);
      return lowering.setInteger(output, pass(lowering, context));
  }
}
