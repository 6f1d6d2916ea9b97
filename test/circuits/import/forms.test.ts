/**
 * Operators that import writes in others: what is proven equals what ONNX Runtime answers for the file as uploaded, every
 * wire is determined, and no wire can be changed alone.
 */
import test from 'ava';
import { InputRefused, ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { check, compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, Dtype, Graph } from '../../../circuits/onnx/graph.js';
import { dtypeCodes } from '../../../circuits/onnx/tensor.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { GraphWriter, int, ints } from '../../support/graphs.js';
import { mutateWires } from '../../support/lie.js';
import { runtimeOutputs } from '../../support/operator-agreement.js';
import { random, seedFrom, type Random } from '../../support/random.js';
import { between, carriedRanges, integers, type Range } from '../../support/values.js';

interface Form {
  readonly graph: Graph;
  readonly ranges?: Readonly<Record<string, Range>>;
}

const FEATURES = 'ai.onnx.ml';
const DRAWS = 6;

/** One node over inputs and constants; `x` is its first input. */
function form(
  g: GraphWriter,
  type: string,
  inputs: readonly string[],
  attributes: Record<string, AttributeValue>,
  output: { readonly dtype: Dtype; readonly shape: readonly number[] },
  ranges: Readonly<Record<string, Range>> = {},
  domain = '',
): Form {
  const name = g.node(type, inputs, attributes, domain);
  const graph = g.finish([{ name, ...output }]);
  const opsets = new Map([...graph.opsets, [FEATURES, 3] as const]);
  return { graph: { ...graph, opsets }, ranges };
}

const text = (value: string): AttributeValue => ({ kind: 'string', value });
const WHOLE: readonly Dtype[] = ['int32', 'int64'];

/** The first opset with BitCast and CumProd. */
function newest(drawn: Form): Form {
  return { ...drawn, graph: { ...drawn.graph, opsets: new Map([['', 26]]) } };
}

function reduction(type: string, limit: number): (r: Random) => Form {
  return (r) => {
    const g = new GraphWriter();
    const dtype = r.pick(WHOLE);
    const keepdims = r.below(2);
    const axes = r.pick([[0], [1], [0, 1]]);
    const shape = [2, between(r, 1, 5)];
    const kept = shape.flatMap((dim, axis) => (axes.includes(axis) ? (keepdims ? [1] : []) : [dim]));
    const inputs = [g.input('x', dtype, shape), g.constant('int64', [axes.length], axes)];
    return form(g, type, inputs, { keepdims: int(keepdims) }, { dtype, shape: kept }, { x: [-limit, limit] });
  };
}

function scatter(type: 'ScatterElements' | 'ScatterND'): (r: Random) => Form {
  return (r) => {
    const g = new GraphWriter();
    const dtype = r.pick(WHOLE);
    const x = g.input('x', dtype, [4, 3]);
    const isElements = type === 'ScatterElements';
    // Indices meet one target more than once.
    const indices = isElements
      ? g.constant('int64', [3, 3], integers(r, 9, -4, 3))
      : g.constant('int64', [3, 1], integers(r, 3, 0, 2));
    const updates = g.input('updates', dtype, [3, 3]);
    const attributes = { reduction: text(r.pick(['add', 'mul', 'max', 'min'])) };
    const ranges = { x: [-50, 50], updates: [-9, 9] } as const;
    return form(g, type, [x, indices, updates], attributes, { dtype, shape: [4, 3] }, ranges);
  };
}

const forms: Readonly<Record<string, (r: Random) => Form>> = {
  ReduceSum: reduction('ReduceSum', 1000),
  ReduceProd: reduction('ReduceProd', 5),
  ReduceL1: reduction('ReduceL1', 1000),
  ReduceSumSquare: reduction('ReduceSumSquare', 100),
  ReduceMean: reduction('ReduceMean', 1000),
  ScatterElements: scatter('ScatterElements'),
  ScatterND: scatter('ScatterND'),
  MatMul: (r) => {
    const g = new GraphWriter();
    const dtype = r.pick<Dtype>(['int32', 'int64', 'uint32', 'uint64']);
    const [m, k, n] = [between(r, 1, 3), between(r, 1, 4), between(r, 1, 3)];
    const low = dtype.startsWith('u') ? 0 : -300;
    const right = r.below(2) === 0 ? g.constant(dtype, [k, n], integers(r, k * n, low, 300)) : '';
    const inputs = [g.input('x', dtype, [m, k]), right || g.input('y', dtype, [k, n])];
    return form(g, 'MatMul', inputs, {}, { dtype, shape: [m, n] }, { x: [low, 300], y: [low, 300] });
  },
  Relu: (r) => {
    const g = new GraphWriter();
    const dtype = r.pick(WHOLE);
    return form(g, 'Relu', [g.input('x', dtype, [5])], {}, { dtype, shape: [5] });
  },
  OneHot: (r) => {
    const g = new GraphWriter();
    const values = g.constant('float32', [2], [0, r.pick([1, 0.75])]);
    const inputs = [g.input('x', 'int64', [3]), g.constant('int64', [], [4]), values];
    return form(g, 'OneHot', inputs, {}, { dtype: 'float32', shape: [3, 4] }, { x: [-4, 3] });
  },
  CastLike: (r) => {
    const g = new GraphWriter();
    const dtype = r.pick<Dtype>(['int8', 'uint16', 'int64', 'bool']);
    const inputs = [g.input('x', 'int32', [4]), g.constant(dtype, [1], [1])];
    return form(g, 'CastLike', inputs, {}, { dtype, shape: [4] });
  },
  Cast: (r) => {
    const g = new GraphWriter();
    const dtype = r.pick<Dtype>(['uint32', 'int64', 'uint64', 'bool', 'int16']);
    const x = g.input('x', dtype, [4]);
    return form(g, 'Cast', [x], { to: int(dtypeCodes.float32) }, { dtype: 'float32', shape: [4] });
  },
  BitCast: (r) => {
    const g = new GraphWriter();
    const [from, to] = r.pick<readonly [Dtype, Dtype]>([
      ['int8', 'uint8'],
      ['uint16', 'int16'],
      ['int32', 'uint32'],
    ]);
    const x = g.input('x', from, [4]);
    const drawn = form(g, 'BitCast', [x], { to: int(dtypeCodes[to]) }, { dtype: to, shape: [4] });
    // Of uint32 the half that int32 holds is carried.
    return { ...newest(drawn), ranges: from === 'int32' ? { x: [0, 2 ** 31 - 1] } : {} };
  },
  CumProd: (r) => {
    const g = new GraphWriter();
    const dtype = r.pick(WHOLE);
    const attributes = { exclusive: int(r.below(2)), reverse: int(r.below(2)) };
    const inputs = [g.input('x', dtype, [2, 3]), g.constant('int64', [], [r.below(2)])];
    return newest(form(g, 'CumProd', inputs, attributes, { dtype, shape: [2, 3] }, { x: [-30, 30] }));
  },
  Compress: (r) => {
    const g = new GraphWriter();
    const inputs = [g.input('x', 'int32', [3, 2]), g.constant('bool', [3], [1, 0, 1])];
    return r.below(2) === 0
      ? form(g, 'Compress', inputs, { axis: int(0) }, { dtype: 'int32', shape: [2, 2] })
      : form(g, 'Compress', inputs, {}, { dtype: 'int32', shape: [2] });
  },
  ReverseSequence: (r) => {
    const g = new GraphWriter();
    const isSwapped = r.below(2);
    const lengths = g.constant('int64', [isSwapped ? 4 : 3], integers(r, isSwapped ? 4 : 3, 1, 3));
    const attributes = { batch_axis: int(1 - isSwapped), time_axis: int(isSwapped) };
    const inputs = [g.input('x', 'int32', [4, 3]), lengths];
    return form(g, 'ReverseSequence', inputs, attributes, { dtype: 'int32', shape: [4, 3] });
  },
  CenterCropPad: (r) => {
    const g = new GraphWriter();
    const sizes = [between(r, 1, 8), between(r, 1, 8)];
    const inputs = [g.input('x', 'int32', [5, 4]), g.constant('int64', [2], sizes)];
    return form(g, 'CenterCropPad', inputs, {}, { dtype: 'int32', shape: sizes });
  },
  OneHotEncoder: (r) => {
    const g = new GraphWriter();
    const x = g.input('x', 'int64', [4]);
    const isCast = r.below(2) === 0;
    const given = isCast ? g.node('Cast', [x], { to: int(dtypeCodes.float32) }) : x;
    const attributes = { cats_int64s: ints(0, 7, -3), zeros: int(1) };
    const output = { dtype: 'float32', shape: [4, 3] } as const;
    return form(g, 'OneHotEncoder', [given], attributes, output, { x: [-4, 8] }, FEATURES);
  },
  LabelEncoder: (r) => {
    const g = new GraphWriter();
    const attributes = {
      keys_int64s: ints(0, 7, -3),
      values_int64s: ints(5, between(r, -9, 9), 100),
      default_int64: int(between(r, -9, 9)),
    };
    const inputs = [g.input('x', 'int64', [4])];
    return form(
      g,
      'LabelEncoder',
      inputs,
      attributes,
      { dtype: 'int64', shape: [4] },
      { x: [-4, 8] },
      FEATURES,
    );
  },
  Imputer: (r) => {
    const g = new GraphWriter();
    const attributes = {
      imputed_value_int64s: r.pick([ints(9), ints(1, 2, 3)]),
      replaced_value_int64: int(4),
    };
    const inputs = [g.input('x', 'int64', [2, 3])];
    return form(g, 'Imputer', inputs, attributes, { dtype: 'int64', shape: [2, 3] }, { x: [3, 5] }, FEATURES);
  },
  ArrayFeatureExtractor: () => {
    const g = new GraphWriter();
    const inputs = [g.input('x', 'int64', [2, 4]), g.constant('int64', [3], [3, 0, 3])];
    return form(g, 'ArrayFeatureExtractor', inputs, {}, { dtype: 'int64', shape: [2, 3] }, {}, FEATURES);
  },
  FeatureVectorizer: () => {
    const g = new GraphWriter();
    const inputs = [g.input('x', 'int64', [2, 3]), g.input('y', 'int64', [2, 1])];
    const attributes = { inputdimensions: ints(3, 1) };
    return form(
      g,
      'FeatureVectorizer',
      inputs,
      attributes,
      { dtype: 'float32', shape: [2, 4] },
      {},
      FEATURES,
    );
  },
};

async function proveForm(t: { true(value: boolean, why?: string): unknown }, drawn: Form, r: Random) {
  const { graph, ranges = {} } = drawn;
  const imported = importModel(encodeGraph(graph));
  const model = compile(imported.graph, { inputMode: 'public' });
  const { undetermined } = checkUniqueness(model.r1cs, { givenWires: model.givenWires });
  t.true(undetermined.length === 0, 'every wire is determined');
  const inputs = new Map(
    graph.inputs.map(({ name, dtype, shape }) => {
      const [low, high] = ranges[name] ?? carriedRanges[dtype]!;
      return [
        name,
        integers(
          r,
          shape.reduce((p, q) => p * q, 1),
          low,
          high,
        ),
      ];
    }),
  );
  const { witness } = model.computeWitness({ inputs, ctx: 3n, salt: 0n });
  t.true(check(model.r1cs, witness, { labels: model.labels }).ok, 'the witness satisfies');
  const executed = await runtimeOutputs(imported.executedGraph, inputs);
  return { model, witness, executed, uploaded: await runtimeOutputs(graph, inputs), inputs };
}

for (const [name, draw] of Object.entries(forms)) {
  test(`C23 C01 ${name} on integers: proven, executed and uploaded agree, and no wire is free`, async (t) => {
    const r = random(seedFrom(t.log));
    for (let k = 0; k < DRAWS; k++) {
      const { model, witness, executed, uploaded, inputs } = await proveForm(t, draw(r), r);
      t.deepEqual(executed, uploaded, `draw ${k}`);
      const [integersOut] = model.reference(inputs).values();
      // Floats that leave the graph are the proven integers, cast.
      const cast = model.manifest.results[0].dtype === 'float32' ? Math.fround : Number;
      if (executed.every(Number.isInteger)) t.deepEqual(Array.from(integersOut, cast), executed, `draw ${k}`);
      if (k > 0) continue;
      const { accepted } = mutateWires(model.r1cs, model.program, witness, r);
      const unexplained = accepted.filter(
        ({ label, lie }) => !/is-zero inverse/.test(label) && !(label === 'context/ctx' && lie === 'negated'),
      );
      t.deepEqual(unexplained, []);
    }
  });
}

test('finding-27: an int32 reduction beyond its type, where kernels saturate or not, has no proof', (t) => {
  for (const type of ['ReduceSum', 'ReduceProd', 'ReduceMean', 'ReduceL1', 'ReduceSumSquare']) {
    const g = new GraphWriter();
    const inputs = [g.input('x', 'int32', [2]), g.constant('int64', [1], [0])];
    const { graph } = form(g, type, inputs, { keepdims: int(0) }, { dtype: 'int32', shape: [] });
    const model = compile(importModel(encodeGraph(graph)).graph, { inputMode: 'public' });
    const given = new Map([['x', Int32Array.of(2 ** 31 - 1, 2 ** 31 - 1)]]);
    t.throws(() => model.reference(given), { instanceOf: InputRefused }, type);
    const { witness } = model.computeWitness({ inputs: given, ctx: 3n, salt: 0n });
    t.false(check(model.r1cs, witness).ok, type);
  }
});

/** Each must be refused, and the refusal says what was wrong where. */
const refusals: Readonly<Record<string, readonly [(g: GraphWriter) => Form, RegExp]>> = {
  'zeros = 0': [
    (g) =>
      form(
        g,
        'OneHotEncoder',
        [g.input('x', 'int64', [2])],
        { cats_int64s: ints(0, 1), zeros: int(0) },
        { dtype: 'float32', shape: [2, 2] },
        {},
        FEATURES,
      ),
    /OneHotEncoder\): zeros must be 1, got 0/,
  ],
  'a category twice': [
    (g) =>
      form(
        g,
        'OneHotEncoder',
        [g.input('x', 'int64', [2])],
        { cats_int64s: ints(1, 1) },
        { dtype: 'float32', shape: [2, 2] },
        {},
        FEATURES,
      ),
    /cats_int64s must be unique/,
  ],
  'a sum of bytes': [
    (g) =>
      form(
        g,
        'ReduceSum',
        [g.input('x', 'int8', [2]), g.constant('int64', [1], [0])],
        {},
        { dtype: 'int8', shape: [1] },
      ),
    /ReduceSum\): dtype must be int32, uint32, int64, uint64, got int8/,
  ],
};

