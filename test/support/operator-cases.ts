/** Random graphs of one operator each: shapes, geometry, scales, zero points, extremes. */
import type { AttributeValue, Dtype, Graph } from '../../circuits/onnx/graph.js';
import { GraphWriter, int, ints } from './graphs.js';
import { INTEGER_CASES } from './integer-cases.js';
import type { Random } from './random.js';
import { between, integers } from './values.js';

/** What ONNX Runtime runs and what the compiler compiles; `executed` is absent where both are one graph. */
export interface OperatorCase {
  readonly graph: Graph;
  /** False for the compiler's own composites, which ONNX Runtime does not know. */
  readonly inRuntime: boolean;
  /** Inclusive ranges to draw inputs from, where not the whole type. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>;
}

const BYTES = ['int8', 'uint8'] as const;
const rangeOf = (dtype: Dtype): [number, number] =>
  dtype === 'int8'
    ? [-128, 127]
    : dtype === 'uint8'
      ? [0, 255]
      : dtype === 'bool'
        ? [0, 1]
        : [-(2 ** 31), 2 ** 31 - 1];

/** Lattice scales, powers of two, and arbitrary ones. */
function scaleFor(r: Random, typical: number): number {
  const kind = r.below(3);
  if (kind === 0) return Math.fround(1 / (2 * Math.round(1 / typical / 2) + 1));
  if (kind === 1) return 2 ** Math.round(Math.log2(typical));
  return Math.fround(typical * (0.5 + r.uint32() / 2 ** 32));
}

function shapeOf(r: Random, rank: number, most = 4): number[] {
  return Array.from({ length: rank }, () => between(r, 1, most));
}

const product = (shape: readonly number[]) => shape.reduce((all, size) => all * size, 1);

/** Weights with extremes now and then. */
function weights(r: Random, dtype: Dtype, count: number): Int32Array {
  const [lo, hi] = rangeOf(dtype);
  return integers(r, count, lo, hi).map((value) => (r.below(12) === 0 ? r.pick([lo, hi, 0]) : value));
}

function finish(g: GraphWriter, output: string, dtype: Dtype, shape: readonly number[]): OperatorCase {
  return { graph: g.finish([{ name: output, dtype, shape }]), inRuntime: true };
}

/** An elementwise or wiring operator on one computed tensor. */
function simple(
  r: Random,
  type: string,
  dtype: Dtype,
  from: readonly number[],
  to: readonly number[],
  build: (
    g: GraphWriter,
    x: string,
  ) => { inputs: string[]; attributes?: Record<string, AttributeValue>; domain?: string },
  outputDtype: Dtype = dtype,
): OperatorCase {
  const g = new GraphWriter();
  const x = g.input('x', dtype, from);
  const { inputs, attributes = {}, domain = '' } = build(g, x);
  return finish(g, g.node(type, inputs, attributes, domain), outputDtype, to);
}

const convolutionSize = (size: number, kernel: number, stride: number, dilation: number, pads: number) =>
  Math.floor((size + pads - (kernel - 1) * dilation - 1) / stride) + 1;

interface Geometry {
  readonly attributes: Record<string, AttributeValue>;
  readonly kernel: number[];
  readonly spatial: number[];
  readonly output: number[];
}

function geometry(r: Random, rank: number): Geometry {
  const spatial = Array.from({ length: rank }, () => between(r, 3, 6));
  const kernel = spatial.map(() => between(r, 1, 3));
  const strides = spatial.map(() => between(r, 1, 2));
  const dilations = spatial.map((size, i) => ((kernel[i] - 1) * 2 + 1 <= size ? between(r, 1, 2) : 1));
  const begin = kernel.map((size) => r.below(size));
  const end = kernel.map((size) => r.below(size));
  const output = spatial.map((size, i) =>
    convolutionSize(size, kernel[i], strides[i], dilations[i], begin[i] + end[i]),
  );
  const attributes = {
    kernel_shape: ints(...kernel),
    strides: ints(...strides),
    dilations: ints(...dilations),
    pads: ints(...begin, ...end),
  };
  return { attributes, kernel, spatial, output };
}

function qLinearConv(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick(BYTES);
  const group = r.pick([1, 1, 2]);
  const channelsIn = group * between(r, 1, 2);
  const channelsOut = group * between(r, 1, 2);
  const { attributes, kernel, spatial, output } = geometry(r, r.pick([1, 2, 2]));
  const x = g.input('x', dtype, [1, channelsIn, ...spatial]);
  const wShape = [channelsOut, channelsIn / group, ...kernel];
  const [lo, hi] = rangeOf(dtype);
  const zero = g.zeroPoint(dtype, between(r, lo, hi));
  // ONNX Runtime's s8 kernels take weight zero points of one value.
  const wZero = g.zeroPoint(dtype, dtype === 'int8' ? 0 : between(r, lo, hi));
  const perChannel = r.below(2) === 0;
  const typical = 1 / (30 * product(kernel));
  const wScales = Array.from({ length: perChannel ? channelsOut : 1 }, () => scaleFor(r, typical));
  const wScale = perChannel ? g.constant('float32', [channelsOut], wScales) : g.scale(wScales[0]);
  const bias = g.constant('int32', [channelsOut], integers(r, channelsOut, -20000, 20000));
  const w = g.constant(dtype, wShape, weights(r, dtype, product(wShape)));
  const inputs = [
    x,
    g.scale(0.5),
    zero,
    w,
    wScale,
    wZero,
    g.scale(r.pick([0.5, 1])),
    g.zeroPoint(dtype, between(r, lo, hi)),
    bias,
  ];
  const y = g.node('QLinearConv', inputs, { ...attributes, group: int(group) });
  return finish(g, y, dtype, [1, channelsOut, ...output]);
}

function qLinearMatMul(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick(BYTES);
  const [lo, hi] = rangeOf(dtype);
  const [m, k, n] = [between(r, 1, 3), between(r, 1, 8), between(r, 1, 4)];
  const computed = r.below(3) === 0;
  const a = g.input('a', dtype, [m, k]);
  const b = computed ? g.input('b', dtype, [k, n]) : g.constant(dtype, [k, n], weights(r, dtype, k * n));
  const zero = () => g.zeroPoint(dtype, between(r, lo, hi));
  const bZero = g.zeroPoint(dtype, dtype === 'int8' && !computed ? 0 : between(r, lo, hi));
  const y = g.node('QLinearMatMul', [
    a,
    g.scale(0.25),
    zero(),
    b,
    g.scale(scaleFor(r, 1 / (20 * k))),
    bZero,
    g.scale(0.25),
    zero(),
  ]);
  return finish(g, y, dtype, [m, n]);
}

function qGemm(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick(BYTES);
  const [lo, hi] = rangeOf(dtype);
  const [m, k, n] = [between(r, 1, 3), between(r, 1, 8), between(r, 1, 4)];
  const [transA, transB] = [r.below(2), r.below(2)];
  const a = g.input('a', dtype, transA ? [k, m] : [m, k]);
  const b = g.constant(dtype, transB ? [n, k] : [k, n], weights(r, dtype, k * n));
  const c = g.constant('int32', [n], integers(r, n, -3000, 3000));
  const inputs = [
    a,
    g.scale(0.25),
    g.zeroPoint(dtype, between(r, lo, hi)),
    b,
    g.scale(scaleFor(r, 1 / (20 * k))),
    g.zeroPoint(dtype, 0),
    c,
    g.scale(0.25),
    g.zeroPoint(dtype, between(r, lo, hi)),
  ];
  const y = g.node('QGemm', inputs, { transA: int(transA), transB: int(transB) }, 'com.microsoft');
  return finish(g, y, dtype, [m, n]);
}

function maxPool(r: Random): OperatorCase {
  const dtype = r.pick(BYTES);
  const { attributes, spatial, output } = geometry(r, r.pick([1, 2]));
  const from = [1, between(r, 1, 2), ...spatial];
  return simple(r, 'MaxPool', dtype, from, [...from.slice(0, 2), ...output], (_, x) => ({
    inputs: [x],
    attributes,
  }));
}

function rescale(r: Random): OperatorCase {
  const g = new GraphWriter();
  const count = between(r, 1, 2);
  const dtype = r.pick(BYTES);
  const shape = shapeOf(r, 2);
  const inputs = Array.from({ length: count }, (_, i) =>
    g.input(`x${i}`, dtype, i === 0 ? shape : [shape[1]]),
  );
  const attributes = {
    coefficients: ints(...inputs.map(() => between(r, -200, 200))),
    offset: int(between(r, -5000, 5000)),
    divisor: int(between(r, 1, 400)),
    to: int(dtype === 'uint8' ? 2 : 3),
  };
  const y = g.node('Rescale', inputs, attributes, 'verinfer');
  return { graph: g.finish([{ name: y, dtype, shape }]), inRuntime: false };
}

function convInteger(r: Random): OperatorCase {
  const g = new GraphWriter();
  const { attributes, kernel, spatial, output } = geometry(r, 2);
  const [channelsIn, channelsOut] = [between(r, 1, 2), between(r, 1, 2)];
  const x = g.input('x', 'uint8', [1, channelsIn, ...spatial]);
  const wShape = [channelsOut, channelsIn, ...kernel];
  const w =
    r.below(2) === 0
      ? g.input('w', 'uint8', wShape)
      : g.constant('uint8', wShape, weights(r, 'uint8', product(wShape)));
  const zeros =
    r.below(2) === 0 ? [] : [g.zeroPoint('uint8', r.below(256)), g.zeroPoint('uint8', r.below(256))];
  return finish(g, g.node('ConvInteger', [x, w, ...zeros], attributes), 'int32', [1, channelsOut, ...output]);
}

function matMulInteger(r: Random): OperatorCase {
  const g = new GraphWriter();
  const [m, k, n] = [between(r, 1, 3), between(r, 1, 5), between(r, 1, 3)];
  const a = g.input('a', 'uint8', [2, m, k]);
  const b =
    r.below(2) === 0
      ? g.input('b', 'uint8', [k, n])
      : g.constant('uint8', [k, n], weights(r, 'uint8', k * n));
  const zeros =
    r.below(2) === 0 ? [] : [g.zeroPoint('uint8', r.below(256)), g.zeroPoint('uint8', r.below(256))];
  return finish(g, g.node('MatMulInteger', [a, b, ...zeros]), 'int32', [2, m, n]);
}

/** Two operands, the second broadcast or constant. */
function pairwise(type: string, dtypes: readonly Dtype[]): (r: Random) => OperatorCase {
  return (r) => {
    const g = new GraphWriter();
    const dtype = r.pick(dtypes);
    const shape = shapeOf(r, 2, 3);
    const x = g.input('x', dtype, shape);
    const other = r.pick([shape, [shape[1]], [1]]);
    const [lo, hi] = rangeOf(dtype);
    const y =
      r.below(3) === 0
        ? g.constant(dtype, other, integers(r, product(other), lo, hi))
        : g.input('y', dtype, other);
    return finish(g, g.node(type, [x, y]), dtype, shape);
  };
}

function unary(type: string, dtypes: readonly Dtype[]): (r: Random) => OperatorCase {
  return (r) => {
    const shape = shapeOf(r, 2);
    return simple(r, type, r.pick(dtypes), shape, shape, (_, x) => ({ inputs: [x] }));
  };
}

function reduction(type: string, dtypes: readonly Dtype[]): (r: Random) => OperatorCase {
  return (r) => {
    const shape = shapeOf(r, 3, 3);
    const axis = r.below(3);
    const keep = r.below(2);
    const to = shape.flatMap((size, i) => (i === axis ? (keep ? [1] : []) : [size]));
    return simple(r, type, r.pick(dtypes), shape, to, (g, x) => ({
      inputs: [x, g.constant('int64', [1], [axis])],
      attributes: { keepdims: int(keep) },
    }));
  };
}

function table(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick(BYTES);
  const shape = shapeOf(r, 2);
  const x = g.input('x', dtype, shape);
  const wide = g.node('Cast', [x], { to: int(6) });
  const entries =
    r.below(2) === 0
      ? integers(r, 256, -128, 127)
      : Int32Array.from({ length: 256 }, (_, i) => Math.max(i - 128, -5));
  const y = g.node('Gather', [g.constant('int8', [256], entries), wide]);
  return finish(g, y, 'int8', shape);
}

const list = (g: GraphWriter, ...values: number[]) => g.constant('int64', [values.length], values);

const WIRING: Readonly<Record<string, (r: Random) => OperatorCase>> = {
  Reshape: (r) => {
    const [a, b, c] = shapeOf(r, 3);
    return simple(r, 'Reshape', 'int8', [a, b, c], [a, b * c], (g, x) => ({ inputs: [x, list(g, a, -1)] }));
  },
  Flatten: (r) => {
    const [a, b, c] = shapeOf(r, 3);
    return simple(r, 'Flatten', 'int8', [a, b, c], [a * b, c], (_, x) => ({
      inputs: [x],
      attributes: { axis: int(2) },
    }));
  },
  Squeeze: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Squeeze', 'int8', [a, 1, b], [a, b], (g, x) => ({ inputs: [x, list(g, 1)] }));
  },
  Unsqueeze: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Unsqueeze', 'int8', [a, b], [a, 1, b], (g, x) => ({ inputs: [x, list(g, 1)] }));
  },
  Identity: (r) => {
    const shape = shapeOf(r, 2);
    return simple(r, 'Identity', 'int8', shape, shape, (_, x) => ({ inputs: [x] }));
  },
  Transpose: (r) => {
    const shape = shapeOf(r, 3);
    const perm = r.pick([
      [0, 2, 1],
      [2, 1, 0],
      [1, 2, 0],
    ]);
    const to = perm.map((axis) => shape[axis]);
    return simple(r, 'Transpose', 'int8', shape, to, (_, x) => ({
      inputs: [x],
      attributes: { perm: ints(...perm) },
    }));
  },
  Slice: (r) => {
    const [a, b] = [between(r, 2, 4), between(r, 3, 6)];
    const step = r.pick([1, 2]);
    const to = [a, Math.ceil((b - 1) / step)];
    return simple(r, 'Slice', 'int8', [a, b], to, (g, x) => ({
      inputs: [x, list(g, 1), list(g, b), list(g, 1), list(g, step)],
    }));
  },
  Split: (r) => {
    const [a, b] = [between(r, 1, 3), between(r, 1, 3)];
    return simple(r, 'Split', 'int8', [a, b + 1], [a, 1], (g, x) => ({
      inputs: [x, list(g, 1, b)],
      attributes: { axis: int(1) },
    }));
  },
  Concat: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Concat', 'int8', [a, b], [a, b + 2], (g, x) => ({
      inputs: [x, g.constant('int8', [a, 2], integers(r, 2 * a, -128, 127))],
      attributes: { axis: int(1) },
    }));
  },
  Pad: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Pad', 'int8', [a, b], [a + 1, b + 2], (g, x) => ({
      inputs: [x, list(g, 1, 0, 0, 2), g.constant('int8', [], [-7])],
    }));
  },
  Expand: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Expand', 'int8', [a, 1], [a, b], (g, x) => ({ inputs: [x, list(g, a, b)] }));
  },
  Tile: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Tile', 'int8', [a, b], [2 * a, b], (g, x) => ({ inputs: [x, list(g, 2, 1)] }));
  },
  Resize: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'Resize', 'int8', [1, 1, a, b], [1, 1, 2 * a, 2 * b], (g, x) => ({
      inputs: [x, '', g.constant('float32', [4], [1, 1, 2, 2])],
      attributes: {
        mode: { kind: 'string', value: 'nearest' },
        coordinate_transformation_mode: { kind: 'string', value: 'asymmetric' },
        nearest_mode: { kind: 'string', value: 'floor' },
      },
    }));
  },
  DepthToSpace: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'DepthToSpace', 'uint8', [1, 4, a, b], [1, 1, 2 * a, 2 * b], (_, x) => ({
      inputs: [x],
      attributes: { blocksize: int(2) },
    }));
  },
  SpaceToDepth: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'SpaceToDepth', 'uint8', [1, 1, 2 * a, 2 * b], [1, 4, a, b], (_, x) => ({
      inputs: [x],
      attributes: { blocksize: int(2) },
    }));
  },
  GatherElements: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'GatherElements', 'int8', [a, b], [a, b], (g, x) => ({
      inputs: [x, g.constant('int64', [a, b], integers(r, a * b, 0, a - 1))],
    }));
  },
  GatherND: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'GatherND', 'int8', [a, b], [3, b], (g, x) => ({
      inputs: [x, g.constant('int64', [3, 1], integers(r, 3, 0, a - 1))],
    }));
  },
  ScatterElements: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'ScatterElements', 'int8', [a, b], [a, b], (g, x) => ({
      inputs: [
        x,
        g.constant('int64', [1, b], integers(r, b, 0, a - 1)),
        g.constant('int8', [1, b], integers(r, b, -128, 127)),
      ],
    }));
  },
  ScatterND: (r) => {
    const [a, b] = shapeOf(r, 2);
    return simple(r, 'ScatterND', 'int8', [a, b], [a, b], (g, x) => ({
      inputs: [
        x,
        g.constant('int64', [1, 1], [r.below(a)]),
        g.constant('int8', [1, b], integers(r, b, -128, 127)),
      ],
    }));
  },
};

