/**
 * Where the proof begins and ends. A leading QuantizeLinear and a trailing DequantizeLinear, with whatever turns
 * its floats into an answer, stay outside the circuit: the integers between them are proven, the rest is
 * deterministic and named in the manifest.
 */
import { ModelRefused } from './errors.js';
import type { Dtype, Graph, GraphNode, ValueInfo } from './onnx/graph.js';
import { axisOf, intAttribute } from './onnx/node.js';
import { dtypeCodes } from './onnx/tensor.js';
import { NodeView } from './ops/op.js';
import { PACKED_DTYPES, packedDtypeOf, type PackedDtype } from './public-signals.js';
import { roundHalfEven } from './import/fit.js';
import { ORDERED_RANGE } from './ordered-float.js';

export interface Quantization {
  readonly scale: number;
  readonly zeroPoint: number;
  /** An input table with a scale and zero point for each index of one axis; scale and zeroPoint are the first. */
  readonly perAxis?: {
    readonly axis: number;
    readonly scales: readonly number[];
    readonly zeroPoints: readonly number[];
  };
}

export interface InputBoundary {
  /** Name of the graph input. */
  readonly name: string;
  /** Name of the integer tensor the circuit starts from. */
  readonly tensor: string;
  readonly given: ValueInfo;
  readonly dtype: PackedDtype;
  readonly shape: readonly number[];
  /** How a float input becomes integers; absent when the input is integer already. */
  readonly quantization?: Quantization;
  /** The integers are the floats in their order (orderedFloat of circuits/ordered-float.ts), not rounded. */
  readonly isOrdered?: true;
}

export interface Boundary {
  readonly inputs: readonly InputBoundary[];
  /** Nodes between the boundaries, in order. */
  readonly nodes: readonly GraphNode[];
  /** Integer tensors that leave the circuit, in order of first use by an answer. */
  readonly outputs: readonly string[];
  readonly postProcessing: readonly GraphNode[];
}

const POST_PROCESSING = new Set([
  'QuantizeLinear',
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Concat',
  'Slice',
  'Gather',
  'Transpose',
  'DequantizeLinear',
  'Softmax',
  'LogSoftmax',
  'Sigmoid',
  'ArgMax',
  'Identity',
  'Cast',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  // Of the post-transforms of tree ensembles.
  'Abs',
  'Exp',
  'Greater',
  'Log',
  'Neg',
  'ReduceMax',
  'ReduceSum',
  'Sign',
  'Sqrt',
]);

export function findBoundary(graph: Graph): Boundary {
  const floats = new Set(graph.inputs.filter(({ dtype }) => dtype === 'float32').map(({ name }) => name));
  const quantizers = new Map<string, GraphNode>();
  const answers = new Set<string>();
  const nodes: GraphNode[] = [];
  const postProcessing: GraphNode[] = [];
  for (const node of graph.nodes) {
    const view = viewOf(graph, node);
    const isQuantizer = node.type === 'QuantizeLinear' || isOrdering(node);
    if (isQuantizer && floats.has(node.inputs[0])) {
      if (quantizers.has(node.inputs[0])) view.refuse('x', `quantized once (${node.inputs[0]})`, 'twice');
      quantizers.set(node.inputs[0], node);
      continue;
    }
    const loose = node.inputs.find((name) => floats.has(name));
    if (loose !== undefined) view.refuse('input', 'quantized before use', `float input "${loose}"`);
    const makesFloats = node.type === 'DequantizeLinear' || isFloatCast(node);
    if (makesFloats || node.inputs.some((name) => answers.has(name))) {
      const isNormalizer = node.domain === 'ai.onnx.ml' && node.type === 'Normalizer';
      const isStandard = node.domain === '' || isDequantizer(node);
      if (!isNormalizer && !(isStandard && POST_PROCESSING.has(node.type))) {
        view.refuse('position', 'inside the quantized part of the graph', 'after a DequantizeLinear');
      }
      node.outputs.forEach((name) => answers.add(name));
      postProcessing.push(node);
    } else {
      nodes.push(node);
    }
  }
  const inputs = graph.inputs.map((given) => inputBoundary(graph, given, quantizers.get(given.name)));
  return { inputs, nodes, outputs: leavingTensors(graph, answers, postProcessing), postProcessing };
}

function leavingTensors(
  graph: Graph,
  answers: ReadonlySet<string>,
  postProcessing: readonly GraphNode[],
): string[] {
  const leaving = new Set<string>();
  const visit = (name: string): void => {
    if (graph.constants.has(name) || name === '') return;
    if (!answers.has(name)) {
      leaving.add(name);
      return;
    }
    postProcessing.find(({ outputs }) => outputs.includes(name))!.inputs.forEach(visit);
  };
  graph.outputs.forEach(({ name }) => visit(name));
  return [...leaving];
}

