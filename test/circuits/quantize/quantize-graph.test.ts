/**
 * Float nets through the quantizer: the int8 net stays close to the float one, and what the circuit's integer
 * semantics say of it is what ONNX Runtime returns, byte for byte.
 */
import test, { type ExecutionContext } from 'ava';
import { compile } from '../../../circuits/index.js';
import { importModel } from '../../../circuits/import/import.js';
import { ModelRefused } from '../../../circuits/errors.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../../../circuits/onnx/graph.js';
import { loadGraph } from '../../../circuits/onnx/load.js';
import { type CalibrationInput, openSession, toOrtTensor } from '../../../circuits/quantize/calibrate.js';
import { quantizeGraph } from '../../../circuits/quantize/quantize-graph.js';
import { evaluateQuantized } from '../../../circuits/quantize/evaluate.js';
import { SeededRandom } from '../../../models/train/random.js';

const int = (value: number): AttributeValue => ({ kind: 'int', value });
const ints = (...value: number[]): AttributeValue => ({ kind: 'ints', value });

class Net {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, ConstantTensor>();
  constructor(readonly random: SeededRandom) {}

  weight(shape: number[], low = -0.5, high = 0.5): string {
    const name = `c${this.constants.size}`;
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      this.random.between(low, high),
    );
    this.constants.set(name, { dtype: 'float32', shape, data });
    return name;
  }

  integers(...values: number[]): string {
    const name = `c${this.constants.size}`;
    this.constants.set(name, {
      dtype: 'int64',
      shape: [values.length],
      data: BigInt64Array.from(values, BigInt),
    });
    return name;
  }

  add(type: string, inputs: string[], attributes: Record<string, AttributeValue> = {}): string {
    const name = `n${this.nodes.length}_${type}`;
    this.nodes.push({
      name,
      domain: '',
      type,
      inputs,
      outputs: [name],
      attributes: new Map(Object.entries(attributes)),
    });
    return name;
  }

  graph(inputShape: number[], output: string, outputShape: number[]): Graph {
    return {
      opsets: new Map([['', 13]]),
      inputs: [{ name: 'x', dtype: 'float32', shape: inputShape }],
      outputs: [{ name: output, dtype: 'float32', shape: outputShape }],
      constants: this.constants,
      nodes: this.nodes,
    };
  }
}

function samples(
  random: SeededRandom,
  shape: number[],
  count: number,
  scale: (i: number) => number = () => 1,
): CalibrationInput[] {
  const size = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, () => {
    const data = Float32Array.from({ length: size }, (_, i) => random.between(-1, 1) * scale(i));
    return new Map([['x', { dtype: 'float32', shape, data }]]);
  });
}

/** Every boundary integer of the executed graph equals the reference; the float outputs are close. */
async function agrees(
  t: ExecutionContext,
  graph: Graph,
  inputs: CalibrationInput[],
  decibels: number,
): Promise<void> {
  const float = loadGraph(encodeGraph(graph));
  const quantized = await quantizeGraph(float, inputs, { bits: 8, method: 'mse', divisorMax: 511 });
  const bytes = encodeGraph(quantized.graph);
  const { worstLayers } = await evaluateQuantized(float, quantized, inputs, undefined);
  for (const layer of worstLayers) t.true(layer.decibels >= decibels, `${layer.value}: ${layer.decibels} dB`);
  const { graph: proven, executedGraph } = importModel(bytes);
  const model = compile(proven);
  const names = model.manifest.outputs.map(({ name }) => name);
  const session = await openSession(encodeGraph(executedGraph, { observed: names }));
  for (const input of inputs.slice(0, 10)) {
    const x = input.get('x')!;
    const ours = model.reference(model.quantizeInput({ x: x.data as Float32Array }));
    const returned = await session.run({ x: toOrtTensor(x) });
    for (const name of names)
      t.deepEqual(Array.from(ours.get(name)!), Array.from(returned[name]!.data as Int8Array));
  }
}

