/**
 * Tree ensembles: integer scores equal ONNX Runtime's on the executed graph, labels equal those of the uploaded file,
 * scores lie within the stated bound of it, and every witness satisfies the circuit.
 */
import test, { type ExecutionContext } from 'ava';
import * as ort from 'onnxruntime-node';
import { check, compile } from '../../../circuits/index.js';
import { InputRefused, ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { floatOfOrder, ORDERED_RANGE, orderedFloat } from '../../../circuits/ordered-float.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, Graph } from '../../../circuits/onnx/graph.js';
import { openSession } from '../../../circuits/quantize/calibrate.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { runTreeCampaign } from './tree-campaign.js';
import { SeededRandom } from '../../../models/train/random.js';
import { traceRuntime } from '../../../service/audit/replay.js';

interface ForestShape {
  readonly trees: number;
  readonly depth: number;
  readonly features: number;
  /** Scores a leaf; 1 class id only for a two-class ensemble with one score. */
  readonly targets: number;
  readonly classifier?: boolean;
  readonly mode?: string;
  readonly positive?: boolean;
  readonly transform?: string;
  readonly labels?: readonly number[];
}

const ints = (value: number[]): AttributeValue => ({ kind: 'ints', value });
const floats = (value: number[]): AttributeValue => ({ kind: 'floats', value });

/** Full binary trees with random thresholds, many of them shared. */
function forest(random: SeededRandom, shape: ForestShape): Graph {
  const { trees, depth, features, targets, classifier = false, mode = 'BRANCH_LEQ' } = shape;
  const treeIds: number[] = [];
  const nodeIds: number[] = [];
  const modes: string[] = [];
  const featureIds: number[] = [];
  const values: number[] = [];
  const yes: number[] = [];
  const no: number[] = [];
  const leaves = {
    trees: [] as number[],
    nodes: [] as number[],
    ids: [] as number[],
    weights: [] as number[],
  };
  for (let tree = 0; tree < trees; tree++)
    for (let node = 0; node < 2 ** (depth + 1) - 1; node++) {
      const isLeaf = node >= 2 ** depth - 1;
      treeIds.push(tree);
      nodeIds.push(node);
      modes.push(isLeaf ? 'LEAF' : mode);
      featureIds.push(isLeaf ? 0 : Math.floor(random.between(0, features)));
      values.push(isLeaf ? 0 : Math.fround(Math.round(random.between(-300, 300)) / 100));
      yes.push(isLeaf ? 0 : 2 * node + 1);
      no.push(isLeaf ? 0 : 2 * node + 2);
      for (let target = 0; isLeaf && target < targets; target++) {
        leaves.trees.push(tree);
        leaves.nodes.push(node);
        leaves.ids.push(target);
        leaves.weights.push(Math.fround(random.between(shape.positive ? 0 : -1, 1) / trees));
      }
    }
  const prefix = classifier ? 'class' : 'target';
  const labels = shape.labels ?? Array.from({ length: Math.max(2, targets) }, (_, i) => i);
  const attributes = new Map<string, AttributeValue>([
    ['nodes_treeids', ints(treeIds)],
    ['nodes_nodeids', ints(nodeIds)],
    ['nodes_modes', { kind: 'strings', value: modes }],
    ['nodes_featureids', ints(featureIds)],
    ['nodes_values', floats(values)],
    ['nodes_truenodeids', ints(yes)],
    ['nodes_falsenodeids', ints(no)],
    [`${prefix}_treeids`, ints(leaves.trees)],
    [`${prefix}_nodeids`, ints(leaves.nodes)],
    [`${prefix}_ids`, ints(leaves.ids)],
    [`${prefix}_weights`, floats(leaves.weights)],
    ['post_transform', { kind: 'string', value: shape.transform ?? 'NONE' }],
    ...(classifier
      ? ([['classlabels_int64s', ints([...labels])]] as const)
      : ([['n_targets', { kind: 'int', value: targets }]] as const)),
  ]);
  return {
    opsets: new Map([
      ['', 13],
      ['ai.onnx.ml', 1],
    ]),
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, features] }],
    outputs: classifier
      ? [
          { name: 'label', dtype: 'int64', shape: [1] },
          { name: 'scores', dtype: 'float32', shape: [1, labels.length] },
        ]
      : [{ name: 'scores', dtype: 'float32', shape: [1, targets] }],
    constants: new Map(),
    nodes: [
      {
        name: 'forest',
        domain: 'ai.onnx.ml',
        type: classifier ? 'TreeEnsembleClassifier' : 'TreeEnsembleRegressor',
        inputs: ['x'],
        outputs: classifier ? ['label', 'scores'] : ['scores'],
        attributes,
      },
    ],
  };
}

