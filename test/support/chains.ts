/**
 * Random graphs of several operators in a row. What each operator proves alone is tested by its own cases; here a
 * rounding is put off, moved past wiring, narrowed by clamps and pooled, in orders that nobody wrote down.
 */
import { compile, type CompiledModel } from '../../circuits/index.js';
import type { Dtype, Graph } from '../../circuits/onnx/graph.js';
import { elementCount } from '../../circuits/tensor.js';
import { GraphWriter, int, ints } from './graphs.js';
import type { Random } from './random.js';
import { between } from './values.js';

interface Value {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** Adds one operator behind x, or nothing where x does not fit it. */
type Step = (g: GraphWriter, r: Random, x: Value) => Value | undefined;

const rangeOf = (dtype: Dtype): [number, number] =>
  dtype === 'int8' ? [-128, 127] : dtype === 'uint8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
const draw = (r: Random, dtype: Dtype, count: number): number[] =>
  Array.from({ length: count }, () => between(r, ...rangeOf(dtype)));

function scales(r: Random, count: number): number[] {
  return Array.from({ length: r.below(2) === 0 ? 1 : count }, () =>
    Math.fround(
      r.pick([
        1 / (1 + 2 * between(r, 1, 150)),
        2 ** -between(r, 1, 8),
        3 * 2 ** -between(r, 3, 9),
        (0.5 + r.uint32() / 2 ** 32) / between(r, 2, 200),
      ]),
    ),
  );
}

const convolution: Step = (g, r, { name, dtype, shape }) => {
  const [batch, channels, ...spatial] = shape;
  const out = between(r, 1, 3);
  if (spatial.length < 1 || out * elementCount(spatial) > 60) return undefined;
  const own = scales(r, out);
  const point = () => g.zeroPoint(dtype, between(r, ...rangeOf(dtype)));
  const inputs = [
    name,
    g.scale(1),
    point(),
    g.constant(dtype, [out, channels, ...spatial.map(() => 1)], draw(r, dtype, out * channels)),
    own.length > 1 ? g.constant('float32', [out], own) : g.scale(own[0]),
    g.zeroPoint(dtype, dtype === 'int8' ? 0 : between(r, 0, 255)),
    g.scale(1),
    point(),
    g.constant(
      'int32',
      [out],
      Array.from({ length: out }, () => between(r, -3000, 3000)),
    ),
  ];
  return { name: g.node('QLinearConv', inputs), dtype, shape: [batch, out, ...spatial] };
};

const product: Step = (g, r, { name, dtype, shape }) => {
  const inner = shape.at(-1)!;
  const out = between(r, 1, 3);
  const own = scales(r, out);
  const wZero = dtype === 'int8' ? 0 : between(r, 0, 255);
  const inputs = [
    name,
    g.scale(1),
    g.zeroPoint(dtype, between(r, ...rangeOf(dtype))),
    g.constant(dtype, [inner, out], draw(r, dtype, inner * out)),
    own.length > 1 ? g.constant('float32', [out], own) : g.scale(own[0]),
    own.length > 1
      ? g.constant(
          dtype,
          [out],
          own.map(() => wZero),
        )
      : g.zeroPoint(dtype, wZero),
    g.scale(1),
    g.zeroPoint(dtype, between(r, ...rangeOf(dtype))),
  ];
  return { name: g.node('QLinearMatMul', inputs), dtype, shape: [...shape.slice(0, -1), out] };
};

const rescale: Step = (g, r, { name, shape }) => {
  const isEven = r.below(2) === 0;
  const dtype = r.pick(['int8', 'uint8'] as const);
  const attributes = {
    coefficients: ints(between(r, 1, 40)),
    offset: int(between(r, -500, 500)),
    divisor: int(isEven ? 2 ** between(r, 2, 6) : between(r, 1, 300)),
    to: int(dtype === 'int8' ? 3 : 2),
    ...(isEven && { ties: int(1), zero_point: int(between(r, ...rangeOf(dtype))) }),
  };
  return { name: g.node('Rescale', [name], attributes, 'verinfer'), dtype, shape };
};

const clamp: Step = (g, r, { name, dtype, shape }) => {
  const bounds = [0, 1].map(() => between(r, ...rangeOf(dtype))).sort((a, b) => a - b);
  const [low, high] = bounds.map((bound) => g.zeroPoint(dtype, bound));
  const kind = r.pick(['Relu', 'Clip', 'Max', 'Min']);
  const inputs = kind === 'Relu' ? [name] : kind === 'Clip' ? [name, low, high] : [name, low];
  return { name: g.node(kind, inputs), dtype, shape };
};

const pool: Step = (g, r, { name, dtype, shape }) => {
  if (shape.length < 3) return undefined;
  const kernel = shape.slice(2).map((size) => between(r, 1, Math.min(size, 2)));
  const strides = kernel.map(() => between(r, 1, 2));
  const spatial = kernel.map((size, i) => Math.floor((shape[2 + i] - size) / strides[i]) + 1);
  const attributes = { kernel_shape: ints(...kernel), strides: ints(...strides) };
  return { name: g.node('MaxPool', [name], attributes), dtype, shape: [...shape.slice(0, 2), ...spatial] };
};

const table: Step = (g, r, { name, dtype, shape }) => {
  const index = g.node('Cast', [name], { to: int(6) });
  return {
    name: g.node('Gather', [g.constant(dtype, [256], draw(r, dtype, 256)), index]),
    dtype,
    shape,
  };
};

const choice: Step = (g, r, { name, dtype, shape }) => {
  const bound = g.constant(dtype, [], [dtype === 'int32' ? between(r, -300, 300) : draw(r, dtype, 1)[0]]);
  const test = g.node(r.pick(['Greater', 'Less', 'Equal', 'GreaterOrEqual', 'LessOrEqual']), [name, bound]);
  return { name: g.node('Where', [test, name, bound]), dtype, shape };
};

const transpose: Step = (g, r, { name, dtype, shape }) => {
  const perm = [...shape.keys()];
  for (let i = perm.length - 1; i > 0; i--) {
    const j = r.below(i + 1);
    [perm[i], perm[j]] = [perm[j], perm[i]];
  }
  const to = perm.map((axis) => shape[axis]);
  return { name: g.node('Transpose', [name], { perm: ints(...perm) }), dtype, shape: to };
};

/** Into one batch, rows and columns, so that channels come to lie side by side. */
const reshape: Step = (g, r, { name, dtype, shape }) => {
  const count = elementCount(shape);
  const rows = r.pick([1, 2, 3, 4, 6].filter((size) => count % size === 0));
  const to = [1, 1, rows, count / rows];
  return { name: g.node('Reshape', [name, g.constant('int64', [4], to)]), dtype, shape: to };
};

const doubled: Step = (g, r, { name, dtype, shape }) => {
  if (elementCount(shape) > 40) return undefined;
  const axis = r.below(shape.length);
  const to = shape.map((size, i) => (i === axis ? 2 * size : size));
  return { name: g.node('Concat', [name, name], { axis: int(axis) }), dtype, shape: to };
};

const reduced: Step = (g, r, { name, dtype, shape }) => {
  const axis = r.below(shape.length);
  const type = r.pick(
    dtype === 'int32' ? ['ReduceMax', 'ReduceMin', 'ReduceSum'] : ['ReduceMax', 'ReduceMin'],
  );
  const to = shape.map((size, i) => (i === axis ? 1 : size));
  return { name: g.node(type, [name, g.constant('int64', [1], [axis])]), dtype, shape: to };
};

const widened: Step = (g, r, { name, shape }) => {
  const dtype = 'int32';
  const wide = g.node('Cast', [name], { to: int(6) });
  const by = g.constant(dtype, [], [between(r, -1000, 1000)]);
  return { name: g.node(r.pick(['Add', 'Sub', 'Mul']), [wide, by]), dtype, shape };
};

const unary: Step = (g, r, { name, dtype, shape }) => ({
  name: g.node(r.pick(['Neg', 'Abs']), [name]),
  dtype,
  shape,
});

const narrowed: Step = (g, r, { name, shape }) => {
  const dtype = r.pick(['int8', 'uint8'] as const);
  const bounds = rangeOf(dtype).map((bound) => g.constant('int32', [], [bound]));
  const to = int(dtype === 'int8' ? 3 : 2);
  return { name: g.node('Cast', [g.node('Clip', [name, ...bounds])], { to }), dtype, shape };
};

const anywhere: readonly Step[] = [transpose, reshape, doubled, reduced, choice];
const onBytes: readonly Step[] = [
  ...[convolution, convolution, product, rescale, rescale, clamp, clamp, clamp, pool, pool, table, widened],
  ...anywhere,
];
const onWords: readonly Step[] = [unary, narrowed, narrowed, ...anywhere];

export function chainGraph(r: Random): Graph {
  const g = new GraphWriter();
  const shape = [1, between(r, 1, 4), between(r, 2, 4), r.pick([2, 4])];
  const dtype = r.pick(['int8', 'uint8'] as const);
  let value: Value = { name: g.input('x', dtype, shape), dtype, shape };
  for (let left = between(r, 2, 6); left > 0; left--) {
    value = r.pick(value.dtype === 'int32' ? onWords : onBytes)(g, r, value) ?? value;
  }
  return g.finish([value]);
}

/** Least, greatest and random inputs of a chain. */
export function chainInputs({ manifest }: CompiledModel, r: Random): Map<string, Int32Array>[] {
  const [{ name, dtype, shape }] = manifest.inputs;
  const [lo, hi] = rangeOf(dtype);
  const filled = (pick: () => number) =>
    new Map([[name, Int32Array.from({ length: elementCount(shape) }, pick)]]);
  return [
    filled(() => lo),
    filled(() => hi),
    filled(() => between(r, lo, hi)),
    filled(() => r.pick([lo, hi])),
  ];
}

export const compileChain = (r: Random): CompiledModel => compile(chainGraph(r));
