/** Trees that an exporter wrote as matrix products or as gathers become trees again, equal on every sample. */
import test, { type ExecutionContext } from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { compile } from '../../../circuits/index.js';
import { importModel } from '../../../circuits/import/import.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../../../circuits/onnx/graph.js';
import { openSession, toOrtTensor } from '../../../circuits/quantize/calibrate.js';
import { asForest } from '../../../circuits/quantize/decision-graph.js';
import { quantizeModel } from '../../../circuits/quantize/index.js';
import { SeededRandom } from '../../../models/train/random.js';

const FEATURES = 5;
const DEPTH = 3;
const LEAVES = 2 ** DEPTH;
const TREES = 4;
const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-45];

class Exported {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, ConstantTensor>();
  constructor(readonly random: SeededRandom) {}

  floats(shape: number[], values: readonly number[]): string {
    return this.constant({ dtype: 'float32', shape, data: Float32Array.from(values) });
  }

  doubles(shape: number[], values: readonly number[]): string {
    return this.constant({ dtype: 'float64', shape, data: Float64Array.from(values) });
  }

  integers(shape: number[], values: readonly number[]): string {
    return this.constant({ dtype: 'int64', shape, data: BigInt64Array.from(values, BigInt) });
  }

  add(type: string, inputs: string[], attributes: Record<string, number> = {}): string {
    const name = `n${this.nodes.length}_${type}`;
    const own = Object.entries(attributes).map(([key, value]): [string, AttributeValue] => [
      key,
      { kind: 'int', value },
    ]);
    this.nodes.push({ name, domain: '', type, inputs, outputs: [name], attributes: new Map(own) });
    return name;
  }

  graph(output: string, shape: number[], dtype: 'float32' | 'int64' = 'float32'): Graph {
    return {
      opsets: new Map([['', 13]]),
      inputs: [{ name: 'x', dtype: 'float32', shape: [1, FEATURES] }],
      outputs: [{ name: output, dtype, shape }],
      constants: this.constants,
      nodes: this.nodes,
    };
  }

  number(low: number, high: number): number {
    return Math.fround(Math.round(this.random.between(low, high) * 8) / 8);
  }

  private constant(tensor: ConstantTensor): string {
    const name = `c${this.constants.size}`;
    this.constants.set(name, tensor);
    return name;
  }
}

const many = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i));

/** Every comparison at once, paths as a matrix product, leaves as another. */
function asProducts(comparison: string, isDouble = false): Graph {
  const net = new Exported(new SeededRandom(comparison.length));
  const inner = LEAVES - 1;
  const features = many(inner, () => Math.floor(net.random.between(0, FEATURES)));
  const x = isDouble ? net.add('Cast', ['x'], { to: 11 }) : 'x';
  const picked = net.add('Gather', [x, net.integers([inner], features)], { axis: 1 });
  const numbers = many(inner, () => net.number(-2, 2));
  // A double between two float32 neighbours, just above or below a value that the samples take.
  const near = numbers.map((value, i) => value + [0, 1e-12, -1e-12][i % 3]!);
  const cuts = isDouble ? net.doubles([inner], near) : net.floats([inner], numbers);
  const bits = net.add('Cast', [net.add(comparison, [picked, cuts])], { to: 1 });
  const paths = new Array<number>(inner * LEAVES).fill(0);
  const counts = new Array<number>(LEAVES).fill(0);
  for (let leaf = 0; leaf < LEAVES; leaf++)
    for (let node = leaf + inner; node > 0; node = (node - 1) >> 1) {
      const [parent, isYes] = [(node - 1) >> 1, node % 2 === 1];
      paths[parent * LEAVES + leaf] = isYes ? 1 : -1;
      if (isYes) counts[leaf]!++;
    }
  const sums = net.add('MatMul', [bits, net.floats([inner, LEAVES], paths)]);
  const reached = net.add('Cast', [net.add('Equal', [sums, net.floats([LEAVES], counts)])], { to: 1 });
  const values = net.floats(
    [LEAVES, 2],
    many(LEAVES * 2, () => net.number(-3, 3)),
  );
  return net.graph(net.add('MatMul', [reached, values]), [1, 2]);
}

/** Level by level: the place in the next level is twice the place in this one, plus the comparison. */
function asGathers(): Graph {
  const net = new Exported(new SeededRandom(9));
  let place = net.integers(
    [TREES],
    many(TREES, (tree) => tree),
  );
  for (let level = 0; level < DEPTH; level++) {
    const size = TREES * 2 ** level;
    const features = net.integers(
      [size],
      many(size, () => Math.floor(net.random.between(0, FEATURES))),
    );
    const cuts = net.floats(
      [size],
      many(size, () => net.number(-2, 2)),
    );
    const at = net.add('Reshape', [net.add('Gather', [features, place]), net.integers([2], [1, TREES])]);
    const value = net.add('GatherElements', ['x', at], { axis: 1 });
    const flat = net.add('Reshape', [value, net.integers([1], [TREES])]);
    const isBelow = net.add('Less', [flat, net.add('Gather', [cuts, place])]);
    const step = net.add('Cast', [net.add('Not', [isBelow])], { to: 7 });
    place = net.add('Add', [net.add('Mul', [place, net.integers([], [2])]), step]);
  }
  const size = TREES * LEAVES;
  const leaves = net.floats(
    [size, 3],
    many(size * 3, () => net.number(-3, 3)),
  );
  const sum = net.add('ReduceSum', [net.add('Gather', [leaves, place]), net.integers([1], [0])], {
    keepdims: 1,
  });
  return net.graph(net.add('ArgMax', [sum], { axis: 1, keepdims: 0 }), [1], 'int64');
}