async function agrees(
  t: ExecutionContext,
  random: SeededRandom,
  graph: Graph,
  tolerance: number,
): Promise<void> {
  const bytes = encodeGraph(graph);
  const { graph: proven, executedModel } = importModel(bytes);
  const model = compile(proven);
  const name = model.manifest.outputs[0]!.name;
  const [uploaded, executed] = [await openSession(bytes), await openSession(executedModel)];
  const features = graph.inputs[0]!.shape[1]!;
  for (let sample = 0; sample < 100; sample++) {
    // Half of the values sit on a threshold or next to one.
    const x = Float32Array.from({ length: features }, () => {
      const value = Math.fround(Math.round(random.between(-350, 350)) / 100);
      return random.next() < 0.5 ? value : value + random.between(-1e-6, 1e-6);
    });
    const inputs = model.quantizeInput({ x });
    const ours = model.reference(inputs).get(name)!;
    const feeds = { x: new ort.Tensor('float32', x, [1, features]) };
    const [original, returned] = [await uploaded.run(feeds), await executed.run(feeds)];
    t.deepEqual(Array.from(ours), Array.from(returned[name]!.data as Int32Array));
    if (original['label'])
      t.deepEqual(
        [...(original['label'].data as BigInt64Array)],
        [...(returned['label']!.data as BigInt64Array)],
      );
    (original['scores']!.data as Float32Array).forEach((score, k) =>
      t.true(Math.abs(score - (returned['scores']!.data as Float32Array)[k]!) <= tolerance),
    );
    if (sample >= 3) continue;
    const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
    t.deepEqual(check(model.r1cs, witness), { ok: true });
    t.deepEqual(Array.from(outputs.get(name)!), Array.from(ours));
  }
  t.deepEqual(checkUniqueness(model.r1cs, { givenWires: model.givenWires }).undetermined, []);
}

