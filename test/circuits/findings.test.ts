/** One test for each error that a review of the circuits found: a false statement that had a proof, or a true one that had none. */
import test from 'ava';
import { InputRefused, ModelRefused } from '../../circuits/errors.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import { rangeBits } from '../../circuits/gadgets/range.js';
import * as requantize from '../../circuits/gadgets/requantize.js';
import { check, compile } from '../../circuits/index.js';
import { importModel } from '../../circuits/import/import.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import type { Dtype, Graph } from '../../circuits/onnx/graph.js';
import { Builder } from '../../circuits/r1cs/builder.js';
import { LinearCombination } from '../../circuits/r1cs/linear-combination.js';
import { wiresAsTensor } from '../../circuits/affine.js';
import { traceRuntime } from '../../service/audit/replay.js';
import { GraphWriter, int, ints, smallConvnet } from '../support/graphs.js';
import { runtimeOutputs } from '../support/operator-agreement.js';
import { random } from '../support/random.js';

const zero = (g: GraphWriter) => g.zeroPoint('int8', 0);

/** What the circuit proves for one input `x`, after checking that the witness satisfies it. */
function proven(graph: Graph, x: readonly number[]): { circuit: number[]; reference: number[]; ok: boolean } {
  const model = compile(graph);
  const inputs = new Map([['x', Int32Array.from(x)]]);
  const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
  const [circuit] = outputs.values();
  const [reference] = model.reference(inputs).values();
  return { circuit: [...circuit], reference: [...reference], ok: check(model.r1cs, witness).ok };
}

function graphOf(
  dtype: Dtype,
  shape: readonly number[],
  build: (g: GraphWriter, x: string) => string,
  [outputDtype, outputShape]: readonly [Dtype, readonly number[]] = [dtype, shape],
): Graph {
  const g = new GraphWriter();
  const output = build(g, g.input('x', dtype, shape));
  return g.finish([{ name: output, dtype: outputDtype, shape: outputShape }]);
}

test('finding-1: a pool over channels of different scales compares rounded values, not accumulators', async (t) => {
  const graph = graphOf(
    'int8',
    [1, 2],
    (g, x) => {
      const w = g.constant('int8', [2, 2], [100, 0, 0, 100]);
      const scales = g.constant('float32', [2], [1 / 301, 1 / 51]);
      const wZero = g.constant('int8', [2], [0, 0]);
      const y = g.node('QLinearMatMul', [x, g.scale(1), zero(g), w, scales, wZero, g.scale(1), zero(g)]);
      const row = g.node('Reshape', [y, g.constant('int64', [3], [1, 1, 2])]);
      return g.node('MaxPool', [row], { kernel_shape: ints(2) });
    },
    ['int8', [1, 1, 1]],
  );
  // Accumulators 10,000 and 5,000 round to 33 and 98.
  t.deepEqual(proven(graph, [100, 50]), { circuit: [98], reference: [98], ok: true });
  t.deepEqual(await runtimeOutputs(graph, new Map([['x', Int32Array.of(100, 50)]])), [98]);
});

test('finding-2: a clamp of any width holds behind a rounding that sends ties to even', (t) => {
  const rescaled = (g: GraphWriter, x: string, factor: number) =>
    g.node(
      'Rescale',
      [x],
      {
        coefficients: ints(factor),
        offset: int(0),
        divisor: int(4),
        to: int(3),
        ties: int(1),
        zero_point: int(0),
      },
      'verinfer',
    );
  const clipped = graphOf('int8', [3], (g, x) =>
    g.node('Clip', [rescaled(g, x, 3), zero(g), g.zeroPoint('int8', 60)]),
  );
  t.deepEqual(proven(clipped, [100, -10, 20]), { circuit: [60, 0, 15], reference: [60, 0, 15], ok: true });
  const raised = graphOf('int8', [4], (g, x) => g.node('Max', [rescaled(g, x, 7), g.zeroPoint('int8', 5)]));
  const want = [127, 5, 35, 10]; // 7·6/4 = 10.5, to even
  t.deepEqual(proven(raised, [127, -10, 20, 6]), { circuit: want, reference: want, ok: true });
  const circuit = new Builder();
  const wide = wiresAsTensor(
    [1],
    circuit.exists('x', 1, () => {}),
    Float64Array.of(-999),
    Float64Array.of(999),
  );
  const spec = { fit: { kind: 'halfEven', m: 3, k: 2 }, zeroPoint: 0, yMin: 0, yMax: 60 } as const;
  t.throws(() => requantize.constrain(circuit, wide, [spec], () => 0), { message: /power of two of levels/ });
});

