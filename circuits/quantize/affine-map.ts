/** Element-wise affine maps: batch normalization, and arithmetic with a constant. */
import type { ConstantTensor, GraphNode } from '../onnx/graph.js';
import { floatAttribute, intAttribute } from '../onnx/node.js';
import { broadcastMap, sizeOf, type ValueType } from '../onnx/shape.js';

/** value = scale·source + shift, element by element. */
export interface AffineMap {
  readonly source: string;
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

/** What is known of the values of the graph. */
interface Values {
  readonly types: ReadonlyMap<string, ValueType>;
  constant(name: string | undefined): ConstantTensor | undefined;
}

/** The constant as float32, spread over `shape`; undefined if it would enlarge it. */
export function spread(tensor: ConstantTensor, shape: readonly number[]): Float32Array | undefined {
  if (tensor.dtype !== 'float32' || tensor.shape.length > shape.length) return undefined;
  const shift = shape.length - tensor.shape.length;
  if (tensor.shape.some((dim, axis) => dim !== 1 && dim !== shape[axis + shift])) return undefined;
  const data = tensor.data as Float32Array;
  return Float32Array.from(broadcastMap(tensor.shape, shape), (from) => data[from]!);
}

/** The map that a node applies to its only computed input, if it is one. */
export function readAffine(node: GraphNode, values: Values): AffineMap | undefined {
  if (node.type === 'BatchNormalization') return batchNormalization(node, values);
  if (!['Add', 'Sub', 'Mul', 'Div'].includes(node.type) || node.inputs.length !== 2) return undefined;
  const [left, right] = node.inputs.map((input) => values.constant(input));
  if ((left === undefined) === (right === undefined)) return undefined;
  const source = node.inputs[left ? 1 : 0]!;
  const type = values.types.get(source)!;
  const constant = type.dtype === 'float32' ? spread(left ?? right!, type.shape) : undefined;
  if (!constant || (node.type === 'Div' && left)) return undefined;
  const ones = new Float32Array(constant.length).fill(1);
  const zeros = new Float32Array(constant.length);
  if (node.type === 'Add') return { source, scale: ones, shift: constant };
  if (node.type === 'Mul') return { source, scale: constant, shift: zeros };
  if (node.type === 'Div') return { source, scale: constant.map((c) => 1 / c), shift: zeros };
  return left
    ? { source, scale: ones.fill(-1), shift: constant }
    : { source, scale: ones, shift: constant.map((c) => -c) };
}

function batchNormalization(node: GraphNode, values: Values): AffineMap | undefined {
  const given = node.inputs
    .slice(1, 5)
    .map((input) => values.constant(input)?.data as Float32Array | undefined);
  if (given.some((data) => data === undefined) || intAttribute(node, 'training_mode', 0) !== 0)
    return undefined;
  const [gamma, beta, mean, variance] = given as [Float32Array, Float32Array, Float32Array, Float32Array];
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const shape = values.types.get(node.inputs[0]!)!.shape;
  const inner = sizeOf(shape.slice(2));
  const size = sizeOf(shape);
  const scale = new Float32Array(size);
  const shift = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const c = Math.floor(i / inner) % shape[1]!;
    scale[i] = gamma[c]! / Math.sqrt(variance[c]! + epsilon);
    shift[i] = beta[c]! - mean[c]! * scale[i]!;
  }
  return { source: node.inputs[0]!, scale, shift };
}
