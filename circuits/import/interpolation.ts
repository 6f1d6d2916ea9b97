/**
 * Resize and Upsample with mode linear: every output element is a weighted mean of input elements, and the weights are
 * constants. Where all of them are multiples of one 2^−k that int8 holds (whole and power-of-two factors), the resize is
 * a matrix product, exact in integers; any other factor is refused, for its weights would be rounded.
 */
import type { ConstantTensor, GraphNode } from '../onnx/graph.js';
import { intAttribute, refuseNode } from '../onnx/node.js';
import { coordinateTransformation, originalCoordinate, resizeShape } from '../onnx/resize.js';
import { sizeOf, type NodeContext } from '../onnx/shape.js';
import type { Lowering } from './lowering.js';
import type { DequantizedFloat, LinearFloat } from './value.js';
import { reshape } from './wires.js';

/** A weight of 1 is 2^k of int8. */
const MAX_BITS = 6;
const MAX_WEIGHTS = 2 ** 22;

export function isInterpolation({ domain, type, attributes }: GraphNode): boolean {
  const mode = attributes.get('mode');
  return domain === '' && (type === 'Resize' || type === 'Upsample') && mode?.kind === 'string'
    ? mode.value === 'linear'
    : false;
}

export function lowerInterpolation(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const { builder } = lowering;
  if (intAttribute(node, 'antialias', 0) !== 0) refuseNode(node, 'antialias', '0', 1);
  const x = lowering.dequantized(node, 0);
  if (x.quantization.axis !== undefined)
    refuseNode(node, 'input', 'quantized per tensor', 'quantized per axis');
  const { shape, scales } = resizeShape(context);
  const first = shape.findIndex((dim, axis) => dim !== x.shape[axis] || scales[axis] !== 1);
  const lead = sizeOf(shape.slice(0, first));
  const [inner, outer] = [x.shape, shape].map((dims) => sizeOf(dims.slice(first))) as [number, number];
  if (inner * outer > MAX_WEIGHTS)
    refuseNode(node, 'elements in times elements out', `at most ${MAX_WEIGHTS}`, inner * outer);
  const axes = shape.slice(first).map((_, i) => axisWeights(context, first + i, x.shape, shape, scales));
  const bits = axes.map((weights) => fractionBits(node, weights.flat()));
  const total = bits.reduce((sum, k) => sum + k, 0);
  if (total > MAX_BITS)
    refuseNode(node, 'interpolation weights', `multiples of 2^-${MAX_BITS}`, `2^-${total}`);
  const data = Int8Array.from(product(axes), (weight) => weight * 2 ** total);
  const matrix: ConstantTensor = { dtype: 'int8', shape: [inner, outer], data };
  const w: DequantizedFloat = {
    op: 'dequantized',
    tensor: builder.constant(`${node.name}/weights`, matrix),
    quantization: { dtype: 'int8', scales: Float32Array.of(2 ** -total), zeroPoints: [0], axis: undefined },
    shape: matrix.shape,
    constant: matrix,
  };
  const rows = reshape(builder, `${node.name}/rows`, x.tensor, [lead, inner]);
  const linear: LinearFloat = {
    op: 'linear',
    node,
    shape: [lead, outer],
    product: {
      kind: 'matmul',
      a: { op: 'dequantized', tensor: rows, quantization: x.quantization, shape: rows.shape },
      b: w,
    },
  };
  lowering.setFloat(node.outputs[0]!, {
    op: 'moved',
    node,
    shape,
    sources: [linear],
    apply: ([tensor]) => reshape(builder, `${node.name}/shaped`, tensor!, shape),
  });
}

/** Row i: the weights of the input places along an axis in output place i; they sum to 1. */
function axisWeights(
  context: NodeContext,
  axis: number,
  from: readonly number[],
  to: readonly number[],
  scales: readonly number[],
): number[][] {
  const [size, count, scale] = [from[axis]!, to[axis]!, scales[axis]!];
  const transform = coordinateTransformation(context);
  return Array.from({ length: count }, (_, i) => {
    const place =
      size === count && scale === 1 ? i : originalCoordinate(context, transform, i, scale, count, size);
    const inside = Math.min(Math.max(place, 0), size - 1);
    const low = Math.floor(inside);
    const row = new Array<number>(size).fill(0);
    row[low]! += 1 - (inside - low);
    if (inside > low) row[low + 1]! += inside - low;
    return row;
  });
}

/** The least k for which every weight is a multiple of 2^−k. */
function fractionBits(node: GraphNode, weights: readonly number[]): number {
  for (let k = 0; k <= MAX_BITS; k++)
    if (weights.every((weight) => Number.isInteger(weight * 2 ** k))) return k;
  return refuseNode(
    node,
    'interpolation weights',
    `multiples of 2^-${MAX_BITS} (whole and power-of-two factors)`,
    weights.find((weight) => !Number.isInteger(weight * 2 ** MAX_BITS)),
  );
}

/** Matrix [input elements, output elements] of an interpolation along several axes: the product of theirs. */
function product(axes: readonly (readonly (readonly number[])[])[]): Float64Array {
  return axes.reduce<{ data: Float64Array; from: number; to: number }>(
    ({ data, from, to }, weights) => {
      const [count, size] = [weights.length, weights[0]!.length];
      const next = new Float64Array(data.length * count * size);
      for (let i = 0; i < from * size; i++)
        for (let o = 0; o < to * count; o++)
          next[i * to * count + o] =
            data[Math.floor(i / size) * to + Math.floor(o / count)]! * weights[o % count]![i % size]!;
      return { data: next, from: from * size, to: to * count };
    },
    { data: Float64Array.of(1), from: 1, to: 1 },
  ).data;
}
