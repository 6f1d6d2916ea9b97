/** The price from shapes alone is an upper bound of what the compiler builds, so a bomb is refused before it is built. */
import test from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { estimateLayers } from '../../../circuits/import/estimate.js';
import { importModel } from '../../../circuits/import/import.js';
import { compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { Dtype } from '../../../circuits/onnx/graph.js';
import { GraphWriter, int } from '../../support/graphs.js';
import { OPERATOR_CASES } from '../../support/operator-cases.js';
import { random, seedFrom } from '../../support/random.js';

/** What a rounding takes depends on its scale: the price is that of nearly all of them. */
const ROUNDED = /QLinear|QGemm|Rescale/;

test('no operator takes more rows than its price', (t) => {
  const seed = seedFrom(t.log);
  for (const [name, draw] of Object.entries(OPERATOR_CASES)) {
    if (ROUNDED.test(name)) continue;
    for (let k = 0; k < 6; k++) {
      const { graph } = draw(random(seed + k));
      if (graph.nodes.some(({ type }) => ROUNDED.test(type))) continue;
      const rows = new Map(compile(graph).layers.map((layer) => [layer.name, BigInt(layer.rows)]));
      const [statement, ...layers] = estimateLayers(graph);
      t.true(statement!.rows >= (rows.get('input') ?? 0n) + (rows.get('output') ?? 0n), `${name}: statement`);
      const priced = new Map(layers.map((layer) => [layer.name, layer.rows]));
      for (const { name: node } of graph.nodes)
        t.true((priced.get(node) ?? 0n) >= (rows.get(node) ?? 0n), `${name}, seed ${seed + k}: ${node}`);
    }
  }
});

test('F12 finding-37: inputs, reductions, casts, products and sums of sums have their price', (t) => {
  const bombs: Record<string, (g: GraphWriter) => [string, Dtype, number[]]> = {
    'an input and its maximum': (g) => [
      g.node('ReduceMax', [g.input('x', 'int8', [1, 2 ** 26])], { keepdims: int(0) }),
      'int8',
      [],
    ],
    'a maximum of many': (g) => {
      const x = g.input('x', 'int32', [2 ** 16]);
      const shifted = Array.from({ length: 200 }, (_, i) =>
        g.node('Sub', [x, g.constant('int32', [1], [i])]),
      );
      return [g.node('Max', shifted), 'int32', [2 ** 16]];
    },
    casts: (g) => {
      let x = g.input('x', 'int32', [2 ** 18]);
      for (let i = 0; i < 20; i++) x = g.node('Cast', [g.node('Cast', [x], { to: int(3) })], { to: int(6) });
      return [g.node('ReduceMax', [x], { keepdims: int(0) }), 'int32', []];
    },
    'a product of computed matrices': (g) => {
      const x = g.input('x', 'int8', [1000, 1000]);
      return [g.node('MatMulInteger', [x, x]), 'int32', [1000, 1000]];
    },
    'sums of sums': (g) => {
      const count = 2 ** 15;
      let x = g.node('Cast', [g.input('x', 'int8', [count])], { to: int(6) });
      for (let by = 1; by < count; by *= 2) {
        const [start, end] = [g.constant('int64', [1], [by]), g.constant('int64', [1], [count])];
        const zero = g.constant('int64', [1], [0]);
        const parts = [g.node('Slice', [x, start, end]), g.node('Slice', [x, zero, start])];
        x = g.node('Add', [x, g.node('Concat', parts, { axis: int(0) })]);
      }
      return [x, 'int32', [count]];
    },
  };
  for (const [name, build] of Object.entries(bombs)) {
    const g = new GraphWriter();
    const [output, dtype, shape] = build(g);
    const bytes = encodeGraph(g.finish([{ name: output, dtype, shape }]));
    t.true(bytes.length < 40_000, name);
    t.throws(
      () => importModel(bytes),
      { instanceOf: ModelRefused, message: /estimated .* so far must be/ },
      name,
    );
  }
});

test('F12 finding-41: a scatter that meets one element again and again is refused, not written out', (t) => {
  const scattered = (updates: number, size: number): Uint8Array => {
    const g = new GraphWriter();
    const shape = g.constant('int64', [1], [updates]);
    const indices = g.node('Cast', [g.node('ConstantOfShape', [shape])], { to: int(7) });
    const inputs = [g.input('x', 'int32', [size]), indices, g.input('u', 'int32', [updates])];
    const attributes = { reduction: { kind: 'string', value: 'add' } } as const;
    const y = g.node('ScatterElements', inputs, attributes);
    return encodeGraph(g.finish([{ name: y, dtype: 'int32', shape: [size] }]));
  };
  for (const [updates, size] of [
    [200_000, 4],
    [100, 2 ** 20],
  ] as const) {
    const bytes = scattered(updates, size);
    t.true(bytes.length < 500);
    t.throws(() => importModel(bytes), {
      instanceOf: ModelRefused,
      message: /updates of one element must be at most/,
    });
  }
  t.notThrows(() => importModel(scattered(5, 16)));
});