test('a convolutional net with batch normalization, both poolings, a residual and a softmax', async (t) => {
  const random = new SeededRandom(1);
  const net = new Net(random);
  const c1 = net.add('Conv', ['x', net.weight([4, 2, 3, 3]), net.weight([4])], { pads: ints(1, 1, 1, 1) });
  const statistics = [net.weight([4], 0.5, 1.5), net.weight([4]), net.weight([4]), net.weight([4], 0.5, 1.5)];
  const r1 = net.add('Relu', [net.add('BatchNormalization', [c1, ...statistics])]);
  const c2 = net.add('Conv', [r1, net.weight([4, 4, 3, 3], -0.2, 0.2)], { pads: ints(1, 1, 1, 1) });
  const sum = net.add('Relu', [net.add('Add', [c2, r1])]);
  const p1 = net.add('MaxPool', [sum], { kernel_shape: ints(2, 2), strides: ints(2, 2) });
  const p2 = net.add('AveragePool', [p1], {
    kernel_shape: ints(2, 2),
    strides: ints(1, 1),
    pads: ints(1, 1, 0, 0),
  });
  const flat = net.add('Reshape', [net.add('GlobalAveragePool', [p2]), net.integers(1, -1)]);
  const logits = net.add('Gemm', [flat, net.weight([3, 4]), net.weight([3])], { transB: int(1) });
  const y = net.add('Softmax', [logits], { axis: int(-1) });
  await agrees(t, net.graph([1, 2, 8, 8], y, [1, 3]), samples(random, [1, 2, 8, 8], 30), 18);
});

test('pre-processing arithmetic, moves, concatenation and saturating functions', async (t) => {
  const random = new SeededRandom(2);
  const net = new Net(random);
  const centred = net.add('Div', [
    net.add('Sub', ['x', net.weight([1, 1, 1, 3])]),
    net.weight([1, 1, 1, 3], 0.5, 2),
  ]);
  const moved = net.add('Transpose', [centred], { perm: ints(0, 3, 1, 2) });
  const c1 = net.add('Conv', [moved, net.weight([4, 3, 2, 2]), net.weight([4])]);
  const s = net.add('Sigmoid', [c1]);
  const h = net.add('Tanh', [c1]);
  const joined = net.add('Concat', [s, h], { axis: int(1) });
  const flat = net.add('Flatten', [joined], { axis: int(1) });
  const d1 = net.add('Add', [net.add('MatMul', [flat, net.weight([72, 5], -0.3, 0.3)]), net.weight([5])]);
  await agrees(t, net.graph([1, 4, 4, 3], d1, [1, 5]), samples(random, [1, 4, 4, 3], 30), 18);
});

test('a table whose columns differ by four orders of magnitude', async (t) => {
  const random = new SeededRandom(3);
  const net = new Net(random);
  const scale = (i: number): number => 10 ** ((i % 6) - 3);
  const spread = net.weight([1, 6]);
  (net.constants.get(spread)!.data as Float32Array).forEach((_, i, all) => (all[i] = scale(i)));
  const h = net.add('Relu', [
    net.add('Gemm', [net.add('Div', ['x', spread]), net.weight([6, 8]), net.weight([8])]),
  ]);
  const y = net.add('Gemm', [h, net.weight([8, 2]), net.weight([2])]);
  await agrees(t, net.graph([1, 6], y, [1, 2]), samples(random, [1, 6], 40, scale), 20);
});

test('a transposed convolution', async (t) => {
  const random = new SeededRandom(4);
  const net = new Net(random);
  const y = net.add('ConvTranspose', ['x', net.weight([2, 3, 3, 3]), net.weight([3])], {
    strides: ints(2, 2),
    pads: ints(1, 1, 1, 1),
    output_padding: ints(1, 1),
  });
  await agrees(t, net.graph([1, 2, 3, 3], y, [1, 3, 6, 6]), samples(random, [1, 2, 3, 3], 30), 20);
});

