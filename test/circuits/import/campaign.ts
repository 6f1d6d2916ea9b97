/**
 * Random single-operator QDQ and QOperator models through import, compile and witness, beside ONNX Runtime: the
 * reference must equal the executed graph on every element, the witness must satisfy the constraints and carry the
 * same outputs. How often the executed graph answers otherwise than the file as uploaded is counted, not judged.
 */
import * as ort from 'onnxruntime-node';
import { check, compile } from '../../../circuits/index.js';
import { importModel } from '../../../circuits/import/import.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import { inferGraph } from '../../../circuits/onnx/infer.js';
import type { AttributeValue, Dtype, Graph } from '../../../circuits/onnx/graph.js';
import { openSession, toOrtTensor } from '../../../circuits/quantize/calibrate.js';
import { ModelRefused } from '../../../circuits/errors.js';
import { GraphWriter, int, ints } from '../../support/graphs.js';
import type { Random } from '../../support/random.js';

type Byte = 'int8' | 'uint8';

export interface Case {
  readonly label: string;
  readonly graph: Graph;
}

export interface Tally {
  cases: number;
  refused: number;
  elements: number;
  mismatched: number;
  disagreeing: number;
  readonly failures: string[];
}

export type Family = (r: Random) => Case;

const low = (dtype: Byte): number => (dtype === 'int8' ? -128 : 0);

function scale(r: Random): number {
  const kind = r.below(4);
  if (kind === 0) return 2 ** (r.below(8) - 6);
  if (kind === 1) return Math.fround(1 / (1 + 2 * r.below(60)));
  return Math.fround(2 ** ((r.below(1000) / 1000) * 8 - 6));
}

/** A scale near another: measured ones are any float32, designed ones differ by a power of two. */
function related(r: Random, unit: number): number {
  return r.below(3) === 0
    ? unit * 2 ** (r.below(3) - 1)
    : Math.fround(unit * (0.4 + (2 * r.uint32()) / 2 ** 32));
}

/** A quantized graph input, dequantized; its float stands between the quantizations as exporters write it. */
function activation(
  w: GraphWriter,
  r: Random,
  name: string,
  dtype: Byte,
  shape: readonly number[],
  s = scale(r),
): string {
  const q = w.input(name, dtype, shape);
  return w.node('DequantizeLinear', [
    q,
    w.scale(s),
    w.zeroPoint(dtype, low(dtype) + r.pick([0, 128, r.below(256)])),
  ]);
}

function weights(
  w: GraphWriter,
  r: Random,
  dtype: Byte,
  shape: readonly number[],
  channelAxis: number,
): { name: string; scales: number[] } {
  const count = shape.reduce((a, b) => a * b, 1);
  const q = w.constant(
    dtype,
    shape,
    Array.from({ length: count }, () => low(dtype) + r.pick([0, 255, r.below(256)])),
  );
  const perChannel = r.below(2) === 0;
  const channels = perChannel ? shape[channelAxis] : 1;
  const scales = Array.from({ length: channels }, () => scale(r) / 16);
  const zeroPoint = dtype === 'int8' ? 0 : 128;
  const name = perChannel
    ? w.node(
        'DequantizeLinear',
        [
          q,
          w.constant('float32', [channels], scales),
          w.constant(
            dtype,
            [channels],
            scales.map(() => zeroPoint),
          ),
        ],
        { axis: int(channelAxis) },
      )
    : w.node('DequantizeLinear', [q, w.scale(scales[0]), w.zeroPoint(dtype, zeroPoint)]);
  return { name, scales };
}

function finish(
  w: GraphWriter,
  r: Random,
  float: string,
  dtype: Byte,
  label: string,
  outScale = scale(r) * 4,
): Case {
  const zeroPoint = low(dtype) + r.pick([0, 128, r.below(256)]);
  const q = w.node('QuantizeLinear', [float, w.scale(outScale), w.zeroPoint(dtype, zeroPoint)]);
  return { label, graph: inferGraph(w.finish([{ name: q, dtype, shape: [] }])) };
}