async function agrees(t: ExecutionContext, graph: Graph): Promise<void> {
  const random = new SeededRandom(31);
  const sample = (): Map<string, ConstantTensor> => {
    const data = Float32Array.from({ length: FEATURES }, () =>
      random.next() < 0.2
        ? SPECIAL[Math.floor(random.between(0, SPECIAL.length))]!
        : Math.round(random.between(-2.5, 2.5) * 8) / 8,
    );
    return new Map([['x', { dtype: 'float32', shape: [1, FEATURES], data }]]);
  };
  t.truthy(asForest(graph), 'the graph is a forest');
  const bytes = encodeGraph(graph);
  const { model, report } = await quantizeModel(bytes, [sample()]);
  t.is(report.refusal, null);
  const imported = importModel(model);
  const compiled = compile(imported.graph);
  t.deepEqual(
    compiled.manifest.inputs.map(({ encoding }) => encoding),
    ['ordered-float32'],
  );
  const [uploaded, executed] = [await openSession(bytes), await openSession(imported.executedModel)];
  const output = graph.outputs[0]!.name;
  for (let i = 0; i < 200; i++) {
    const x = sample().get('x')!;
    const feeds = { x: toOrtTensor(x) };
    const [expected, got] = [await uploaded.run(feeds), await executed.run(feeds)];
    t.is(String(got[output]!.data), String(expected[output]!.data), String(x.data));
    const name = compiled.manifest.outputs[0]!.name;
    const reference = compiled.reference(compiled.quantizeInput({ x: x.data as Float32Array })).get(name)!;
    t.is(String(reference), String(got[name]!.data));
  }
}

for (const comparison of ['Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'])
  for (const isDouble of [false, true])
    test(`a tree of ${comparison} as matrix products${isDouble ? ', thresholds in double' : ''}`, async (t) =>
      agrees(t, asProducts(comparison, isDouble)));

test('four trees as gathers, level by level, and their label', async (t) => agrees(t, asGathers()));

test('a graph that uses its input otherwise is no forest', (t) => {
  const net = new Exported(new SeededRandom(2));
  const bits = net.add(
    'Cast',
    [
      net.add('Less', [
        'x',
        net.floats(
          [FEATURES],
          many(FEATURES, () => 0),
        ),
      ]),
    ],
    { to: 1 },
  );
  t.is(asForest(net.graph(net.add('Mul', [bits, 'x']), [1, FEATURES])), undefined);
});

test('double precision elsewhere is refused by name', async (t) => {
  const net = new Exported(new SeededRandom(3));
  const x = net.add('Cast', ['x'], { to: 11 });
  const w = net.doubles(
    [FEATURES, 2],
    many(FEATURES * 2, () => 0.5),
  );
  const bytes = encodeGraph(net.graph(net.add('Cast', [net.add('MatMul', [x, w])], { to: 1 }), [1, 2]));
  t.regex(t.throws(() => importModel(bytes), { instanceOf: ModelRefused })!.message, /float32, got float64/);
  const data = new Float32Array(FEATURES);
  const sample = new Map<string, ConstantTensor>([['x', { dtype: 'float32', shape: [1, FEATURES], data }]]);
  await t.throwsAsync(quantizeModel(bytes, [sample]), { instanceOf: ModelRefused });
});

test('finding-21: counts become truth values where the file casts them, and integers keep their own division', async (t) => {
  const counted = (finish: (net: Exported, count: string) => string): Graph => {
    const net = new Exported(new SeededRandom(2));
    const zeros = many(FEATURES, () => 0);
    const bits = net.add('Cast', [net.add('Less', ['x', net.floats([FEATURES], zeros)])], { to: 7 });
    const count = net.add('ReduceSum', [bits, net.integers([1], [1])], { keepdims: 1 });
    return net.graph(net.add('Cast', [finish(net, count)], { to: 1 }), [1, 1]);
  };
  await agrees(
    t,
    counted((net, count) => net.add('Cast', [count], { to: 9 })),
  );
  await agrees(
    t,
    counted((net, count) => net.add('Cast', [count], { to: 6 })),
  );
  t.is(asForest(counted((net, count) => net.add('Div', [count, net.integers([1], [2])]))), undefined);
  const wrapped = (net: Exported, count: string) =>
    net.add('Cast', [net.add('Sub', [count, net.integers([1], [1])])], { to: 2 });
  t.is(asForest(counted(wrapped)), undefined);
});