test('an operator without an integer form is refused by name', async (t) => {
  const net = new Net(new SeededRandom(5));
  const y = net.add('Softmax', ['x'], { axis: int(-1) });
  const z = net.add('Relu', [y]);
  const error = await t.throwsAsync(
    quantizeGraph(net.graph([1, 3], z, [1, 3]), samples(net.random, [1, 3], 2), {
      bits: 8,
      method: 'mse',
      divisorMax: 511,
    }),
    { instanceOf: ModelRefused },
  );
  t.regex(error!.message, /Softmax/);
});

for (const [transform, rows] of [
  ['NONE', 1],
  ['LOGISTIC', 1],
  ['LOGISTIC', 3],
  ['SOFTMAX', 3],
  ['NONE', 3],
] as const)
  test(`Scaler and LinearClassifier, ${rows} rows, ${transform}: labels are those of ONNX Runtime`, async (t) => {
    const random = new SeededRandom(6);
    const draw = (count: number): AttributeValue => ({
      kind: 'floats',
      value: Array.from({ length: count }, () => Math.fround(random.between(-1, 1))),
    });
    const classes = Math.max(2, rows);
    const node = (
      type: string,
      inputs: string[],
      outputs: string[],
      attributes: Record<string, AttributeValue>,
    ): GraphNode => ({
      name: type,
      domain: 'ai.onnx.ml',
      type,
      inputs,
      outputs,
      attributes: new Map(Object.entries(attributes)),
    });
    const graph: Graph = {
      opsets: new Map([
        ['', 13],
        ['ai.onnx.ml', 1],
      ]),
      inputs: [{ name: 'x', dtype: 'float32', shape: [1, 4] }],
      outputs: [
        { name: 'label', dtype: 'int64', shape: [1] },
        { name: 'probabilities', dtype: 'float32', shape: [1, classes] },
      ],
      constants: new Map(),
      nodes: [
        node('Scaler', ['x'], ['z'], { offset: draw(4), scale: { kind: 'floats', value: [1, 2, 0.5, 100] } }),
        node('LinearClassifier', ['z'], ['label', 'probabilities'], {
          coefficients: draw(4 * rows),
          intercepts: draw(rows),
          classlabels_ints: ints(...Array.from({ length: classes }, (_, i) => i)),
          post_transform: { kind: 'string', value: transform },
        }),
      ],
    };
    const inputs = samples(random, [1, 4], 60, (i) => (i === 3 ? 0.02 : 1));
    const float = loadGraph(encodeGraph(graph));
    const quantized = await quantizeGraph(float, inputs, { bits: 8, method: 'mse', divisorMax: 511 });
    const { agreement } = await evaluateQuantized(float, quantized, inputs, undefined);
    t.true(agreement >= 0.95, `${agreement}`);
    t.true(compile(importModel(encodeGraph(quantized.graph)).graph).r1cs.constraintCount > 0);
  });

for (const bits of [4, 6])
  test(`${bits} bits: weights and rectified activations stay within ${2 ** (bits - 1) - 1}`, async (t) => {
    const random = new SeededRandom(7);
    const net = new Net(random);
    const h = net.add('Relu', [net.add('Gemm', ['x', net.weight([6, 8]), net.weight([8])])]);
    const y = net.add('Gemm', [h, net.weight([8, 2]), net.weight([2])]);
    const graph = loadGraph(encodeGraph(net.graph([1, 6], y, [1, 2])));
    const inputs = samples(random, [1, 6], 50);
    const { graph: quantized } = await quantizeGraph(graph, inputs, { bits, method: 'mse', divisorMax: 511 });
    const top = 2 ** (bits - 1) - 1;
    for (const [name, { data }] of quantized.constants)
      if (name.endsWith('_weight')) for (const w of data) t.true(Math.abs(Number(w)) <= top);
    const clamp = quantized.nodes.find(({ type }) => type === 'Clip')!;
    t.is(Number(quantized.constants.get(clamp.inputs[2]!)!.data[0]), top);
  });
