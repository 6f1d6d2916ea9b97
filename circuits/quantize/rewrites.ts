/** Averages, sums, transposed convolutions and odd matrix products, written as the convolutions and linear maps they are. */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import { floatAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import { broadcastShapes, mapByCoordinates, type NodeContext, sizeOf, stridesOf } from '../onnx/shape.js';
import { windowOf } from '../onnx/window.js';
import { reducedAxes } from '../onnx/wiring.js';
import { spread } from './affine-map.js';
import type { Simplifier } from './simplify.js';

const ints = (value: readonly number[]): AttributeValue => ({ kind: 'ints', value });
const int = (value: number): AttributeValue => ({ kind: 'int', value });

/** AveragePool: a depthwise convolution with equal weights; where padding does not count, the edges are scaled up. */
export function averageAsConv(simplifier: Simplifier, node: GraphNode, context: NodeContext): void {
  const source = node.inputs[0]!;
  const shape = simplifier.shape(source);
  const output = node.outputs[0]!;
  const window = windowOf(context, shape.slice(2));
  const channels = shape[1]!;
  const taps = sizeOf(window.kernel);
  // With ceil_mode the last window overhangs: a convolution needs that much more padding to place it.
  const after = window.output.map((size, i) => {
    const reach = (size - 1) * window.strides[i]! + (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    return Math.max(window.after[i]!, reach - window.before[i]! - shape[i + 2]!);
  });
  const pads = [...window.before, ...after];
  const outputShape = simplifier.shape(output);
  const counts = intAttribute(node, 'count_include_pad', 0) !== 0 && intAttribute(node, 'ceil_mode', 0) === 0;
  const share = mapByCoordinates(outputShape, (at) => {
    let inside = 1;
    window.kernel.forEach((kernel, axis) => {
      let hits = 0;
      for (let k = 0; k < kernel; k++) {
        const position =
          at[axis + 2]! * window.strides[axis]! + k * window.dilations[axis]! - window.before[axis]!;
        if (counts || (position >= 0 && position < shape[axis + 2]!)) hits++;
      }
      inside *= hits;
    });
    return inside;
  });
  const isEven = share.every((count) => count === taps);
  const raw = isEven ? output : simplifier.fresh(`${output}_before_share`, outputShape);
  const attributes = new Map<string, AttributeValue>([
    ['kernel_shape', ints(window.kernel)],
    ['strides', ints(window.strides)],
    ['dilations', ints(window.dilations)],
    ['pads', ints(pads)],
    ['group', int(channels)],
  ]);
  const conv: GraphNode = { ...node, type: 'Conv', inputs: [source], outputs: [raw], attributes };
  const weights = new Float32Array(channels * taps).fill(1 / taps);
  simplifier.addConv(conv, source, [channels, 1, ...window.kernel], weights, new Float32Array(channels));
  if (isEven) return;
  const scale = Float32Array.from(share, (count) => taps / count);
  simplifier.addAffine({ ...node, inputs: [raw] }, raw, scale, new Float32Array(scale.length));
}

/** Sum or mean over axes: the reduced axes last, then one row of equal weights. */
export function reduceAsLinear(simplifier: Simplifier, node: GraphNode, context: NodeContext): void {
  const source = node.inputs[0]!;
  const output = node.outputs[0]!;
  const shape = simplifier.shape(source);
  const reduced =
    node.type === 'GlobalAveragePool' ? new Set(shape.map((_, axis) => axis).slice(2)) : reducedAxes(context);
  const axes = shape.map((_, axis) => axis);
  const order = [...axes.filter((axis) => !reduced.has(axis)), ...axes.filter((axis) => reduced.has(axis))];
  const length = sizeOf([...reduced].map((axis) => shape[axis]!));
  const rows = sizeOf(shape) / length;
  const strides = stridesOf(shape);
  const permuted = order.map((axis) => shape[axis]!);
  const rowsOf = simplifier.fresh(`${output}_rows`, [rows, length]);
  simplifier.addWiring(
    { ...node, name: `${node.name}_rows`, type: 'Wiring', inputs: [source], outputs: [rowsOf] },
    {
      shape: [rows, length],
      sources: [0],
      map: () =>
        mapByCoordinates(permuted, (at) => order.reduce((sum, axis, i) => sum + strides[axis]! * at[i]!, 0)),
    },
  );
  const sums = simplifier.fresh(`${output}_sums`, [rows, 1]);
  const weight = node.type === 'ReduceSum' ? 1 : 1 / length;
  simplifier.addLinear(node.name, rowsOf, sums, new Float32Array(length).fill(weight), new Float32Array(1));
  const outputShape = simplifier.shape(output);
  simplifier.addWiring(
    { ...node, name: `${node.name}_shape`, type: 'Wiring', inputs: [sums] },
    { shape: outputShape, sources: [0], map: () => Int32Array.from({ length: rows }, (_, i) => i) },
  );
}

/**
 * ConvTranspose with stride s: the input with s − 1 zeros between neighbours, convolved with the flipped kernel under
 * padding kernel − 1 − pad (dilations counted in the kernel's extent).
 */
export function transposedConvAsConv(simplifier: Simplifier, node: GraphNode, context: NodeContext): void {
  const source = node.inputs[0]!;
  const output = node.outputs[0]!;
  const shape = simplifier.shape(source);
  const weight = simplifier.constant(node.inputs[1])!;
  const rank = shape.length - 2;
  const given = (name: string, fallback: number, length: number): number[] => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === 'ints' && attribute.value.length > 0
      ? [...attribute.value]
      : new Array<number>(length).fill(fallback);
  };
  if (node.attributes.has('auto_pad') || node.attributes.has('output_shape'))
    refuseNode(node, 'auto_pad and output_shape', 'absent', 'present');
  if (context.type(1)?.dtype !== 'float32')
    refuseNode(node, 'W', 'float32', context.type(1)?.dtype ?? 'absent');
  const group = intAttribute(node, 'group', 1);
  const [strides, dilations] = [given('strides', 1, rank), given('dilations', 1, rank)];
  const [pads, extra] = [given('pads', 0, 2 * rank), given('output_padding', 0, rank)];
  const [ins, outsEach] = weight.shape as [number, number];
  const kernel = weight.shape.slice(2);
  const spread = [shape[0]!, shape[1]!, ...strides.map((s, i) => (shape[i + 2]! - 1) * s + 1)];
  const stretched = simplifier.fresh(`${output}_stretched`, spread);
  const from = stridesOf(shape);
  simplifier.addWiring(
    { ...node, name: `${node.name}_stretch`, type: 'Wiring', inputs: [source], outputs: [stretched] },
    {
      shape: spread,
      sources: [0],
      fill: 0,
      map: () =>
        mapByCoordinates(spread, (at) => {
          if (strides.some((s, i) => at[i + 2]! % s !== 0)) return -1;
          return at.reduce((sum, c, i) => sum + from[i]! * (i < 2 ? c : c / strides[i - 2]!), 0);
        }),
    },
  );
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const newPads = [
    ...reach.map((r, i) => r - pads[i]!),
    ...reach.map((r, i) => r - pads[i + rank]! + extra[i]!),
  ];
  if (newPads.some((pad) => pad < 0))
    refuseNode(node, 'pads', 'at most the kernel extent', `[${pads.join(',')}]`);
  // ONNX stores [in, out / group, kernel]; a convolution wants [out, in / group, flipped kernel].
  const [insEach, taps] = [ins / group, sizeOf(kernel)];
  const weights = new Float32Array(weight.data.length);
  const data = weight.data as Float32Array;
  for (let g = 0; g < group; g++)
    for (let o = 0; o < outsEach; o++)
      for (let i = 0; i < insEach; i++)
        for (let k = 0; k < taps; k++)
          weights[((g * outsEach + o) * insEach + i) * taps + k] =
            data[((g * insEach + i) * outsEach + o) * taps + (taps - 1 - k)]!;
  const bias = node.inputs[2]
    ? ((simplifier.constant(node.inputs[2])?.data as Float32Array | undefined) ??
      refuseNode(node, 'B', 'a constant', 'a computed value'))
    : new Float32Array(outsEach * group);
  const attributes = new Map<string, AttributeValue>([
    ['kernel_shape', ints(kernel)],
    ['dilations', ints(dilations)],
    ['pads', ints(newPads)],
    ['group', int(group)],
  ]);
  const conv: GraphNode = { ...node, type: 'Conv', inputs: [stretched], outputs: [output], attributes };
  simplifier.addConv(conv, stretched, [outsEach * group, insEach, ...kernel], weights, bias);
}

/** Emits the transpose of a matrix under a fresh name. */
export function transposed(simplifier: Simplifier, node: GraphNode, source: string, name: string): string {
  const [rows, columns] = simplifier.shape(source) as [number, number];
  const shape = [columns, rows];
  simplifier.fresh(name, shape);
  simplifier.addWiring(
    { ...node, name: `${node.name}_transpose`, type: 'Wiring', inputs: [source], outputs: [name] },
    { shape, sources: [0], map: () => mapByCoordinates(shape, ([i, j]) => j! * columns + i!) },
  );
  return name;
}

/** W·X with W constant: the rows of Xᵀ through W, transposed back. */
export function leftProductAsLinear(simplifier: Simplifier, node: GraphNode): void {
  const weight = simplifier.constant(node.inputs[0])!;
  const source = node.inputs[1]!;
  const output = node.outputs[0]!;
  const shape = simplifier.shape(source);
  if (weight.dtype !== 'float32' || weight.shape.length !== 2 || shape.length > 2)
    refuseNode(
      node,
      'A',
      'a float32 matrix before a matrix or a vector',
      `[${weight.shape.join(',')}]·[${shape.join(',')}]`,
    );
  const weights = weight.data as Float32Array;
  const bias = new Float32Array(weight.shape[0]!);
  if (shape.length === 1) return simplifier.addLinear(node.name, source, output, weights, bias);
  const columns = transposed(simplifier, node, source, `${output}_columns`);
  const product = simplifier.fresh(`${output}_product`, [shape[1]!, weight.shape[0]!]);
  simplifier.addLinear(node.name, columns, product, weights, bias);
  const outputShape = simplifier.shape(output);
  simplifier.addWiring(
    { ...node, name: `${node.name}_back`, type: 'Wiring', inputs: [product], outputs: [output] },
    {
      shape: outputShape,
      sources: [0],
      map: () => mapByCoordinates(outputShape, ([i, j]) => j! * weight.shape[0]! + i!),
    },
  );
}

/** X·w with w a vector: one output, its axis dropped. */
export function vectorProductAsLinear(simplifier: Simplifier, node: GraphNode, weights: Float32Array): void {
  const output = node.outputs[0]!;
  const shape = simplifier.shape(output);
  const product = simplifier.fresh(`${output}_product`, [...shape, 1]);
  simplifier.addLinear(node.name, node.inputs[0]!, product, weights, new Float32Array(1));
  simplifier.addWiring(
    { ...node, name: `${node.name}_shape`, type: 'Wiring', inputs: [product], outputs: [output] },
    { shape, sources: [0], map: () => Int32Array.from({ length: sizeOf(shape) }, (_, i) => i) },
  );
}

/** alpha·A·B + beta·C with B computed: a product of two activations, then an affine map or a sum. */
export function computedGemm(simplifier: Simplifier, node: GraphNode): void {
  const output = node.outputs[0]!;
  const shape = simplifier.shape(output);
  if (simplifier.constant(node.inputs[0])) refuseNode(node, 'A', 'computed, as B is', 'a constant');
  const [a, b] = ['transA', 'transB'].map((flag, i) =>
    intAttribute(node, flag, 0) === 0
      ? node.inputs[i]!
      : transposed(simplifier, node, node.inputs[i]!, `${output}_${flag}`),
  ) as [string, string];
  const product = simplifier.fresh(`${output}_activations`, shape);
  const matMul = { ...node, name: `${node.name}_product`, type: 'MatMul', attributes: new Map() };
  simplifier.addOperator({ ...matMul, inputs: [a, b], outputs: [product] });
  const size = sizeOf(shape);
  const scale = new Float32Array(size).fill(floatAttribute(node, 'alpha', 1));
  const beta = floatAttribute(node, 'beta', 1);
  const given = node.inputs[2] ? simplifier.constant(node.inputs[2]) : undefined;
  if (node.inputs[2] && !given) {
    const scaled = simplifier.fresh(`${output}_scaled`, shape);
    simplifier.addAffine({ ...node, outputs: [scaled] }, product, scale, new Float32Array(size));
    const addend = simplifier.fresh(`${output}_addend`, simplifier.shape(node.inputs[2]));
    const count = sizeOf(simplifier.shape(addend));
    const factor = new Float32Array(count).fill(beta);
    simplifier.addAffine({ ...node, outputs: [addend] }, node.inputs[2], factor, new Float32Array(count));
    return simplifier.addOperator({
      ...matMul,
      name: node.name,
      type: 'Add',
      inputs: [scaled, addend],
      outputs: [output],
    });
  }
  const shift = given ? spread(given, shape) : new Float32Array(size);
  if (!shift) refuseNode(node, 'C', 'broadcastable to the product', `[${given!.shape.join(',')}]`);
  simplifier.addAffine(
    node,
    product,
    scale,
    shift.map((c) => beta * c),
  );
}

/** Sum and Mean of any number of operands: additions one after the other, then the division. */
export function sumAsAdditions(simplifier: Simplifier, node: GraphNode): void {
  const output = node.outputs[0]!;
  const shape = simplifier.shape(output);
  const count = node.inputs.length;
  let total = node.inputs[0]!;
  node.inputs.slice(1).forEach((input, i) => {
    const isLast = i === count - 2 && node.type === 'Sum';
    const operands = [total, input].map((name) => simplifier.shape(name));
    const partial = broadcastShapes(...(operands as [readonly number[], readonly number[]]));
    if (!partial) refuseNode(node, 'input shapes', 'broadcastable', 'others');
    const next = isLast ? output : simplifier.fresh(`${output}_sum${i}`, partial);
    const name = isLast ? node.name : `${node.name}_sum${i}`;
    simplifier.add({
      ...node,
      name,
      type: 'Add',
      inputs: [total, input],
      outputs: [next],
      attributes: new Map(),
    });
    total = next;
  });
  const size = sizeOf(shape);
  const share = new Float32Array(size).fill(node.type === 'Mean' ? 1 / count : 1);
  if (total !== output) simplifier.addAffine(node, total, share, new Float32Array(size));
}
