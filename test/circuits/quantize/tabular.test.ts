/** Linear members of ai.onnx.ml, by ONNX Runtime's own label rules: quantized, they name the labels it names. */
import test from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { compile } from '../../../circuits/index.js';
import { importModel } from '../../../circuits/import/import.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, ConstantTensor, Graph } from '../../../circuits/onnx/graph.js';
import { openSession, toOrtTensor } from '../../../circuits/quantize/calibrate.js';
import { quantizeModel } from '../../../circuits/quantize/index.js';
import { SeededRandom } from '../../../models/train/random.js';

const FEATURES = 6;
const ints = (...value: number[]): AttributeValue => ({ kind: 'ints', value });
const floats = (value: readonly number[]): AttributeValue => ({ kind: 'floats', value });
const text = (value: string): AttributeValue => ({ kind: 'string', value });

function classifier(type: string, attributes: Record<string, AttributeValue>, classes: number): Graph {
  const isNormalized = attributes['normalized'] !== undefined;
  const own = new Map(Object.entries(attributes).filter(([name]) => name !== 'normalized'));
  const scores = isNormalized ? 'raw' : 'scores';
  const node = { name: 'm', domain: 'ai.onnx.ml', type, inputs: ['x'], outputs: ['label', scores] };
  const normalizer = {
    name: 'n',
    domain: 'ai.onnx.ml',
    type: 'Normalizer',
    inputs: ['raw'],
    outputs: ['scores'],
    attributes: new Map([['norm', text('L2')]]),
  };
  return {
    opsets: new Map([
      ['', 13],
      ['ai.onnx.ml', 1],
    ]),
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, FEATURES] }],
    outputs: [
      { name: 'label', dtype: 'int64', shape: [1] },
      { name: 'scores', dtype: 'float32', shape: [1, classes] },
    ],
    constants: new Map(),
    nodes: [{ ...node, attributes: own }, ...(isNormalized ? [normalizer] : [])],
  };
}

const random = new SeededRandom(77);
const numbers = (count: number): number[] =>
  Array.from({ length: count }, () => Math.fround(random.between(-1, 1)));

const cases: readonly (readonly [string, Graph])[] = [
  [
    'LinearClassifier, three labels of any value, SOFTMAX and Normalizer',
    classifier(
      'LinearClassifier',
      {
        coefficients: floats(numbers(3 * FEATURES)),
        intercepts: floats(numbers(3)),
        classlabels_ints: ints(7, -2, 40),
        post_transform: text('SOFTMAX'),
        normalized: text('yes'),
      },
      3,
    ),
  ],
  [
    'LinearClassifier, one row, two labels, LOGISTIC',
    classifier(
      'LinearClassifier',
      {
        coefficients: floats(numbers(FEATURES)),
        intercepts: floats(numbers(1)),
        classlabels_ints: ints(5, 3),
        post_transform: text('LOGISTIC'),
      },
      2,
    ),
  ],
  [
    'SVMClassifier without support vectors, four classes',
    classifier(
      'SVMClassifier',
      {
        coefficients: floats(numbers(4 * FEATURES)),
        rho: floats(numbers(1)),
        kernel_type: text('LINEAR'),
        kernel_params: floats([0, 0, 3]),
        classlabels_ints: ints(0, 1, 2, 3),
      },
      4,
    ),
  ],
  [
    'SVMClassifier with support vectors, two classes',
    classifier(
      'SVMClassifier',
      {
        coefficients: floats(numbers(5)),
        support_vectors: floats(numbers(5 * FEATURES)),
        vectors_per_class: ints(2, 3),
        rho: floats(numbers(1)),
        kernel_type: text('LINEAR'),
        kernel_params: floats([0, 0, 3]),
        classlabels_ints: ints(1, 0),
      },
      2,
    ),
  ],
];

const sample = (): Map<string, ConstantTensor> => {
  const data = Float32Array.from(numbers(FEATURES));
  return new Map([['x', { dtype: 'float32', shape: [1, FEATURES], data }]]);
};

for (const [title, graph] of cases)
  test(`${title}: labels and scores stay`, async (t) => {
    const bytes = encodeGraph(graph);
    const { model } = await quantizeModel(bytes, Array.from({ length: 100 }, sample));
    const imported = importModel(model);
    compile(imported.graph);
    const [uploaded, executed] = [await openSession(bytes), await openSession(imported.executedModel)];
    let agreeing = 0;
    let difference = 0;
    const count = 200;
    for (let i = 0; i < count; i++) {
      const feeds = { x: toOrtTensor(sample().get('x')!) };
      const [a, b] = [await uploaded.run(feeds), await executed.run(feeds)];
      if (String(a['label']!.data) === String(b['label']!.data)) agreeing++;
      const scores = [a, b].map((answer) => answer['scores']!.data as Float32Array);
      scores[0]!.forEach((score, k) => (difference = Math.max(difference, Math.abs(score - scores[1]![k]!))));
    }
    t.log(`${agreeing} of ${count} labels, scores within ${difference.toFixed(3)}`);
    t.true(agreeing >= 0.95 * count);
    t.true(difference < 0.1);
  });

test('what is not linear is refused by name', async (t) => {
  const svm = (attributes: Record<string, AttributeValue>): Uint8Array =>
    encodeGraph(
      classifier(
        'SVMClassifier',
        {
          coefficients: floats(numbers(5)),
          support_vectors: floats(numbers(5 * FEATURES)),
          vectors_per_class: ints(2, 3),
          rho: floats([0]),
          classlabels_ints: ints(0, 1),
          ...attributes,
        },
        2,
      ),
    );
  const refused = async (attributes: Record<string, AttributeValue>, expected: RegExp): Promise<void> => {
    const error = await t.throwsAsync(quantizeModel(svm(attributes), [sample()]), {
      instanceOf: ModelRefused,
    });
    t.regex(error!.message, expected);
  };
  await refused({ kernel_type: text('RBF') }, /kernel_type must be LINEAR, got RBF/);
  await refused({ prob_a: floats([1]), prob_b: floats([0]) }, /prob_a/);
  await refused(
    { classlabels_ints: ints(0, 1, 2), vectors_per_class: ints(1, 2, 2) },
    /classes must be 2 with support vectors/,
  );
});