for (const [what, [build, expected]] of Object.entries(refusals)) {
  test(`C18 ${what} is refused, with node, attribute, expected and got`, (t) => {
    const { graph } = build(new GraphWriter());
    const error = t.throws(() => importModel(encodeGraph(graph)), { instanceOf: ModelRefused });
    t.regex(error.message, expected);
  });
}

test('C23 a QONNX net (Brevitas): weights, activations and bits of its Quant nodes are what the formula says', async (t) => {
  const r = random(seedFrom(t.log));
  const g = new GraphWriter();
  const x = g.input('x', 'float32', [1, 4]);
  const quant = (value: string, scale: readonly number[], bits: number, signed: number, narrow: number) =>
    g.node(
      'Quant',
      [
        value,
        g.constant('float32', scale.length > 1 ? [scale.length, 1] : [], scale),
        g.scale(0),
        g.scale(bits),
      ],
      { signed: int(signed), narrow: int(narrow), rounding_mode: text('ROUND') },
      'onnx.brevitas',
    );
  const weights = Array.from({ length: 12 }, () => (between(r, -100, 100) / 64) * 0.37);
  const scales = [0.05, 0.11, 0.07].map(Math.fround);
  const w = quant(g.constant('float32', [3, 4], weights), scales, 4, 1, 1);
  const a = quant(x, [0.25], 8, 1, 0);
  const y = g.node('Gemm', [a, w], { transB: int(1) });
  const z = quant(g.node('Relu', [y]), [0.125], 4, 0, 0);
  const graph = {
    ...g.finish([{ name: z, dtype: 'float32' as const, shape: [1, 3] }]),
    opsets: new Map([
      ['', 13],
      ['onnx.brevitas', 1],
    ]),
  };
  const model = compile(importModel(encodeGraph(graph)).graph, { inputMode: 'public' });
  const fake = (value: number, scale: number, low: number, high: number) => {
    const whole = Math.round(value / scale);
    const even =
      Math.abs(value / scale - Math.trunc(value / scale)) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole;
    return Math.min(Math.max(even, low), high);
  };
  for (let k = 0; k < 20; k++) {
    const values = Array.from({ length: 4 }, () => between(r, -400, 400) / 10);
    const inputs = model.quantizeInput({ x: values });
    const { witness, outputs } = model.computeWitness({ inputs, ctx: 3n, salt: 0n });
    t.true(check(model.r1cs, witness).ok);
    const expected = scales.map((scale, row) => {
      let sum = 0;
      values.forEach((value, i) => {
        sum +=
          fake(Math.fround(value), 0.25, -128, 127) * fake(Math.fround(weights[row * 4 + i]), scale, -7, 7);
      });
      return fake(sum * 0.25 * scale, 0.125, 0, 15);
    });
    const [got] = outputs.values();
    // float32 decides ties that a double does not see.
    t.true(Array.from(got).every((value, i) => Math.abs(value - expected[i]) <= 1));
    t.true(
      Array.from(got).filter((value, i) => value !== expected[i]).length <= 1,
      `${got.join()} ${expected.join()}`,
    );
  }
});

