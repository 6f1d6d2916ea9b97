/**
 * Float graph → int8 graph in QOperator form: a leading QuantizeLinear, integer operators, a trailing
 * DequantizeLinear. Every computed activation is symmetric int8 with a power-of-two scale and zero point 0,
 * so a rectified one lies in [0, 127] and costs one bit less than an 8-bit range.
 */
import { ModelRefused } from '../errors.js';
import type { Graph, GraphNode } from '../onnx/graph.js';
import { type CalibrationInput, observeValues } from './calibrate.js';
import { Emitter, type QuantizedValue, type QuantizeOptions } from './emitter.js';
import { chooseExponent } from './lattice.js';
import { emitConv, emitGemm } from './linear.js';

type EmitOp = (emitter: Emitter, node: GraphNode) => void;

/** The same node on the integer twin of its first input: the scale passes through. */
const emitUnchanged: EmitOp = (emitter, node) => {
  const input = emitter.quantized.get(node.inputs[0]!)!;
  const output = node.outputs[0]!;
  const constants = node.inputs.slice(1).map((name) => {
    const tensor = emitter.graph.constants.get(name);
    return tensor ? emitter.constant(name, tensor) : name;
  });
  const value = { ...input, name: `${output}_q`, shape: emitter.range(output).shape };
  emitter.emit({
    type: node.type,
    name: node.name,
    inputs: [input.name, ...constants],
    output: value.name,
    attributes: node.attributes,
  });
  emitter.bind(output, value);
};

/** Below 8 bits the rectified range is clipped from above as well. */
const emitRelu: EmitOp = (emitter, node) => {
  const input = emitter.quantized.get(node.inputs[0]!)!;
  if (emitter.options.bits === 8 && input.zeroPoint === 0) return emitUnchanged(emitter, node);
  const output = node.outputs[0]!;
  const value = { ...input, name: `${output}_q` };
  const top = emitter.options.bits === 8 ? 127 : input.zeroPoint + emitter.levels;
  emitter.emit({
    type: 'Clip',
    name: node.name,
    inputs: [input.name, emitter.int8Constant(input.zeroPoint), emitter.int8Constant(top)],
    output: value.name,
  });
  emitter.bind(output, value);
};

const EMITTERS: Readonly<Record<string, EmitOp>> = {
  Conv: emitConv,
  Gemm: emitGemm,
  Relu: emitRelu,
  MaxPool: emitUnchanged,
  Flatten: emitUnchanged,
  Reshape: emitUnchanged,
};

/** @param calibration inputs like those the model will see; at least one. */
export async function quantizeGraph(
  graph: Graph,
  calibration: readonly CalibrationInput[],
  options: QuantizeOptions,
): Promise<Graph> {
  const emitter = new Emitter(graph, await observeValues(graph, calibration), options);
  for (const input of graph.inputs) {
    const range = emitter.range(input.name);
    const zeroPoint = range.min >= 0 ? -128 : 0;
    const exponent = chooseExponent(range, 127 - zeroPoint, 'minmax');
    const value: QuantizedValue = { name: `${input.name}_q`, exponent, zeroPoint, shape: input.shape };
    emitter.emit({
      type: 'QuantizeLinear',
      name: `quantize_${input.name}`,
      inputs: [input.name, emitter.scaleConstant(exponent), emitter.int8Constant(zeroPoint)],
      output: value.name,
    });
    emitter.bind(input.name, value);
  }
  for (const node of graph.nodes) {
    const emit = EMITTERS[node.type];
    if (!emit || node.domain !== '')
      throw new ModelRefused({
        where: `node "${node.name}" (${node.type})`,
        what: 'operator',
        expected: `one of ${Object.keys(EMITTERS).join(', ')}`,
        got: node.domain === '' ? node.type : `${node.domain}:${node.type}`,
      });
    emit(emitter, node);
  }
  for (const output of graph.outputs) {
    const value = emitter.quantized.get(output.name)!;
    emitter.emit({
      type: 'DequantizeLinear',
      name: `dequantize_${output.name}`,
      inputs: [value.name, emitter.scaleConstant(value.exponent), emitter.int8Constant(value.zeroPoint)],
      output: output.name,
    });
  }
  return {
    opsets: new Map([...emitter.domains].map((domain) => [domain, domain === '' ? 14 : 1])),
    inputs: graph.inputs,
    outputs: graph.outputs,
    constants: emitter.constants,
    nodes: emitter.nodes,
  };
}
