/** float64 and wide integers where float32 is exact: the executed graph answers what the uploaded file answers. */
import test from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { check, compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { Dtype, Graph } from '../../../circuits/onnx/graph.js';
import { dtypeCodes } from '../../../circuits/onnx/tensor.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { GraphWriter, int } from '../../support/graphs.js';
import { runtimeOutputs } from '../../support/operator-agreement.js';

const to = (dtype: Dtype) => ({ to: int(dtypeCodes[dtype]) });

async function agrees(
  graph: Graph,
  x: readonly number[],
): Promise<{ ok: boolean; ours: number[]; theirs: number[] }> {
  const inputs = new Map([['x', Int32Array.from(x)]]);
  const model = compile(importModel(encodeGraph(graph)).graph, { inputMode: 'public' });
  const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 0n });
  const [ours] = outputs.values();
  const ok =
    check(model.r1cs, witness, { labels: model.labels }).ok &&
    checkUniqueness(model.r1cs, { givenWires: model.givenWires }).ok;
  return { ok, ours: Array.from(ours!), theirs: await runtimeOutputs(graph, inputs) };
}

for (const dtype of ['int32', 'uint32', 'int64'] as const)
  for (const type of ['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal'])
    test(`${dtype} cast to float32, ${type} a number below 2^24`, async (t) => {
      const wide = [-(2 ** 31), -(2 ** 24) - 1, -3, -1].map((x) => (dtype === 'uint32' ? x + 2 ** 31 : x));
      const x = [...wide, 0, 1, 2, 3, 2 ** 24 - 1, 2 ** 24, 2 ** 24 + 1, 2 ** 31 - 1];
      for (const number of [0, 2, -1, 1.5, -0.25, 2 ** 24 - 1]) {
        const g = new GraphWriter();
        const float = g.node('Cast', [g.input('x', dtype, [x.length])], to('float32'));
        const y = g.node(type, [float, g.constant('float32', [1], [number])]);
        const { ok, ours, theirs } = await agrees(
          g.finish([{ name: y, dtype: 'bool', shape: [x.length] }]),
          x,
        );
        t.true(ok);
        t.deepEqual(ours, theirs, `${number}`);
      }
    });

/** Bytes as float64, multiplied by themselves, transposed. */
function squared(inner: number, dtype: Dtype): Graph {
  const g = new GraphWriter();
  const double = g.node('Cast', [g.input('x', dtype, [2, inner])], to('float64'));
  const turned = g.node('Transpose', [double], { perm: { kind: 'ints', value: [1, 0] } });
  const y = g.node('MatMul', [double, turned]);
  return g.finish([{ name: y, dtype: 'float64', shape: [2, 2] }]);
}

test('bytes multiplied in float64 are the exact integers', async (t) => {
  const x = [255, 254, 1, 0, 17, 255];
  const model = compile(importModel(encodeGraph(squared(3, 'uint8'))).graph, { inputMode: 'public' });
  const [ours] = model.reference(new Map([['x', Int32Array.from(x)]])).values();
  const rows = [x.slice(0, 3), x.slice(3)];
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  t.deepEqual(
    Array.from(ours!),
    rows.flatMap((a) => rows.map((b) => dot(a, b))),
  );
});

test('float64 that float32 would round is refused by name', (t) => {
  const refused = (graph: Graph, message: RegExp) =>
    t.throws(() => importModel(encodeGraph(graph)), { instanceOf: ModelRefused, message });
  refused(squared(300, 'uint8'), /sums up to/);
  refused(squared(3, 'int32'), /a cast of int32/);
  const choice = (number: number): Graph => {
    const g = new GraphWriter();
    const condition = g.input('x', 'bool', [2]);
    const y = g.node('Where', [
      condition,
      g.constant('float64', [], [number]),
      g.constant('float64', [], [1]),
    ]);
    return g.finish([{ name: y, dtype: 'float64', shape: [2] }]);
  };
  refused(choice(0.1), /float32/);
  t.notThrows(() => importModel(encodeGraph(choice(3))));
});