function inputBoundary(graph: Graph, given: ValueInfo, node: GraphNode | undefined): InputBoundary {
  const base = { name: given.name, given, shape: given.shape };
  const ordered = { given: { ...given, range: ORDERED_RANGE }, dtype: 'int32', isOrdered: true } as const;
  if (node === undefined) {
    // An input that nothing reads needs no scale: it is committed as it is.
    const isRead =
      graph.nodes.some(({ inputs }) => inputs.includes(given.name)) ||
      graph.outputs.some(({ name }) => name === given.name);
    if (given.dtype === 'float32' && !isRead) return { ...base, ...ordered, tensor: given.name };
    const dtype = packedDtypeOf(given.dtype);
    if (given.dtype === 'float32' || dtype === undefined) {
      throw new ModelRefused({
        where: `input "${given.name}"`,
        what: 'dtype',
        expected: 'an integer, or float32 with a leading QuantizeLinear',
        got: given.dtype,
      });
    }
    return { ...base, tensor: given.name, dtype };
  }
  if (isOrdering(node)) return { ...base, ...ordered, tensor: node.outputs[0] };
  const view = viewOf(graph, node);
  const axis = axisOf(node, intAttribute(node, 'axis', 1), Math.max(2, given.shape.length));
  const channels = given.shape[axis] ?? 1;
  const scales = view.scales(1, 'y_scale', channels);
  const dtype = view.hasOperand(2) ? quantizedDtype(view, view.constant(2, 'y_zero_point').dtype) : 'uint8';
  const zeroPoints = view.zeroPoints(2, 'y_zero_point', dtype, channels);
  scales.forEach((scale, i) => {
    const zeroPoint = zeroPoints[zeroPoints.length === 1 ? 0 : i];
    if (!standsForFloats({ scale, zeroPoint }, dtype))
      view.refuse('y_scale', 'one at which every integer stands for a finite float32', `${scale}`);
  });
  const quantization = {
    scale: scales[0],
    zeroPoint: zeroPoints[0],
    ...(scales.length > 1 && {
      perAxis: {
        axis,
        scales: [...scales],
        zeroPoints: Array.from(scales, (_, i) => zeroPoints[zeroPoints.length === 1 ? 0 : i]),
      },
    }),
  };
  return { ...base, tensor: node.outputs[0], dtype, quantization };
}

/** What a leading QuantizeLinear may make of a float. */
function quantizedDtype(view: NodeView, dtype: Dtype): PackedDtype {
  if (dtype === 'int8' || dtype === 'uint8' || dtype === 'int16' || dtype === 'uint16') return dtype;
  return view.refuse('y_zero_point', 'int8, uint8, int16 or uint16', dtype);
}

/** An input integer that no float is quantized to would be proven of an input that nobody can give. */
function standsForFloats({ scale, zeroPoint }: Quantization, dtype: PackedDtype): boolean {
  const { bytes, min } = PACKED_DTYPES[dtype];
  return [min, min + 2 ** (8 * bytes) - 1].every((end) =>
    Number.isFinite(Math.fround((end - zeroPoint) * scale)),
  );
}

/** ONNX Runtime has DequantizeLinear of 16-bit integers at our opset in its own domain only. */
function isDequantizer({ domain, type }: GraphNode): boolean {
  return domain === 'com.microsoft' && type === 'DequantizeLinear';
}

/** The Cast that stands for DequantizeLinear of a type for which ONNX Runtime has none. */
function isFloatCast(node: GraphNode): boolean {
  return node.type === 'Cast' && intAttribute(node, 'to', 0) === dtypeCodes.float32;
}

/** verinfer:OrderedFloat, a leading node like QuantizeLinear: exact, for what only compares. */
function isOrdering({ domain, type }: GraphNode): boolean {
  return domain === 'verinfer' && type === 'OrderedFloat';
}

/** A node outside the circuit, with its constant operands. */
export function viewOf(graph: Graph, node: GraphNode): NodeView {
  return new NodeView(
    node,
    node.inputs.map((name) => {
      const constant = graph.constants.get(name);
      return name === '' ? undefined : { name, dtype: 'float32', shape: [], ...constant, constant };
    }),
  );
}

/** The scale and zero point of one element, by its index in row-major order. */
export function elementQuantization(
  quantization: Quantization,
  shape: readonly number[],
  index: number,
): Pick<Quantization, 'scale' | 'zeroPoint'> {
  const { perAxis } = quantization;
  if (!perAxis) return quantization;
  const inner = shape.slice(perAxis.axis + 1).reduce((product, dim) => product * dim, 1);
  const at = Math.floor(index / inner) % perAxis.scales.length;
  return { scale: perAxis.scales[at], zeroPoint: perAxis.zeroPoints[at] };
}

/** QuantizeLinear: saturate(rne(x / scale) + zeroPoint), the quotient in float32. */
export function quantizeValue(x: number, { scale, zeroPoint }: Quantization, dtype: PackedDtype): number {
  const { bytes, min } = PACKED_DTYPES[dtype];
  const y = roundHalfEven(Math.fround(Math.fround(x) / scale)) + zeroPoint;
  return Math.min(Math.max(y, min), min + 2 ** (8 * bytes) - 1);
}