/** By `domain:type`: how to draw a case of every operator in circuits/ops/index.ts that has no test of its own. */
export const OPERATOR_CASES: Readonly<Record<string, (r: Random) => OperatorCase>> = {
  ':QLinearConv': qLinearConv,
  ':QLinearMatMul': qLinearMatMul,
  'com.microsoft:QGemm': qGemm,
  ':ConvInteger': convInteger,
  ':MatMulInteger': matMulInteger,
  'verinfer:Rescale': rescale,
  ':MaxPool': maxPool,
  ':Relu': unary('Relu', ['int8']),
  ':Clip': (r) => {
    const shape = shapeOf(r, 2);
    const bounds = [between(r, -128, 127), between(r, -128, 127)].sort((p, q) => p - q);
    return simple(r, 'Clip', 'int8', shape, shape, (g, x) => ({
      inputs: [x, ...bounds.map((bound) => g.constant('int8', [], [bound]))],
    }));
  },
  ':Max': pairwise('Max', ['int8', 'uint8', 'int32']),
  ':Min': pairwise('Min', ['int8', 'uint8', 'int32']),
  ':Neg': unary('Neg', ['int8', 'int32']),
  ':Abs': unary('Abs', ['int8', 'uint8', 'int32']),
  ':ReduceSum': (r) => {
    const g = new GraphWriter();
    const wide = g.node('Cast', [g.input('x', r.pick(BYTES), [2, 5])], { to: int(6) });
    const axis = r.below(2);
    const y = g.node('ReduceSum', [wide, g.constant('int64', [1], [axis])], { keepdims: int(0) });
    return finish(g, y, 'int32', [axis === 0 ? 5 : 2]);
  },
  ':ReduceMax': reduction('ReduceMax', ['int8', 'uint8', 'int32']),
  ':ReduceMin': reduction('ReduceMin', ['int8', 'uint8', 'int32']),
  ':BitwiseAnd': pairwise('BitwiseAnd', ['int8', 'uint8', 'int32']),
  ':BitwiseOr': pairwise('BitwiseOr', ['int8', 'uint8', 'int32']),
  ':BitwiseXor': pairwise('BitwiseXor', ['int8', 'uint8', 'int32']),
  ':BitwiseNot': unary('BitwiseNot', ['int8', 'uint8', 'int32']),
  ':Gather': table,
  ...INTEGER_CASES,
  ...Object.fromEntries(Object.entries(WIRING).map(([type, draw]) => [`:${type}`, draw])),
};