const bytes = (r: Random): Byte => r.pick(['int8', 'uint8'] as const);
const small = (r: Random, limit: number): number => 1 + r.below(limit);

const conv: Family = (r) => {
  const w = new GraphWriter();
  const group = r.pick([1, 1, 2]);
  const [channels, filters] = [group * small(r, 2), group * small(r, 3)];
  const rank = r.pick([1, 2, 2]);
  const kernel = Array.from({ length: rank }, () => small(r, 3));
  const strides = kernel.map(() => small(r, 2));
  const dilations = kernel.map(() => small(r, 2));
  const pads = [...kernel, ...kernel].map(() => r.below(2));
  const dims = kernel.map((k, i) => (k - 1) * dilations[i] + 1 + r.below(4));
  const dtype = bytes(r);
  const x = activation(w, r, 'x', dtype, [1, channels, ...dims]);
  const k = weights(w, r, bytes(r), [filters, channels / group, ...kernel], 0);
  const attributes = {
    dilations: ints(...dilations),
    group: int(group),
    pads: ints(...pads),
    strides: ints(...strides),
    kernel_shape: ints(...kernel),
  };
  let y = w.node('Conv', [x, k.name], attributes);
  if (r.below(3) === 0) y = w.node('Relu', [y]);
  return finish(w, r, y, dtype, `conv ${attributes.strides.kind} ${dims}`, 4 + r.below(40));
};

const product: Family = (r) => {
  const w = new GraphWriter();
  const [m, k, n] = [small(r, 4), small(r, 20), small(r, 5)];
  const dtype = bytes(r);
  const x = activation(w, r, 'x', dtype, [m, k]);
  if (r.below(3) === 0) {
    const b = activation(w, r, 'b', bytes(r), [k, n]);
    return finish(w, r, w.node('MatMul', [x, b]), dtype, 'matmul of activations', 2 + r.below(60));
  }
  const b = weights(w, r, bytes(r), [k, n], 1);
  const y = w.node('MatMul', [x, b.name]);
  return finish(w, r, y, dtype, 'matmul', 2 + r.below(60));
};

const sum: Family = (r) => {
  const w = new GraphWriter();
  const shape = [small(r, 3), small(r, 4)];
  const unit = scale(r);
  const a = activation(w, r, 'a', bytes(r), shape, unit);
  const b = activation(w, r, 'b', bytes(r), r.pick([shape, [1, shape[1]], [shape[1]]]), related(r, unit));
  return finish(w, r, w.node(r.pick(['Add', 'Sub']), [a, b]), bytes(r), 'sum', 2 * related(r, unit));
};

const elementwiseProduct: Family = (r) => {
  const w = new GraphWriter();
  const shape = [small(r, 3), small(r, 4)];
  const a = activation(w, r, 'a', bytes(r), shape);
  const b = activation(w, r, 'b', bytes(r), r.pick([shape, [shape[1]]]));
  return finish(w, r, w.node('Mul', [a, b]), bytes(r), 'product', 1 + r.below(30));
};

const functions: readonly [string, Record<string, AttributeValue>][] = [
  ['Relu', {}],
  ['Sigmoid', {}],
  ['Tanh', {}],
  ['HardSwish', {}],
  ['Erf', {}],
  ['Abs', {}],
  ['Neg', {}],
  ['Softplus', {}],
  ['Exp', {}],
  ['LeakyRelu', { alpha: { kind: 'float', value: 0.125 } }],
  ['Elu', {}],
  ['HardSigmoid', {}],
  ['Sqrt', {}],
  ['Gelu', {}],
  ['Identity', {}],
];

const unary: Family = (r) => {
  const w = new GraphWriter();
  const [type, attributes] = r.pick(functions.filter(([name]) => name !== 'Sqrt'));
  const x = activation(w, r, 'x', bytes(r), [small(r, 6)], Math.fround(0.01 + r.below(100) / 1000));
  return finish(
    w,
    r,
    w.node(type, [x], attributes),
    bytes(r),
    type,
    Math.fround(0.005 + r.below(100) / 2000),
  );
};

