import test from 'ava';
import { measureAgreement, uniformSamples } from '../../../circuits/import/agreement.js';
import { importModel } from '../../../circuits/import/import.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import { inferGraph } from '../../../circuits/onnx/infer.js';
import { GraphWriter } from '../../support/graphs.js';

/** x·1 + bias, quantized at step 1/2: a float bias that is no multiple of the accumulator's unit must be rounded. */
function model(bias: number): Uint8Array {
  const w = new GraphWriter();
  const x = w.input('x', 'int8', [1, 1, 2, 2]);
  const d = w.node('DequantizeLinear', [x, w.scale(1), w.zeroPoint('int8', 0)]);
  const k = w.node('DequantizeLinear', [
    w.constant('int8', [1, 1, 1, 1], [1]),
    w.scale(1),
    w.zeroPoint('int8', 0),
  ]);
  const y = w.node('Conv', [d, k, w.constant('float32', [1], [bias])]);
  const q = w.node('QuantizeLinear', [y, w.scale(0.5), w.zeroPoint('int8', 0)]);
  return encodeGraph(inferGraph(w.finish([{ name: q, dtype: 'int8', shape: [] }])));
}

const samples = [-3, 0, 7].map(
  (value) =>
    new Map([['x', { dtype: 'int8' as const, shape: [1, 1, 2, 2], data: Int8Array.of(value, 1, 2, 3) }]]),
);

test('C28 a drift between the executed graph and the upload is counted, with its size, and noted', async (t) => {
  const uploaded = model(Math.fround(0.4));
  const { executedModel, notes } = importModel(uploaded);
  t.deepEqual(await measureAgreement(uploaded, executedModel, samples), {
    samples: 3,
    elements: 12,
    mismatchedElements: 12,
    maxDifference: 1,
  });
  t.true(notes.some((note) => note.includes('bias rounded')));
});

test('C28 a model rewritten exactly is reported as agreeing', async (t) => {
  const uploaded = model(3);
  t.deepEqual(await measureAgreement(uploaded, importModel(uploaded).executedModel, samples), {
    samples: 3,
    elements: 12,
    mismatchedElements: 0,
    maxDifference: 0,
  });
});

test('C28 synthetic samples cover the input range, the same every time', async (t) => {
  const uploaded = model(Math.fround(0.4));
  const { executedGraph, executedModel } = importModel(uploaded);
  const drawn = uniformSamples(executedGraph, 8)!;
  t.deepEqual(drawn, uniformSamples(executedGraph, 8));
  const values = uniformSamples(executedGraph, 64)!.flatMap((sample) => [
    ...(sample.get('x')!.data as Int8Array),
  ]);
  for (const [from, to] of [
    [-128, -96],
    [-32, 32],
    [96, 127],
  ] as const)
    t.true(
      values.some((value) => value >= from && value <= to),
      `${from} to ${to}`,
    );
  const { elements, mismatchedElements } = await measureAgreement(uploaded, executedModel, drawn);
  t.is(elements, 32);
  t.true(mismatchedElements > 0);
});
