/** Operators that compute on integer tensors as they are; they pass into the executed graph under the newest opset's form. */
import { hasAttribute, refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import type { Lowering } from './lowering.js';
import { rangeOf } from './quantization.js';

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
      return refuseNode(node, 'operator on integers', 'one that has an integer form', node.type);
  }
}