for (const mode of ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT'])
  test(`regressor with two targets, ${mode}`, async (t) => {
    const random = new SeededRandom(mode.length);
    await agrees(t, random, forest(random, { trees: 5, depth: 3, features: 4, targets: 2, mode }), 1e-5);
  });

for (const transform of ['NONE', 'SOFTMAX', 'LOGISTIC'])
  test(`classifier with three classes, ${transform}`, async (t) => {
    const random = new SeededRandom(11);
    const shape = {
      trees: 6,
      depth: 3,
      features: 5,
      targets: 3,
      classifier: true,
      transform,
      labels: [7, -2, 40],
    };
    await agrees(t, random, forest(random, shape), 1e-5);
  });

for (const [positive, transform] of [
  [true, 'NONE'],
  [false, 'NONE'],
  [false, 'LOGISTIC'],
] as const)
  test(`two classes from one score, ${positive ? 'positive' : 'signed'} weights, ${transform}`, async (t) => {
    const random = new SeededRandom(12);
    const shape = { trees: 6, depth: 3, features: 5, targets: 1, classifier: true, positive, transform };
    await agrees(t, random, forest(random, shape), 1e-5);
  });

test('100 trees of depth 6 on 30 features take at most 20,000 rows', (t) => {
  const graph = forest(new SeededRandom(5), {
    trees: 100,
    depth: 6,
    features: 30,
    targets: 2,
    classifier: true,
  });
  const { r1cs } = compile(importModel(encodeGraph(graph)).graph);
  t.log(`${r1cs.constraintCount} rows`);
  t.true(r1cs.constraintCount <= 20000);
});

test('orderedFloat keeps the order of float32, and both zeros are one', (t) => {
  const random = new SeededRandom(8);
  const values = Array.from({ length: 2000 }, () =>
    Math.fround((random.next() - 0.5) * 10 ** random.between(-40, 38)),
  );
  for (const a of values.slice(0, 100))
    for (const b of values) t.is(Math.sign(orderedFloat(a) - orderedFloat(b)), Math.sign(a - b));
  t.is(orderedFloat(-0), orderedFloat(0));
});

test('finding-10: a replay feeds ONNX Runtime the floats that the ordered integers of a forest stand for', async (t) => {
  for (const x of [0, 1, -1, 3.25, -7e-40, 2 ** -149, -(2 ** -149), 3.4028234663852886e38, -1.5e-38])
    t.is(floatOfOrder(orderedFloat(Math.fround(x))), Math.fround(x));
  const imported = importModel(
    encodeGraph(forest(new SeededRandom(4), { trees: 5, depth: 3, features: 4, targets: 2 })),
  );
  const model = compile(imported.graph);
  const inputs = model.quantizeInput({ x: [0.5, -1.25, 2.75, -0.01] });
  const trace = await traceRuntime(imported, model.manifest, inputs);
  const [{ name }] = model.manifest.outputs;
  const scores = trace.find((tensor) => tensor.name === name)!;
  t.deepEqual(Array.from(scores.values, Number), [...model.reference(inputs).get(name)!]);
});

test('finding-33: an integer that is the place of no float is no input of a forest, and has no proof', async (t) => {
  // Between +∞ and NaN, above NaN or below −∞ the circuit saw a number where ONNX Runtime is fed a NaN, or −0.
  const [low, high] = ORDERED_RANGE;
  const ends = [low, low + 1, -1, 0, 1, 0x7f7fffff, high - 1, high];
  for (const order of ends) t.is(orderedFloat(floatOfOrder(order)), order);
  const graph = forest(new SeededRandom(33), { trees: 3, depth: 2, features: 1, targets: 1 });
  const [node] = graph.nodes;
  const tracked = new Map(node!.attributes).set(
    'nodes_missing_value_tracks_true',
    ints(new Array<number>(21).fill(1)),
  );
  const bytes = encodeGraph({ ...graph, nodes: [{ ...node!, attributes: tracked }] });
  const imported = importModel(bytes);
  const model = compile(imported.graph);
  t.deepEqual(model.manifest.inputs[0]!.range, ORDERED_RANGE);
  const [{ name }] = model.manifest.outputs;
  const proven = (order: number) => {
    const given = { tensors: new Map([['x', Int32Array.of(order)]]), ctx: 1n, salt: 2n };
    return check(model.r1cs, model.program.compact(model.program.assign(given))).ok;
  };
  for (const order of ends) {
    const inputs = new Map([['x', Int32Array.of(order)]]);
    const trace = await traceRuntime(imported, model.manifest, inputs);
    const answer = Array.from(trace.find((tensor) => tensor.name === name)!.values, Number);
    t.deepEqual([...model.reference(inputs).get(name)!], answer, String(order));
    t.true(proven(order), String(order));
  }
  for (const order of [low - 1, -0x7fc00000, -(2 ** 31), high + 1, 0x7fc00000, 2 ** 31 - 1]) {
    const inputs = new Map([['x', Int32Array.of(order)]]);
    t.throws(() => model.reference(inputs), { instanceOf: InputRefused });
    t.false(proven(order), String(order));
  }
});

test('numbers beyond float32 are refused as inputs, odd trees as models', (t) => {
  const graph = forest(new SeededRandom(1), { trees: 1, depth: 1, features: 1, targets: 1 });
  const model = compile(importModel(encodeGraph(graph)).graph);
  t.throws(() => model.quantizeInput({ x: [1e39] }), { instanceOf: InputRefused });
  t.deepEqual(
    [NaN, Infinity, -Infinity].map((x) => model.quantizeInput({ x: [x] }).get('x')![0]),
    [0x7f800001, 0x7f800000, -0x7f800000],
  );
  const node = graph.nodes[0]!;
  const changed = (name: string, value: AttributeValue): Uint8Array =>
    encodeGraph({ ...graph, nodes: [{ ...node, attributes: new Map(node.attributes).set(name, value) }] });
  const refusals = [
    changed('nodes_truenodeids', ints([0, 0, 0])),
    changed('nodes_falsenodeids', ints([1, 0, 0])),
    changed('nodes_featureids', ints([3, 0, 0])),
    changed('nodes_modes', { kind: 'strings', value: ['BRANCH_NEAR', 'LEAF', 'LEAF'] }),
    changed('target_nodeids', ints([0, 2])),
    changed('target_nodeids', ints([1, 1])),
    changed('aggregate_function', { kind: 'string', value: 'MEDIAN' }),
    changed('post_transform', { kind: 'string', value: 'TANH' }),
    changed('nodes_values', floats([NaN, 0, 0])),
    changed('nodes_missing_value_tracks_true', ints([1])),
  ];
  for (const bytes of refusals) t.throws(() => importModel(bytes), { instanceOf: ModelRefused });
});

test('every mode, aggregate, transform, label rule, missing value and set: integers, labels and scores are ONNX Runtime’s', async (t) => {
  const tally = await runTreeCampaign({ seed: 1, forests: 80, samples: 15, witnesses: 1 });
  t.deepEqual(tally.failures, []);
  t.is(tally.wrongLabels, 0);
  t.true(tally.refused < 5, 'few rules depend on the leaf');
});