/** x + y of two quantized inputs, quantized. */
function quantizedSum(type: string, dtype: Dtype, scales: readonly number[], count = 2): Graph {
  const g = new GraphWriter();
  const floats = Array.from({ length: count }, (_, i) =>
    g.node('DequantizeLinear', [g.input(`x${i}`, dtype, [64]), g.scale(scales[i]), g.zeroPoint(dtype, 0)]),
  );
  const sum = g.node(type, floats);
  const y = g.node('QuantizeLinear', [sum, g.scale(scales[count]), g.zeroPoint(dtype, 0)]);
  return { ...g.finish([{ name: y, dtype, shape: [64] }]), opsets: new Map([['', 21]]) };
}

test('C23 a sum whose decimal scales make ties is computed in integers, and differs from the upload by a step at most', async (t) => {
  const r = random(seedFrom(t.log));
  const decimal = [0.0237, 0.0171, 0.011, 0.031].map(Math.fround);
  for (const [type, count] of [
    ['Add', 2],
    ['Sub', 2],
    ['Sum', 3],
    ['Mean', 3],
  ] as const) {
    const scales = count === 2 ? [decimal[0], decimal[1], decimal[3]] : decimal;
    const graph = quantizedSum(type, 'int8', scales, count);
    const imported = importModel(encodeGraph(graph));
    t.true(
      imported.notes.some((note) => /\d+ of 65536 operand tuples differ/.test(note)),
      imported.notes.join(),
    );
    const { model, witness, executed, uploaded, inputs } = await proveForm(t, { graph }, r);
    const [reference] = model.reference(inputs).values();
    t.deepEqual(Array.from(reference), executed);
    t.true(
      executed.every((value, i) => Math.abs(value - uploaded[i]) <= 1),
      type,
    );
    t.deepEqual(
      mutateWires(model.r1cs, model.program, witness, r).accepted.filter(
        ({ label }) => label !== 'context/ctx',
      ),
      [],
    );
  }
});

test('finding-25: a sum of 16-bit values is refused, not tried at every one of 2^32 pairs', (t) => {
  const graph = quantizedSum('Add', 'int16', [0.5, 0.25, 0.5]);
  const error = t.throws(() => importModel(encodeGraph(graph)), { instanceOf: ModelRefused });
  t.regex(error.message, /Add\): operand dtype must be int8 or uint8, got int16/);
});

test('finding-26: a quotient of two quantized values that can be 0/0 is refused as such', (t) => {
  const graph = quantizedSum('Div', 'int8', [0.5, 0.25, 0.5]);
  const error = t.throws(() => importModel(encodeGraph(graph)), { instanceOf: ModelRefused });
  t.regex(error.message, /Div\): value at 0, 0 must be a number, got NaN/);
});
