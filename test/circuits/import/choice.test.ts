/** Comparisons, Where, Cast and ArgMax of quantized values: the executed graph answers what the uploaded file answers. */
import test from 'ava';
import { importModel } from '../../../circuits/import/import.js';
import { check, compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { Dtype, Graph } from '../../../circuits/onnx/graph.js';
import { GraphWriter, int } from '../../support/graphs.js';
import { runtimeOutputs } from '../../support/operator-agreement.js';
import { random, seedFrom, type Random } from '../../support/random.js';
import { between, integers } from '../../support/values.js';

const ELEMENTS = 24;
const BYTES = ['int8', 'uint8'] as const;

function byteRange(dtype: Dtype): readonly [number, number] {
  return dtype === 'int8' ? [-128, 127] : [0, 255];
}

/** x as a byte and as the float it stands for. */
function quantized(g: GraphWriter, r: Random, name: string, scale: number): { dtype: Dtype; float: string } {
  const dtype = r.pick(BYTES);
  const x = g.input(name, dtype, [ELEMENTS]);
  const zero = g.zeroPoint(dtype, between(r, ...byteRange(dtype)));
  return { dtype, float: g.node('DequantizeLinear', [x, g.scale(scale), zero]) };
}

/** What the uploaded graph says in ONNX Runtime, and what is proven of it. */
async function both(graph: Graph, r: Random): Promise<{ uploaded: number[]; proven: number[]; ok: boolean }> {
  const inputs = new Map(
    graph.inputs.map(({ name, dtype }) => [name, integers(r, ELEMENTS, ...byteRange(dtype))]),
  );
  const model = compile(importModel(encodeGraph(graph)).graph, { inputMode: 'public' });
  const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 0n });
  const [proven] = outputs.values();
  return {
    uploaded: await runtimeOutputs(graph, inputs),
    proven: Array.from(proven),
    ok: check(model.r1cs, witness, { labels: model.labels }).ok,
  };
}

for (const type of ['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal']) {
  test(`C23 ${type} of quantized values at any scales, and with numbers, is the float comparison`, async (t) => {
    const r = random(seedFrom(t.log));
    for (let k = 0; k < 12; k++) {
      const g = new GraphWriter();
      const scale = Math.fround(0.01 + r.uint32() / 2 ** 32);
      const x = quantized(g, r, 'x', scale).float;
      // Multiples of one scale meet often; an unrelated one hardly ever does.
      const other = r.pick([scale, 2 * scale, Math.fround(scale * 0.7)]);
      const y =
        k % 3 === 0
          ? g.constant('float32', [1], [Math.fround(scale * between(r, -140, 140))])
          : quantized(g, r, 'y', other).float;
      const [a, b] = r.below(2) === 0 ? [x, y] : [y, x];
      const z = g.node(type, [a, b]);
      const graph = g.finish([{ name: z, dtype: 'bool', shape: [ELEMENTS] }]);
      const { uploaded, proven, ok } = await both(graph, r);
      t.true(ok);
      t.deepEqual(proven, uploaded, `case ${k}`);
    }
  });
}

test('C23 Where between quantized values, and Cast of them towards zero', async (t) => {
  const r = random(seedFrom(t.log));
  for (let k = 0; k < 12; k++) {
    const g = new GraphWriter();
    const scale = Math.fround(0.05 + r.uint32() / 2 ** 33);
    const { dtype, float } = quantized(g, r, 'x', scale);
    const condition = g.node('Greater', [float, g.constant('float32', [], [0])]);
    const target = r.pick<Dtype>(['int16', 'int32', 'bool']);
    const to = { int16: 5, int32: 6, bool: 9 }[target as 'int16'];
    const z =
      k % 2 === 0
        ? g.node('Cast', [float], { to: int(to) })
        : g.node('QuantizeLinear', [
            g.node('Where', [condition, float, g.constant('float32', [], [Math.fround(scale * 3)])]),
            g.scale(Math.fround(scale * 1.5)),
            g.zeroPoint(dtype, 7),
          ]);
    const graph = g.finish([{ name: z, dtype: k % 2 === 0 ? target : dtype, shape: [ELEMENTS] }]);
    const { uploaded, proven, ok } = await both(graph, r);
    t.true(ok);
    t.deepEqual(proven, uploaded, `case ${k}`);
  }
});

test('C13 a model that ends in ArgMax proves the label and publishes nothing else', async (t) => {
  const r = random(seedFrom(t.log));
  const g = new GraphWriter();
  const { float } = quantized(g, r, 'x', 0.25);
  const z = g.node('ArgMax', [float], { axis: int(0), keepdims: int(0) });
  const graph = g.finish([{ name: z, dtype: 'int64', shape: [] }]);
  const { manifest } = compile(importModel(encodeGraph(graph)).graph);
  t.deepEqual(
    manifest.outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    [{ name: z, dtype: 'int32', shape: [] }],
  );
  t.deepEqual(manifest.postProcessing, []);
  for (let k = 0; k < 20; k++) {
    const { uploaded, proven, ok } = await both(graph, r);
    t.true(ok);
    t.deepEqual(proven, uploaded);
  }
});
