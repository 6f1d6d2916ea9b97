/** Operators that compute on integer tensors as they are; they pass into the executed graph under the newest opset's form. */
import { hasAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import type { Dtype } from '../onnx/graph.js';
import type { NodeContext, ValueType } from '../onnx/shape.js';
import { reducedAxes } from '../onnx/wiring.js';
import type { Tensor } from './builder.js';
import { emitInteger } from './emit-integer.js';
import { castTo, integerMatMul, reducedIntegers, scatteredIntegers } from './integer-forms.js';
import { gatherComputed, lowerOneHot, triangle } from './selection.js';
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
  return emitInteger(
    lowering.builder,
    node.name,
    { dtype: lowering.dtypeOf(output), shape: lowering.shapeOf(output) },
    node.type,
    node.inputs.map((_, i) => lowering.integer(node, i)),
    Object.fromEntries(node.attributes),
  );
}

/** What ONNX lets these reductions take; of narrower integers ONNX Runtime has no kernel. */
const summed: readonly Dtype[] = ['int32', 'uint32', 'int64', 'uint64'];
const compared: readonly Dtype[] = [...summed, 'int8', 'uint8', 'bool'];

/** Reductions take their axes as an input in the newest opset. */
function reduce(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const output = node.outputs[0]!;
  const axes = [...reducedAxes(context)];
  const type = { dtype: lowering.dtypeOf(output), shape: lowering.shapeOf(output) };
  const x = lowering.integer(node, 0);
  if (!(node.type === 'ReduceSum' ? summed : compared).includes(x.dtype))
    refuseNode(node, 'dtype', (node.type === 'ReduceSum' ? summed : compared).join(', '), x.dtype);
  // A sum of int32 beyond its type saturates in ONNX Runtime: as int64 it is refused for the inference.
  if (node.type === 'ReduceSum' && x.dtype === 'int32') {
    const wide = { ...type, dtype: 'int64' } as const;
    const operands = [castTo(builder, node.name, x, 'int64'), builder.int64s('axes', axes)];
    const keepdims = { kind: 'int', value: intAttribute(node, 'keepdims', 1) } as const;
    const sum = emitInteger(builder, `${node.name}/sum`, wide, 'ReduceSum', operands, { keepdims });
    return castTo(builder, node.name, sum, 'int32');
  }
  const operands = [x, builder.int64s('axes', axes)];
  const keepdims = { kind: 'int', value: intAttribute(node, 'keepdims', 1) } as const;
  return emitInteger(builder, node.name, type, node.type, operands, { keepdims });
}

/** Bytes have a Relu of their own, which a rounding before it may take in; of other integers it is a maximum. */
function rectified(lowering: Lowering, { node }: NodeContext, type: ValueType): Tensor {
  const { builder } = lowering;
  const x = lowering.integer(node, 0);
  if (x.dtype === 'int8' || x.dtype === 'uint8')
    return builder.emit(node.name, type, { type: 'Relu', inputs: [x.name] });
  return emitInteger(builder, node.name, type, 'Max', [x, builder.scalar('zero', x.dtype, 0)]);
}

/** Bounds that are constants clamp in one node; computed ones are a maximum and a minimum. */
function clip(lowering: Lowering, context: NodeContext, type: ValueType): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const x = lowering.integer(node, 0);
  const given = [1, 2].filter((i) => context.type(i));
  if (given.every((i) => context.constant(i))) {
    const [low, high] = rangeOf(type.dtype);
    const bound = (i: number, fallback: number): Tensor =>
      builder.scalar('bound', type.dtype, Number(context.constant(i)?.data[0] ?? fallback));
    return emitInteger(builder, node.name, type, 'Clip', [x, bound(1, low), bound(2, high)]);
  }
  return given.reduce(
    (value, i) =>
      emitInteger(builder, node.name, type, i === 1 ? 'Max' : 'Min', [value, lowering.integer(node, i)]),
    x,
  );
}

export function emitIntegerNode(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const type = { dtype: context.type(0)!.dtype, shape: lowering.shapeOf(output) };
  switch (node.type) {
    case 'Relu':
      return lowering.setInteger(output, rectified(lowering, context, type));
    case 'Clip': {
      if (hasAttribute(node, 'min') || hasAttribute(node, 'max'))
        refuseNode(node, 'min and max', 'inputs of the operand type', 'float attributes');
      return lowering.setInteger(output, clip(lowering, context, type));
    }
    case 'Trilu':
      return lowering.setInteger(output, triangle(lowering, context));
    case 'OneHot':
      return lowerOneHot(lowering, context);
    case 'Gather':
    case 'GatherElements':
    case 'GatherND':
      return lowering.setInteger(output, gatherComputed(lowering, context));
    case 'CumSum': {
      const axis = context.constant(1);
      if (!axis) return refuseNode(node, 'axis', 'a constant', 'a value computed at run time');
      const operands = [lowering.integer(node, 0), lowering.builder.constant('axis', axis)];
      const attributes = Object.fromEntries(node.attributes);
      return lowering.setInteger(
        output,
        emitInteger(lowering.builder, node.name, type, 'CumSum', operands, attributes),
      );
    }
    case 'ReduceSum':
    case 'ReduceMax':
    case 'ReduceMin':
      return lowering.setInteger(output, reduce(lowering, context));
    case 'ReduceProd':
    case 'ReduceL1':
    case 'ReduceSumSquare':
    case 'ReduceMean':
      return lowering.setInteger(output, reducedIntegers(lowering, context));
    case 'MatMul':
      return lowering.setInteger(output, integerMatMul(lowering, context));
    case 'ScatterElements':
    case 'ScatterND':
      return lowering.setInteger(output, scatteredIntegers(lowering, context));
    default:
      if (!passing.has(node.type))
        return refuseNode(node, 'operator on integers', 'one that has an integer form', node.type);
      return lowering.setInteger(output, pass(lowering, context));
  }
}
