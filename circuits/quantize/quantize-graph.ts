/**
 * Float graph → int8 graph in QOperator form: a leading QuantizeLinear, integer operators, a trailing
 * DequantizeLinear, and after it whatever deterministic tail (Softmax, Sigmoid, ArgMax) the graph ends in. Computed
 * values are symmetric int8 with a power-of-two scale and zero point 0, so a rectified one lies in [0, 127] and costs
 * one bit less than an 8-bit range.
 */
import type { Graph, GraphNode } from '../onnx/graph.js';
import { intAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf } from '../onnx/shape.js';
import { refuseDoubles } from '../import/import.js';
import { asForest } from './decision-graph.js';
import { type CalibrationInput, observeValues, type ObservedValue } from './calibrate.js';
import { Emitter, type QuantizedValue, type QuantizeOptions } from './emitter.js';
import { chooseScales, copyFineOperands, type Scale } from './exponents.js';
import { foldConstants } from './fold.js';
import { emitAffine, emitConv, emitLinear } from './linear.js';
import { emitOperator, emitWiring } from './operators.js';
import type { PlainGraph, PlainNode } from './plain.js';
import { simplify } from './simplify.js';
import { lowerTabular } from './tabular.js';
import { ModelRefused } from '../errors.js';

/** May follow the last integer: deterministic functions of it outside the proof, or comparisons that import proves. */
const TAIL = new Set(
  (
    ':Softmax :LogSoftmax :Sigmoid :ArgMax :ArgMin ai.onnx.ml:Normalizer ' +
    ':Greater :GreaterOrEqual :Less :LessOrEqual :Equal'
  ).split(' '),
);

/** ArgMax or Sigmoid and so on, or the label that an ArgMax stands for. */
function isTailNode({ domain, type, inputs }: GraphNode, { constants }: Graph): boolean {
  const isLookup = domain === '' && type === 'Gather' && constants.get(inputs[0]!)?.dtype === 'int64';
  return isLookup || TAIL.has(`${domain}:${type}`);
}

/** A table whose widest column is this many times the median one gets a scale for each column. */
const FEATURE_SPREAD = 16;

export interface QuantizedGraph {
  readonly graph: Graph;
  /** Integer tensor and scale of every float value that has one, for comparing layer by layer. */
  readonly integers: ReadonlyMap<
    string,
    { readonly name: string; readonly scale: number; readonly zeroPoint: number }
  >;
}

/** @param calibration inputs like those the model will see; at least one. Throws ModelRefused. */
export async function quantizeGraph(
  given: Graph,
  calibration: readonly CalibrationInput[],
  options: QuantizeOptions,
): Promise<QuantizedGraph> {
  const folded = await foldConstants(given);
  const forest = asForest(folded);
  if (forest) return { graph: forest, integers: new Map() };
  refuseDoubles(folded);
  const graph = lowerTabular(folded);
  const inputNames = graph.inputs.map(({ name }) => name);
  const echoed = graph.outputs.find(({ name }) => inputNames.includes(name));
  if (echoed)
    throw new ModelRefused({
      where: `output "${echoed.name}"`,
      what: 'value',
      expected: 'computed',
      got: 'an input',
    });
  for (const { name, dtype } of graph.inputs)
    if (dtype !== 'float32')
      throw new ModelRefused({ where: `input "${name}"`, what: 'dtype', expected: 'float32', got: dtype });
  const { body, tail } = cutTail(graph);
  const observed = await observeValues(graph, calibration);
  const scaling = { levels: 2 ** (options.bits - 1) - 1, method: options.method };
  const choose = (nodes: PlainGraph): ((name: string) => Scale) =>
    chooseScales(nodes, inputNames, observed, (node) => constantPeak(node, graph), scaling);
  const tied = simplify(body);
  const plain = copyFineOperands(tied, observed, choose(tied), scaling);
  const scaleOf = choose(plain);
  const emitter = new Emitter(plain.types, graph.constants, scaleOf, options);
  for (const name of inputNames) emitInput(emitter, name, plain, observed.get(name)!);
  for (const node of plain.nodes) emitNode(emitter, node);
  // A tail may read a graph input; its dequantized twin needs a name of its own.
  const read = new Map<string, string>();
  for (const [output, value] of plain.outputs)
    read.set(output, emitter.dequantize(emitter.value(value), emitter.freshFloat(output, inputNames)));
  for (const node of tail) {
    for (const name of node.inputs) {
      const constant = graph.constants.get(name);
      if (constant) emitter.constant(name, constant);
    }
    emitter.emit({
      type: node.type,
      domain: node.domain,
      name: node.name,
      inputs: node.inputs.map((name) => read.get(name) ?? name),
      output: node.outputs[0]!,
      attributes: tailAttributes(node, graph),
    });
  }
  const integers = new Map(
    [...plain.nodes.map((node) => node.output), ...inputNames].map((name) => {
      const { name: integer, exponent, zeroPoint } = emitter.value(name);
      return [name, { name: integer, scale: 2 ** exponent, zeroPoint }];
    }),
  );
  return { graph: emitter.finish(graph), integers };
}

