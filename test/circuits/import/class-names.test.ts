/** ZipMap and string labels are taken off, named in the manifest, and change no number that ONNX Runtime returns. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import test from 'ava';
import { ModelProtoSchema, TensorProto_DataType, TypeProtoSchema } from 'onnx-buf';
import * as ort from 'onnxruntime-node';
import { answersOf, ANSWERS_KEY } from '../../../circuits/answer-record.js';
import { ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { check, compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, Graph, GraphNode } from '../../../circuits/onnx/graph.js';
import { openSession } from '../../../circuits/quantize/calibrate.js';
import { quantizeModel } from '../../../circuits/quantize/index.js';
import { SeededRandom } from '../../../models/train/random.js';

const ints = (value: number[]): AttributeValue => ({ kind: 'ints', value });
const floats = (value: number[]): AttributeValue => ({ kind: 'floats', value });
const strings = (value: string[]): AttributeValue => ({ kind: 'strings', value });
const classes = ['setosa', 'versicolor', 'virginica'];
const classNames = ['classlabels_strings', strings(classes)] as const;

function ml(type: string, inputs: string[], outputs: string[], attributes: [string, AttributeValue][]) {
  return { name: type, domain: 'ai.onnx.ml', type, inputs, outputs, attributes: new Map(attributes) };
}

function graphOf(nodes: GraphNode[]): Graph {
  return {
    opsets: new Map([
      ['', 13],
      ['ai.onnx.ml', 1],
    ]),
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, 2] }],
    outputs: [],
    constants: new Map(),
    nodes,
  };
}

/** Two trees that split on x[0] and on x[1], each leaf with weights for three classes. */
function trees(labels: readonly (readonly [string, AttributeValue])[]): GraphNode {
  const leaves = [1, 2, 1, 2].flatMap((leaf, i) => [0, 1, 2].map((id) => ({ tree: i >> 1, leaf, id })));
  const weights = [0.5, 0.25, 0.125, 0, 0.25, 0.75, 0.125, 0.5, 0, 0.375, 0.25, 0.5];
  return ml('TreeEnsembleClassifier', ['x'], ['label', 'probabilities'], [
    ['nodes_treeids', ints([0, 0, 0, 1, 1, 1])],
    ['nodes_nodeids', ints([0, 1, 2, 0, 1, 2])],
    ['nodes_modes', strings(['BRANCH_LEQ', 'LEAF', 'LEAF', 'BRANCH_LEQ', 'LEAF', 'LEAF'])],
    ['nodes_featureids', ints([0, 0, 0, 1, 0, 0])],
    ['nodes_values', floats([0.5, 0, 0, -0.25, 0, 0])],
    ['nodes_truenodeids', ints([1, 0, 0, 1, 0, 0])],
    ['nodes_falsenodeids', ints([2, 0, 0, 2, 0, 0])],
    ['class_treeids', ints(leaves.map(({ tree }) => tree))],
    ['class_nodeids', ints(leaves.map(({ leaf }) => leaf))],
    ['class_ids', ints(leaves.map(({ id }) => id))],
    ['class_weights', floats(weights)],
    ['post_transform', { kind: 'string', value: 'NONE' }],
    ...labels,
  ] as [string, AttributeValue][]);
}

const zipMap = (labels: readonly [string, AttributeValue]): GraphNode =>
  ml('ZipMap', ['probabilities'], ['output_probability'], [[...labels]]);
/** As sklearn-onnx declares it: labels as text or integers, probabilities as a sequence of maps. */
function zipped(nodes: GraphNode[]): Uint8Array {
  const model = fromBinary(
    ModelProtoSchema,
    encodeGraph(graphOf(nodes), { observed: ['label', 'output_probability'] }),
  );
  const tensor = (elemType: TensorProto_DataType) =>
    create(TypeProtoSchema, { value: { case: 'tensorType', value: { elemType } } });
  const map = create(TypeProtoSchema, {
    value: {
      case: 'mapType',
      value: { keyType: TensorProto_DataType.STRING, valueType: tensor(TensorProto_DataType.FLOAT) },
    },
  });
  const [label, probabilities] = model.graph!.output;
  label!.type = tensor(TensorProto_DataType.STRING);
  probabilities!.type = create(TypeProtoSchema, {
    value: { case: 'sequenceType', value: { elemType: map } },
  });
  return toBinary(ModelProtoSchema, model);
}
const plain = (nodes: GraphNode[]): Uint8Array =>
  encodeGraph(graphOf(nodes), { observed: ['label', 'probabilities'] });