const affine: Family = (r) => {
  const w = new GraphWriter();
  const channels = small(r, 4);
  const x = activation(w, r, 'x', bytes(r), [1, channels, 2]);
  const constant = (): string =>
    w.constant(
      'float32',
      [channels, 1],
      Array.from({ length: channels }, () => r.below(400) / 100 - 2 || 1),
    );
  const y = w.node('Add', [w.node('Mul', [x, constant()]), constant()]);
  return finish(w, r, y, bytes(r), 'affine per channel');
};

const pool: Family = (r) => {
  const w = new GraphWriter();
  const dtype = bytes(r);
  const x = activation(w, r, 'x', dtype, [1, small(r, 3), 3 + r.below(3), 3 + r.below(3)]);
  const type = r.pick(['MaxPool', 'AveragePool', 'GlobalAveragePool', 'ReduceMean']);
  if (type === 'GlobalAveragePool') return finish(w, r, w.node(type, [x]), dtype, type);
  if (type === 'ReduceMean')
    return finish(
      w,
      r,
      w.node(type, [x, w.constant('int64', [2], [2, 3])], { keepdims: int(r.below(2)) }),
      dtype,
      type,
    );
  const attributes: Record<string, AttributeValue> = {
    kernel_shape: ints(small(r, 3), small(r, 3)),
    strides: ints(small(r, 2), small(r, 2)),
    ceil_mode: int(0),
  };
  if (type === 'AveragePool') attributes['count_include_pad'] = int(r.below(2));
  return finish(w, r, w.node(type, [x], attributes), dtype, type);
};

const wiring: Family = (r) => {
  const w = new GraphWriter();
  const dtype = bytes(r);
  const x = activation(w, r, 'x', dtype, [2, 3, 4]);
  const moved = r.pick<() => string>([
    () =>
      w.node('Transpose', [x], {
        perm: ints(
          ...r.pick([
            [0, 2, 1],
            [2, 1, 0],
            [1, 0, 2],
          ]),
        ),
      }),
    () => w.node('Reshape', [x, w.constant('int64', [2], [-1, 6])]),
    () =>
      w.node('Slice', [
        x,
        w.constant('int64', [1], [r.below(2)]),
        w.constant('int64', [1], [4]),
        w.constant('int64', [1], [2]),
        w.constant('int64', [1], [small(r, 2)]),
      ]),
    () =>
      w.node('Slice', [
        x,
        w.constant('int64', [1], [-1]),
        w.constant('int64', [1], [-9]),
        w.constant('int64', [1], [1]),
        w.constant('int64', [1], [-1]),
      ]),
    () => w.node('Concat', [x, x], { axis: int(r.below(3) - 3) }),
    () => w.node('Gather', [x, w.constant('int64', [3], [2, 0, -1])], { axis: int(1) }),
    () =>
      w.node('Pad', [x, w.constant('int64', [6], [0, 1, 0, 1, 0, 2])], {
        mode: { kind: 'string', value: r.pick(['constant', 'edge', 'reflect']) },
      }),
    () =>
      w.node('Expand', [
        w.node('Unsqueeze', [x, w.constant('int64', [1], [0])]),
        w.constant('int64', [4], [2, 1, 1, 4]),
      ]),
    () => w.node('Tile', [x, w.constant('int64', [3], [1, 2, 1])]),
  ])();
  return finish(w, r, moved, dtype, 'wiring');
};

const comparison: Family = (r) => {
  const w = new GraphWriter();
  const dtype = r.pick(['int8', 'uint8', 'int32', 'int64'] as const);
  const [a, b] = [w.input('a', dtype, [2, 3]), w.input('b', dtype, r.pick([[2, 3], [3], []]))];
  const test = w.node(r.pick(['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual']), [a, b]);
  const negated = w.node('Not', [test]);
  const joined = w.node(r.pick(['And', 'Or', 'Xor']), [test, r.pick([test, negated])]);
  const chosen = w.node('Where', [joined, a, b]);
  return { label: 'comparison', graph: inferGraph(w.finish([{ name: chosen, dtype, shape: [] }])) };
};

