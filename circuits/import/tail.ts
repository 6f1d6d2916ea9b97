/**
 * How a graph output is made. Integer outputs are proven as they are; a float output is the proven integers followed by
 * a deterministic tail outside the proof: DequantizeLinear, and after it only Softmax, Sigmoid or ArgMax.
 */
import type { GraphNode, ValueInfo } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import type { Tensor } from './builder.js';
import type { Lowering } from './lowering.js';
import { scaleTensor, zeroPointTensor } from './quantization.js';
import type { DequantizedFloat, Value } from './value.js';

const asker: GraphNode = {
  name: 'output',
  domain: '',
  type: 'output',
  inputs: [],
  outputs: [],
  attributes: new Map(),
};

/** Emits the output under its own name. */
export function emitOutput(lowering: Lowering, output: ValueInfo, value: Value): Tensor {
  const { builder } = lowering;
  if (value.kind === 'integer') {
    if (builder.isInput(value.tensor.name))
      refuseNode({ ...asker, name: output.name }, 'value', 'computed from an input', 'the input itself');
    return builder.emit(
      output.name,
      value.tensor,
      { type: 'Identity', inputs: [value.tensor.name] },
      output.name,
    );
  }
  const { float } = value;
  if (float.op === 'dequantized') return emitDequantize(lowering, output.name, float);
  return refuseNode(
    'node' in float ? float.node : { ...asker, name: output.name },
    'float output',
    'the result of a DequantizeLinear (a float model is quantized first: verinfer quantize)',
    `a float ${float.op}`,
  );
}

function emitDequantize(
  lowering: Lowering,
  name: string,
  { tensor, quantization, shape }: DequantizedFloat,
): Tensor {
  const { builder } = lowering;
  return builder.emit(
    name,
    { dtype: 'float32', shape },
    {
      type: 'DequantizeLinear',
      inputs: [
        tensor.name,
        builder.constant('scale', scaleTensor(quantization)).name,
        builder.constant('zero_point', zeroPointTensor(quantization)).name,
      ],
      attributes: quantization.axis === undefined ? {} : { axis: { kind: 'int', value: quantization.axis } },
    },
    name,
  );
}