test('finding-3: an index outside a table has no proof, as it has no answer', (t) => {
  const graph = graphOf(
    'uint8',
    [2],
    (g, x) => {
      const table = g.constant('int8', [10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      return g.node('Gather', [table, g.node('Cast', [x], { to: int(6) })]);
    },
    ['int8', [2]],
  );
  t.deepEqual(proven(graph, [0, 9]), { circuit: [1, 10], reference: [1, 10], ok: true });
  const model = compile(graph);
  for (const index of [10, 11, 15, 16, 200, 255]) {
    const inputs = new Map([['x', Int32Array.of(3, index)]]);
    t.throws(() => model.reference(inputs), {
      instanceOf: InputRefused,
      message: /index must be from -10 to 9/,
    });
    const { witness } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
    t.false(check(model.r1cs, witness).ok, String(index));
  }
});

test('finding-4: a table of integers beyond 32 bits is refused, not clamped', (t) => {
  const graph = graphOf(
    'bool',
    [1],
    (g, x) => {
      const table = g.constant('int64', [2], [5_000_000_000, 1]);
      const y = g.node('Gather', [table, g.node('Cast', [x], { to: int(6) })]);
      return g.node('Sub', [y, g.constant('int64', [1], [2_147_483_000])]);
    },
    ['int64', [1]],
  );
  t.throws(() => compile(graph), { instanceOf: ModelRefused, message: /inside int32/ });
});

test('finding-5: 64-bit integers never wrap at 2^53', (t) => {
  const graph = graphOf(
    'int64',
    [1],
    (g, x) => {
      const y = g.node('Mul', [x, g.constant('int64', [1], [3_000_000])]);
      const z = g.node('Mul', [y, g.constant('int64', [1], [2])]);
      return g.node('Greater', [z, g.constant('int64', [1], [0])]);
    },
    ['bool', [1]],
  );
  t.deepEqual(proven(graph, [300]), { circuit: [1], reference: [1], ok: true });
  // 6·10⁶·x passes 2^31, and for the largest x 2^53: no answer, no proof.
  const model = compile(graph);
  for (const x of [400, -2_000_000, 2 ** 31 - 1]) {
    const inputs = new Map([['x', Int32Array.of(x)]]);
    t.throws(() => model.reference(inputs), { instanceOf: InputRefused, message: /int64 result/ });
    const { witness } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
    t.false(check(model.r1cs, witness).ok, String(x));
  }
});

test('finding-6: BitwiseNot of int64 is −1 − x', async (t) => {
  const graph = graphOf('int64', [2], (g, x) =>
    g.node('BitwiseNot', [g.node('Min', [x, g.constant('int64', [1], [1000])])]),
  );
  const upper = graphOf('int32', [2], (g, x) => g.node('BitwiseNot', [x]));
  t.deepEqual(proven(graph, [3, -7]), { circuit: [-4, 6], reference: [-4, 6], ok: true });
  t.deepEqual(await runtimeOutputs(upper, new Map([['x', Int32Array.of(3, -7)]])), [-4, 6]);
});

test('finding-7: a public input has no salted output commitment, which two honest proofs would contradict', (t) => {
  const options = { inputMode: 'public', outputMode: 'commitment' } as const;
  t.throws(() => compile(smallConvnet(random(3)), options), {
    instanceOf: ModelRefused,
    message: /outputMode/,
  });
});

test('finding-8: a quotient row whose numbers no double holds is refused', (t) => {
  const circuit = new Builder();
  const acc = wiresAsTensor(
    [1],
    circuit.exists('x', 1, () => {}),
    Float64Array.of(-(2 ** 31)),
    Float64Array.of(2 ** 31 - 1),
  );
  const spec = (a: number) => ({
    fit: { kind: 'floor', a, b: 1, c: 0, exceptions: [] } as const,
    zeroPoint: 0,
    yMin: -128,
    yMax: 127,
  });
  t.throws(() => requantize.constrain(circuit, acc, [spec(2 ** 23)], () => 0), { message: /not exact/ });
  t.notThrows(() => requantize.constrain(new Builder(), acc, [spec(2 ** 18)], () => 0));
});

test('finding-15: a range just above a large power of two has a bit for its last values', (t) => {
  for (let k = 1; k <= 52; k++) {
    t.is(rangeBits(2 ** k), k);
    t.is(rangeBits(2 ** k + 1), k + 1);
    if (k > 1) t.is(rangeBits(2 ** k - 1), k);
  }
});

test('finding-9: Mod by 1 leaves no free inverse', async (t) => {
  const graph = graphOf('int8', [3], (g, x) => g.node('Mod', [x, g.constant('int8', [3], [5, 1, -1])]));
  const model = compile(graph);
  t.deepEqual(checkUniqueness(model.r1cs, { givenWires: model.givenWires }).undetermined, []);
  t.deepEqual(proven(graph, [-7, -7, 9]), { circuit: [3, 0, 0], reference: [3, 0, 0], ok: true });
  t.deepEqual(await runtimeOutputs(graph, new Map([['x', Int32Array.of(-7, -7, 9)]])), [3, 0, 0]);
});

test('finding-16: coefficients that a double would round are refused, even where they cancel', (t) => {
  const scaledBit = (factors: readonly number[]) =>
    graphOf(
      'int8',
      [1],
      (g, x) => {
        const by = (value: string, factor: number) =>
          g.node('Mul', [value, g.constant('int32', [1], [factor])]);
        const to = (value: string, code: number) => g.node('Cast', [value], { to: int(code) });
        const wide = by(by(to(x, 6), 16_777_213), 2_097_151);
        // Seven bits of a combination whose coefficients need 45.
        const y = to(to(wide, 3), 6);
        return g.node('Sub', [by(y, factors[0]), by(y, factors[1])]);
      },
      ['int32', [1]],
    );
  for (const factors of [
    [8_388_593, 8_388_592],
    [3, 2],
  ])
    for (const x of [-128, -1, 0, 1, 77, 127]) {
      const { circuit, reference, ok } = proven(scaledBit(factors), [x]);
      t.deepEqual({ circuit, ok }, { circuit: reference, ok: true }, `${x}, ${factors.join()}`);
    }
  const element = wiresAsTensor([1], 1, Float64Array.of(0), Float64Array.of(1));
  const times = (coefficient: number) => ({ ...element, coefficients: Float64Array.of(coefficient) });
  const rounded = { ...times(2 ** 40 + 1), constants: Float64Array.of(2 ** 40 + 1) };
  const sum = new LinearCombination();
  t.throws(() => sum.addElement(rounded, 0, 2 ** 13 + 1), { message: /safe integer/ });
  const large = times(Number.MAX_SAFE_INTEGER);
  sum.clear().addElement(large, 0, 1).add(2, 1).addElement(large, 0, 1).addElement(large, 0, -1);
  t.throws(() => sum.normalize(), { message: /safe integer/ });
});

test('finding-17: −2^31 / −1 and its remainder do not stop the process that runs the executed graph', async (t) => {
  for (const type of ['Div', 'Mod']) {
    const g = new GraphWriter();
    const z = g.node(type, [g.input('x', 'int32', [2]), g.input('y', 'int32', [2])]);
    const { executedGraph, graph } = importModel(
      encodeGraph(g.finish([{ name: z, dtype: 'int32', shape: [2] }])),
    );
    t.is(executedGraph.nodes.filter((node) => node.type === 'Cast').length, 3);
    const inputs = new Map([
      ['x', Int32Array.of(-(2 ** 31), -7)],
      ['y', Int32Array.of(-1, 2)],
    ]);
    const want = type === 'Div' ? [-(2 ** 31), -3] : [0, 1];
    t.deepEqual(await runtimeOutputs(executedGraph, inputs), want);
    t.deepEqual(
      [...compile(graph).reference(inputs).values()].flatMap((values) => [...values]),
      want,
    );
  }
});

test('finding-18: OneHot compares indices of few bits with positions that do not fit them', (t) => {
  const positionsOn = (dtype: Dtype, depth: number, index: number): number[] => {
    const g = new GraphWriter();
    const values = [g.constant('int64', [], [depth]), g.constant('int64', [2], [0, 1])];
    const y = g.node('OneHot', [g.input('x', dtype, [1]), ...values]);
    const bytes = encodeGraph(g.finish([{ name: y, dtype: 'int64', shape: [1, depth] }]));
    const [bits] = compile(importModel(bytes).graph)
      .reference(new Map([['x', Int32Array.of(index)]]))
      .values();
    return Array.from(bits).flatMap((bit, i) => (bit === 1 ? [i] : []));
  };
  t.deepEqual(positionsOn('uint8', 3, 253), []);
  t.deepEqual(positionsOn('int8', 200, -126), [74]);
  t.deepEqual(positionsOn('uint8', 300, 0), [0]);
  t.deepEqual(positionsOn('int32', 5, -2), [3]);
});

test('finding-19: integers that dequantize to infinity are not compared as if they were their floats', (t) => {
  const compared = (scale: number) => {
    const g = new GraphWriter();
    const float = (name: string) =>
      g.node('DequantizeLinear', [g.input(name, 'int8', [1]), g.scale(scale), zero(g)]);
    const z = g.node('Equal', [float('x'), float('y')]);
    return importModel(encodeGraph(g.finish([{ name: z, dtype: 'bool', shape: [1] }])));
  };
  t.notThrows(() => compared(1e36));
  t.throws(() => compared(1e37), { instanceOf: ModelRefused, message: /finite/ });
});

test('finding-20: the label of 16-bit values has a kernel', async (t) => {
  for (const type of ['ArgMax', 'ArgMin'])
    for (const dtype of ['int16', 'uint16'] as const) {
      const attributes = { axis: int(1), keepdims: int(0) };
      const graph = graphOf(dtype, [1, 4], (g, x) => g.node(type, [x], attributes), ['int64', [1]]);
      const { executedGraph, graph: integer } = importModel(encodeGraph(graph));
      const inputs = new Map([['x', Int32Array.of(7, 32767, 3, 32767)]]);
      const [label] = compile(integer).reference(inputs).values();
      t.deepEqual(await runtimeOutputs(executedGraph, inputs), [...label]);
      t.deepEqual([...label], [type === 'ArgMax' ? 1 : 2]);
    }
});

test('finding-35: a table whose entries lie more than 2^31 apart has a proof for each of them', (t) => {
  // A branch of the look-up tree was a wire of int32, and held the difference of two entries.
  const draw = random(35);
  const tables = [
    Int32Array.from({ length: 64 }, () => draw.uint32() | 0),
    Int32Array.from({ length: 32 }, (_, i) => (i < 16 ? -(2 ** 31) : 2 ** 31 - 1 - i)),
  ];
  for (const entries of tables) {
    const graph = graphOf(
      'uint8',
      [entries.length],
      (g, x) =>
        g.node('Gather', [
          g.constant('int32', [entries.length], entries),
          g.node('Cast', [x], { to: int(6) }),
        ]),
      ['int32', [entries.length]],
    );
    const all = Array.from(entries, (_, i) => i);
    t.deepEqual(proven(graph, all), { circuit: [...entries], reference: [...entries], ok: true });
    const { r1cs, givenWires } = compile(graph);
    t.deepEqual(checkUniqueness(r1cs, { givenWires }).undetermined, []);
  }
});

test('finding-38: every integer of a quantized input stands for a float', async (t) => {
  // At a scale of 3e38 the largest float is 1: the integer 100 had a proof, and a replay fed infinity, which is 127.
  const graph = (scale: number, zeroPoint: number) => {
    const g = new GraphWriter();
    const x = g.node('QuantizeLinear', [
      g.input('x', 'float32', [2]),
      g.scale(scale),
      g.zeroPoint('int8', zeroPoint),
    ]);
    return g.finish([{ name: g.node('Relu', [x]), dtype: 'int8', shape: [2] }]);
  };
  const largest = Math.fround(3.4028234663852886e38 / 256);
  for (const zeroPoint of [-128, 0, 127]) {
    const imported = importModel(encodeGraph(graph(largest, zeroPoint)));
    const model = compile(imported.graph);
    const inputs = new Map([['x', Int32Array.of(-128, 127)]]);
    const trace = await traceRuntime(imported, model.manifest, inputs);
    t.deepEqual(Array.from(trace[0]!.values, Number), [-128, 127]);
  }
  t.throws(() => compile(graph(Math.fround(1.4e36), -128)), {
    instanceOf: ModelRefused,
    message: /every integer stands for a finite float32/,
  });
  t.notThrows(() => compile(graph(Math.fround(1.4e36), 0)));
});

test('finding-39: constants of doubles fold as doubles, wide integers cast whole, Mod keeps the sign it is asked for', (t) => {
  // A double that is no integer ended the loader with an untyped error; 5·10⁹ cast to double became 705,032,704.
  const known = (build: (g: GraphWriter) => string): number[] => {
    const g = new GraphWriter();
    const folded = build(g);
    const x = g.node('Identity', [g.input('x', 'int8', [1])]);
    const graph = loadGraph(encodeGraph(g.finish([{ name: x, dtype: 'int8', shape: [1] }])));
    return Array.from(graph.constants.get(folded)!.data as ArrayLike<number>, Number);
  };
  const double = (g: GraphWriter, value: number) => g.constant('float64', [1], [value]);
  const third = 1 / 3;
  t.deepEqual(
    known((g) => g.node('Add', [double(g, third), double(g, 1e-9)])),
    [third + 1e-9],
  );
  t.deepEqual(
    known((g) => g.node('Greater', [double(g, 2.5), double(g, 1.5)])),
    [1],
  );
  t.deepEqual(
    known((g) => g.node('Sqrt', [double(g, 2)])),
    [Math.SQRT2],
  );
  t.deepEqual(
    known((g) => g.node('Reciprocal', [double(g, 3)])),
    [third],
  );
  t.deepEqual(
    known((g) => g.node('Add', [g.constant('float32', [1], [1]), g.constant('float32', [1], [1e-9])])),
    [1],
  );
  for (const [dtype, value] of [
    ['int64', 5e9],
    ['uint64', 2 ** 63],
  ] as const)
    for (const to of [1, 11])
      t.deepEqual(
        known((g) => g.node('Cast', [g.constant(dtype, [1], [value])], { to: int(to) })),
        [value],
      );
  const remainder = (fmod: number) =>
    known((g) => {
      const operands = [-7, 3].map((value) => g.constant('int32', [1], [value]));
      return g.node('Mod', operands, { fmod: int(fmod) });
    });
  t.deepEqual([remainder(0), remainder(1)], [[2], [-1]]);
});