/** Cuts off the tail; the body's outputs are what the tail reads, and the outputs that are not of the tail. */
function cutTail(graph: Graph): { body: Graph; tail: GraphNode[] } {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const tail: GraphNode[] = [];
  const isTail = new Set<GraphNode>();
  for (const node of [...graph.nodes].reverse()) {
    const readers = graph.nodes.filter((other) => other.inputs.includes(node.outputs[0]!));
    const isRead = outputs.has(node.outputs[0]!) || readers.length > 0;
    if (!isTailNode(node, graph) || !isRead || !readers.every((reader) => isTail.has(reader))) continue;
    isTail.add(node);
    tail.unshift(node);
  }
  const made = new Set(tail.map((node) => node.outputs[0]!));
  const names = [...outputs, ...tail.flatMap((node) => node.inputs)].filter(
    (name) => !made.has(name) && !(graph.constants.has(name) && !outputs.has(name)),
  );
  const body: Graph = {
    ...graph,
    nodes: graph.nodes.filter((node) => !isTail.has(node)),
    outputs: [...new Set(names)].map((name) => ({ name, dtype: 'float32', shape: [] })),
  };
  return { body, tail };
}

/** Softmax meant "flatten from axis 1" before opset 13; on the last axis both are the same. */
function tailAttributes(node: GraphNode, graph: Graph): GraphNode['attributes'] {
  if (node.type !== 'Softmax' && node.type !== 'LogSoftmax') return node.attributes;
  const isOld = (graph.opsets.get('') ?? 1) < 13;
  const axis = intAttribute(node, 'axis', isOld ? 1 : -1);
  const rank = graph.outputs.find(({ name }) => name === node.outputs[0])?.shape.length ?? 2;
  if (isOld && axis !== -1 && axis !== rank - 1)
    refuseNode(node, 'axis', `the last, ${rank - 1}`, String(axis));
  return new Map(node.attributes).set('axis', { kind: 'int', value: axis });
}

function emitNode(emitter: Emitter, node: PlainNode): void {
  if (node.kind === 'conv') emitConv(emitter, node);
  else if (node.kind === 'linear') emitLinear(emitter, node);
  else if (node.kind === 'affine') emitAffine(emitter, node);
  else if (node.kind === 'wiring') emitWiring(emitter, node);
  else emitOperator(emitter, node);
}

/** Greatest magnitude among constants that an operator brings into the scale of its operands. */
function constantPeak(node: PlainNode, graph: Graph): number {
  if (node.kind === 'wiring') return Math.abs(node.wiring.fill ?? 0);
  if (node.kind !== 'operator' || !['Add', 'Sub', 'Sum', 'Max', 'Min'].includes(node.node.type)) return 0;
  const constants = node.inputs.map((name) => graph.constants.get(name)?.data as Float32Array | undefined);
  return constants.reduce(
    (peak, data) => Array.from(data ?? [], Number).reduce((p, v) => Math.max(p, Math.abs(v)), peak),
    0,
  );
}

function emitInput(emitter: Emitter, name: string, plain: PlainGraph, range: ObservedValue): void {
  const features = featureScales(name, plain, range);
  const shape = emitter.shape(name);
  const integer = `${name}_q`;
  if (!features) {
    const value = emitter.bind(name, integer);
    const inputs = [name, emitter.scaleConstant(value.exponent), emitter.int8Constant(value.zeroPoint)];
    emitter.emit({ type: 'QuantizeLinear', name: `quantize_${name}`, inputs, output: integer });
    return;
  }
  const vector = { shape: [features.scales.length] };
  const scales = emitter.constant(`${name}_scales`, { dtype: 'float32', ...vector, data: features.scales });
  const zeros = emitter.constant(`${name}_zeros`, { dtype: 'int8', ...vector, data: features.zeroPoints });
  emitter.emit({
    type: 'QuantizeLinear',
    name: `quantize_${name}`,
    inputs: [name, scales, zeros],
    output: integer,
    attributes: new Map([['axis', { kind: 'int', value: shape.length - 1 }]]),
  });
  const value: QuantizedValue = { name: integer, shape, exponent: 0, zeroPoint: 0, features };
  emitter.bindInput(name, value);
}

/**
 * A scale for each feature of a table, if only linear layers read it and its columns live on different scales: then the
 * scales fold into the weights. The zero point centres a column as far as int8 can; a column far from 0 pays in step.
 */
function featureScales(name: string, plain: PlainGraph, range: ObservedValue): QuantizedValue['features'] {
  const shape = plain.types.get(name)!.shape;
  const width = shape[shape.length - 1] ?? 0;
  const readers = plain.nodes.filter((node) => node.inputs.some((input) => input === name));
  const isTable = sizeOf(shape) === width * (shape[0] ?? 0) && shape.length === 2;
  if (!isTable || readers.length === 0 || readers.some((node) => node.kind !== 'linear')) return undefined;
  const [min, max] = [range.columnMin!, range.columnMax!];
  const spans = Array.from(min, (low, i) => Math.max(max[i]!, 0) - Math.min(low, 0)).filter(
    (span) => span > 0,
  );
  const sorted = [...spans].sort((a, b) => a - b);
  if (sorted.length < 2 || sorted[sorted.length - 1]! < FEATURE_SPREAD * sorted[sorted.length >> 1]!)
    return undefined;
  const scales = new Float32Array(width);
  const zeroPoints = new Int8Array(width);
  for (let i = 0; i < width; i++) {
    const [low, high] = [min[i]!, max[i]!];
    const reach = Math.max((high - low) / 254, Math.abs(low) / 254, Math.abs(high) / 254, 1e-30);
    scales[i] = reach;
    zeroPoints[i] = Math.min(127, Math.max(-128, Math.round(-(low + high) / 2 / reach)));
  }
  return { scales, zeroPoints };
}