export const families: Readonly<Record<string, Family>> = {
  conv,
  product,
  sum,
  elementwiseProduct,
  unary,
  affine,
  pool,
  wiring,
  comparison,
};

/** Extremes and random values of every input. */
function* inputsOf(graph: Graph, r: Random): Generator<Record<string, number[]>> {
  const fill = (pick: (min: number, max: number) => number): Record<string, number[]> =>
    Object.fromEntries(
      graph.inputs.map(({ name, dtype, shape }) => {
        const [min, max] = ranges[dtype]!;
        return [name, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => pick(min, max))];
      }),
    );
  yield fill((min) => min);
  yield fill((_, max) => max);
  yield fill((min, max) => min + r.below(max - min + 1));
}

const ranges: Partial<Record<Dtype, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 31), 2 ** 31 - 1],
};

export async function runCase({ label, graph }: Case, r: Random, tally: Tally): Promise<void> {
  tally.cases++;
  const uploaded = encodeGraph(graph);
  let imported;
  let compiled;
  try {
    imported = importModel(uploaded);
    compiled = compile(imported.graph);
  } catch (error) {
    if (!(error instanceof ModelRefused)) throw error;
    tally.refused++;
    return;
  }
  const executedSession = await openSession(imported.executedModel);
  // Some types have no kernel of the uploaded operator; the executed graph widens them.
  const uploadedSession = await openSession(uploaded).catch(() => undefined);
  for (const values of inputsOf(graph, r)) {
    const feeds: Record<string, ort.Tensor> = {};
    for (const { name, dtype, shape } of graph.inputs)
      feeds[name] = toOrtTensor({ dtype, shape, data: typed(dtype, values[name]) });
    const executed = await executedSession.run(feeds);
    const given = await uploadedSession?.run(feeds);
    const inputs = compiled.quantizeInput(values);
    const reference = compiled.reference(inputs);
    const { witness, outputs } = compiled.computeWitness({ inputs, ctx: 7n, salt: 11n });
    const result = check(compiled.r1cs, witness, { labels: compiled.labels });
    if (!result.ok) tally.failures.push(`${label}: honest witness fails ${result.label}`);
    for (const [name, expected] of reference) {
      const got = executed[name].data as ArrayLike<number | bigint>;
      const upload = given?.[name]?.data as ArrayLike<number | bigint> | undefined;
      const proven = outputs.get(name)!;
      for (let i = 0; i < expected.length; i++) {
        tally.elements++;
        if (Number(got[i]) !== expected[i] || proven[i] !== expected[i]) {
          tally.mismatched++;
          if (tally.failures.length < 5)
            tally.failures.push(
              `${label}: element ${i}: reference ${expected[i]}, runtime ${got[i]}, witness ${proven[i]}`,
            );
        }
        if (upload && Number(upload[i]) !== expected[i]) tally.disagreeing++;
      }
    }
  }
  await executedSession.release();
  await uploadedSession?.release();
}

function typed(dtype: Dtype, values: readonly number[]): Int8Array | Uint8Array | Int32Array | BigInt64Array {
  if (dtype === 'int8') return Int8Array.from(values);
  if (dtype === 'uint8') return Uint8Array.from(values);
  return dtype === 'int32' ? Int32Array.from(values) : BigInt64Array.from(values, BigInt);
}

export async function runFamily(name: string, count: number, r: Random): Promise<Tally> {
  const tally: Tally = { cases: 0, refused: 0, elements: 0, mismatched: 0, disagreeing: 0, failures: [] };
  for (let i = 0; i < count && tally.failures.length < 5; i++) await runCase(families[name](r), r, tally);
  return tally;
}