for (const [kind, labels] of [
  ['string', classNames],
  ['integer', ['classlabels_int64s', ints([30, 10, 20])]],
] as const)
  test(`a forest with ${kind} labels and a ZipMap: labels and probabilities are those of the file`, async (t) => {
    const { graph, executedModel } = importModel(zipped([trees([labels]), zipMap(labels)]));
    const model = compile(graph);
    t.deepEqual(
      model.manifest.results.map(({ name }) => name),
      ['label', 'probabilities'],
    );
    const uploaded = await openSession(plain([trees([labels])]));
    const executed = await openSession(executedModel);
    const random = new SeededRandom(3);
    const seen = new Set<string>();
    for (let sample = 0; sample < 40; sample++) {
      const x = Float32Array.from([random.between(-1, 1), random.between(-1, 1)]);
      const feeds = { x: new ort.Tensor('float32', x, [1, 2]) };
      const [theirs, ours] = [await uploaded.run(feeds), await executed.run(feeds)];
      const answer = (ours['label']!.data as BigInt64Array)[0]!;
      const expected = theirs['label']!.data[0] as string | bigint;
      t.is(kind === 'string' ? classes[Number(answer)] : answer, expected);
      t.deepEqual(ours['probabilities']!.data, theirs['probabilities']!.data);
      seen.add(String(expected));
      const inputs = model.quantizeInput({ x });
      const { witness } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
      t.deepEqual(check(model.r1cs, witness), { ok: true });
    }
    t.true(seen.size > 1);
    const steps = model.manifest.postProcessing.slice(kind === 'string' ? -2 : -1);
    const zip = { operator: 'ZipMap', inputs: ['probabilities'], outputs: ['output_probability'] };
    if (kind === 'integer')
      t.deepEqual(steps, [{ ...zip, attributes: { classlabels_int64s: [30, 10, 20] } }]);
    else
      t.deepEqual(steps, [
        {
          operator: 'LabelEncoder',
          inputs: ['label'],
          outputs: ['label'],
          attributes: { keys_int64s: [0, 1, 2], values_strings: classes },
        },
        { ...zip, attributes: { classlabels_strings: classes } },
      ]);
  });

test('a linear classifier with string labels and a ZipMap keeps its class names through quantization', async (t) => {
  const linear = ml(
    'LinearClassifier',
    ['x'],
    ['label', 'probabilities'],
    [
      ['coefficients', floats([2, -1, -1, 0.5, 0.25, 1])],
      ['intercepts', floats([0.1, 0.2, -0.1])],
      ['multi_class', { kind: 'int', value: 0 }],
      ['post_transform', { kind: 'string', value: 'SOFTMAX' }],
      [...classNames],
    ],
  );
  const random = new SeededRandom(5);
  const samples = Array.from({ length: 60 }, () => ({
    dtype: 'float32' as const,
    shape: [1, 2],
    data: Float32Array.from([random.between(-2, 2), random.between(-2, 2)]),
  }));
  const calibration = samples.map((x) => new Map([['x', x]]));
  const { model: bytes } = await quantizeModel(zipped([linear, zipMap(classNames)]), calibration);
  const { graph, executedModel } = importModel(bytes);
  const { manifest } = compile(graph);
  const named = manifest.postProcessing.map(({ operator }) => operator);
  t.true(named.includes('LabelEncoder') && named.includes('ZipMap'));
  const [uploaded, executed] = [await openSession(plain([linear])), await openSession(executedModel)];
  let alike = 0;
  for (const { data } of samples) {
    const feeds = { x: new ort.Tensor('float32', data, [1, 2]) };
    const [theirs, ours] = [await uploaded.run(feeds), await executed.run(feeds)];
    const index = Number((ours['label']!.data as BigInt64Array)[0]);
    if (classes[index] === theirs['label']!.data[0]) alike++;
  }
  t.true(alike >= 0.9 * samples.length, `${alike} of ${samples.length}`);
});

test('a ZipMap that other nodes read, labels of both kinds, and unreadable class names are refused', (t) => {
  const refused = (bytes: Uint8Array, message: RegExp) =>
    t.throws(() => importModel(bytes), { instanceOf: ModelRefused, message });
  const reader: GraphNode = {
    ...ml('Identity', ['output_probability'], ['again'], []),
    domain: '',
  };
  const forest = trees([classNames]);
  refused(zipped([forest, zipMap(classNames), reader]), /output of the graph that no node reads/);
  refused(zipped([trees([classNames, ['classlabels_int64s', ints([0, 1, 2])]]), zipMap(classNames)]), /both/);
  refused(zipped([trees([['classlabels_strings', strings(['one'])]]), zipMap(classNames)]), /at least 2/);
  const step = { operator: 'ZipMap', tensor: 'y', output: 'z', labels: ['a'] };
  for (const text of [
    '{',
    '{}',
    '[null]',
    JSON.stringify([{ ...step, operator: 'Softmax' }]),
    JSON.stringify([{ ...step, tensor: 'hidden' }]),
    JSON.stringify([{ ...step, labels: ['a', 1] }]),
  ])
    t.throws(() => answersOf(new Map([[ANSWERS_KEY, text]]), ['y']), { instanceOf: ModelRefused }, text);
  t.deepEqual(answersOf(new Map([[ANSWERS_KEY, JSON.stringify([step])]]), ['y']), [step] as never);
});

test('trees and quantized models are not quantized again: the refusal names the next command', async (t) => {
  const samples = [new Map([['x', { dtype: 'float32', shape: [1, 2], data: new Float32Array(2) } as const]])];
  await t.throwsAsync(quantizeModel(zipped([trees([classNames]), zipMap(classNames)]), samples), {
    instanceOf: ModelRefused,
    message: /needs no quantization.*verinfer compile/,
  });
});
