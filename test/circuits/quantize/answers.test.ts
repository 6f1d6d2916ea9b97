/** Float graphs that end in a choice: extrema over whole axes, labels, comparisons. Proven, and equal to the executed graph. */
import test from 'ava';
import { importModel } from '../../../circuits/import/import.js';
import { check, compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, Dtype } from '../../../circuits/onnx/graph.js';
import { openSession, toOrtTensor } from '../../../circuits/quantize/calibrate.js';
import { quantizeModel } from '../../../circuits/quantize/index.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { GraphWriter, int } from '../../support/graphs.js';
import { random, seedFrom } from '../../support/random.js';

const SHAPE = [1, 2, 3, 3];

interface Ending {
  readonly inputs: (g: GraphWriter, x: string) => readonly string[];
  readonly attributes?: Record<string, AttributeValue>;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

const endings: Readonly<Record<string, Ending>> = {
  GlobalMaxPool: { inputs: (_, x) => [x], dtype: 'float32', shape: [1, 2, 1, 1] },
  ReduceMax: {
    inputs: (g, x) => [x, g.constant('int64', [2], [1, -1])],
    attributes: { keepdims: int(0) },
    dtype: 'float32',
    shape: [1, 3],
  },
  ReduceMin: { inputs: (_, x) => [x], dtype: 'float32', shape: [1, 1, 1, 1] },
  ArgMin: { inputs: (_, x) => [x], attributes: { axis: int(1) }, dtype: 'int64', shape: [1, 1, 3, 3] },
  Greater: { inputs: (g, x) => [x, g.input('y', 'float32', [1])], dtype: 'bool', shape: SHAPE },
  LessOrEqual: { inputs: (g, x) => [x, g.constant('float32', [1], [0.25])], dtype: 'bool', shape: SHAPE },
};

for (const [type, { inputs, attributes, dtype, shape }] of Object.entries(endings)) {
  test(`C23 a float graph that ends in ${type} is quantized, and its answer is proven`, async (t) => {
    const r = random(seedFrom(t.log));
    const g = new GraphWriter();
    const x = g.input('x', 'float32', SHAPE);
    const doubled = g.node('Add', [x, x]);
    const graph = g.finish([{ name: g.node(type, inputs(g, doubled), attributes), dtype, shape }]);
    const drawn = () =>
      new Map(
        graph.inputs.map((input) => {
          const count = input.shape.reduce((p, q) => p * q, 1);
          const data = Float32Array.from({ length: count }, () => r.uint32() / 2 ** 31 - 1);
          return [input.name, { dtype: 'float32' as const, shape: input.shape, data }];
        }),
      );
    const { model: bytes } = await quantizeModel(encodeGraph(graph), Array.from({ length: 8 }, drawn), {});
    const imported = importModel(bytes);
    const model = compile(imported.graph, { inputMode: 'public' });
    t.true(checkUniqueness(model.r1cs, { givenWires: model.givenWires }).ok);
    const session = await openSession(imported.executedModel);
    for (let k = 0; k < 5; k++) {
      const given = drawn();
      const integers = model.quantizeInput(
        Object.fromEntries([...given].map(([name, { data }]) => [name, Array.from(data)])),
      );
      const { witness, outputs } = model.computeWitness({ inputs: integers, ctx: 3n, salt: 0n });
      t.true(check(model.r1cs, witness, { labels: model.labels }).ok);
      const feeds = Object.fromEntries([...given].map(([name, tensor]) => [name, toOrtTensor(tensor)]));
      const answer = await session.run(feeds);
      for (const [name, values] of outputs)
        t.deepEqual(Array.from(values), Array.from(answer[name].data as ArrayLike<number | bigint>, Number));
    }
    await session.release();
  });
}
