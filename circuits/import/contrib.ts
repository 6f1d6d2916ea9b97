/**
 * The elementwise and pooling QLinear operators of com.microsoft say the same as DequantizeLinear, a float operator and
 * QuantizeLinear. They are read as that, and take the same way into the executed graph as a QDQ file.
 */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import { hasAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import type { Lowering } from './lowering.js';
import { readQuantization } from './quantization.js';
import type { DequantizedFloat } from './value.js';

interface ContribForm {
  /** The float operator between the quantizations. */
  readonly type: string;
  /** Input index of each quantized operand; its scale and zero point follow it. */
  readonly operands: (node: GraphNode) => readonly number[];
  /** Input index of the output's scale. */
  readonly output: number;
}

const single = (type: string): ContribForm => ({ type, operands: () => [0], output: 3 });

const forms: Readonly<Record<string, ContribForm>> = {
  QLinearAdd: { type: 'Add', operands: () => [0, 3], output: 6 },
  QLinearMul: { type: 'Mul', operands: () => [0, 3], output: 6 },
  QLinearSigmoid: single('Sigmoid'),
  QLinearLeakyRelu: single('LeakyRelu'),
  QLinearAveragePool: single('AveragePool'),
  QLinearGlobalAveragePool: single('GlobalAveragePool'),
  QLinearReduceMean: single('ReduceMean'),
  QLinearSoftmax: single('Softmax'),
  QLinearConcat: {
    type: 'Concat',
    operands: (node) => node.inputs.flatMap((_, i) => (i >= 2 && (i - 2) % 3 === 0 ? [i] : [])),
    output: 0,
  },
};

export function isContrib(node: GraphNode): boolean {
  return node.domain === 'com.microsoft' && node.type in forms;
}

export function lowerContrib(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const form = forms[node.type]!;
  if (intAttribute(node, 'channels_last', 0) !== 0) refuseNode(node, 'channels_last', '0', 1);
  const operands = form.operands(node).map((i): DequantizedFloat => {
    const tensor = lowering.integer(node, i);
    const constant = lowering.builder.constantOf(tensor.name);
    const quantization = readQuantization(context, i + 1, tensor.dtype, undefined);
    return {
      op: 'dequantized',
      tensor,
      quantization,
      shape: tensor.shape,
      ...(constant ? { constant } : {}),
    };
  });
  const { dtype } = operands[0]!.tensor;
  const to = readQuantization(context, form.output, dtype, undefined);
  const names = operands.map((_, i) => `${node.name}/operand${i}`);
  operands.forEach((operand, i) => lowering.setFloat(names[i]!, operand));
  const result = `${node.name}/float`;
  const attributes = new Map<string, AttributeValue>(
    [...node.attributes].filter(([name]) => name !== 'channels_last' && name !== 'opset'),
  );
  if (form.type === 'Softmax' && !hasAttribute(node, 'axis'))
    attributes.set('axis', { kind: 'int', value: -1 });
  const inner: GraphNode = {
    name: node.name,
    domain: '',
    type: form.type,
    inputs: names,
    outputs: [result],
    attributes,
  };
  lowering.lowerAs(
    {
      node: inner,
      // The form of these operators is that of the newest ONNX operators.
      opset: 17,
      type: (i) => operands[i] && { dtype: 'float32', shape: operands[i].shape },
      constant: () => undefined,
    },
    lowering.shapeOf(node.outputs[0]!),
  );
  lowering.setInteger(node.outputs[0]!, lowering.quantizer.quantize(lowering.floatNamed(result), to, node));
}
