/** Operators that turn numbers into an answer: outside the proof (Softmax, Normalizer, labels), or a proven ArgMax. */
import type { GraphNode } from '../onnx/graph.js';
import { axisOf, intAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf, type NodeContext } from '../onnx/shape.js';
import { orderedIntegers } from './choice.js';
import { emitInteger } from './emit-integer.js';
import type { Lowering } from './lowering.js';
import type { Float } from './value.js';

/** Softmax and its kin of dequantized values: computed outside the proof, so nothing proven may depend on them. */
export function lowerTail(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  if (context.opset >= 13 || node.type === 'ArgMax') return setTail(lowering, node);
  const { shape } = context.type(0)!;
  const axis = axisOf(node, intAttribute(node, 'axis', 1), shape.length);
  // Until opset 13 everything from the axis on was one axis; on the last axis both readings agree.
  if (sizeOf(shape.slice(axis + 1)) !== 1) refuseNode(node, 'axis', 'the last one (before opset 13)', axis);
  setTail(lowering, {
    ...node,
    attributes: new Map(node.attributes).set('axis', { kind: 'int', value: axis }),
  });
}

function setTail(lowering: Lowering, node: GraphNode): void {
  const output = node.outputs[0]!;
  const shape = lowering.shapeOf(output);
  lowering.setFloat(output, { op: 'tail', node, args: [lowering.float(node, 0)], shape });
}

/** ai.onnx.ml: rows divided by their norm, which only an answer may be. */
export function lowerNormalizer(lowering: Lowering, { node }: NodeContext): void {
  setTail(lowering, node);
}

/** A table of labels, read at the place that an ArgMax outside the proof names. */
export function isLabelLookup(lowering: Lowering, node: GraphNode): boolean {
  const index = lowering.value(node.inputs[1] ?? '');
  const isTail = index?.kind === 'float' && index.float.op === 'tail';
  return node.type === 'Gather' && isTail && lowering.graph.constants.get(node.inputs[0]!)?.dtype === 'int64';
}

export function lowerLabelLookup(lowering: Lowering, { node }: NodeContext): void {
  const table = lowering.graph.constants.get(node.inputs[0]!)!;
  const shape = lowering.shapeOf(node.outputs[0]!);
  const args: Float[] = [{ op: 'constant', shape: table.shape, tensor: table }, lowering.float(node, 1)];
  lowering.setFloat(node.outputs[0]!, { op: 'tail', dtype: 'int64', node, args, shape });
}

/**
 * ArgMax and ArgMin of integers are proven. Of quantized values too, where nothing else reads those: then the label is
 * all that leaves the graph. Where the values leave it as well, the label follows from them outside the proof.
 */
export function lowerArgument(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const value = lowering.value(node.inputs[0]!)!;
  const readers =
    lowering.graph.nodes.filter(({ inputs }) => inputs.includes(node.inputs[0]!)).length +
    lowering.graph.outputs.filter(({ name }) => name === node.inputs[0]).length;
  const isAlone = readers === 1 || node.type === 'ArgMin';
  const integers =
    value.kind === 'integer' ? value.tensor : isAlone ? orderedIntegers(value.float) : undefined;
  if (!integers) return lowerTail(lowering, context);
  const output = node.outputs[0]!;
  const tensor = emitInteger(
    lowering.builder,
    node.name,
    { dtype: 'int64', shape: lowering.shapeOf(output) },
    node.type,
    [integers],
    Object.fromEntries(node.attributes),
  );
  lowering.setInteger(output, tensor);
}
