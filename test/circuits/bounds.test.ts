/** What the compiler concludes from intervals: bounds are reached, narrowed forms mean the same, absurd graphs are refused. */
import test from 'ava';
import { evaluateElement, wiresAsTensor } from '../../circuits/affine.js';
import { ModelRefused } from '../../circuits/errors.js';
import { check, compile } from '../../circuits/index.js';
import * as max from '../../circuits/gadgets/max.js';
import * as requantize from '../../circuits/gadgets/requantize.js';
import { InnerProducts } from '../../circuits/ops/inner-product.js';
import { Builder } from '../../circuits/r1cs/builder.js';
import { r1csDigest } from '../../circuits/r1cs/file.js';
import { gadgetCircuit, gadgetInputs } from '../support/gadget-circuit.js';
import { GraphWriter, int, ints } from '../support/graphs.js';
import { mutateWires } from '../support/lie.js';
import { randomInputs } from '../support/models.js';
import { random, seedFrom } from '../support/random.js';
import { between, integers } from '../support/values.js';

test('C09 accumulator bounds are reached by worst-case inputs, and contain every other', (t) => {
  const r = random(seedFrom(t.log));
  for (let k = 0; k < 100; k++) {
    const circuit = new Builder();
    const count = between(r, 1, 20);
    const lo = Float64Array.from(integers(r, count, -128, 0));
    const hi = Float64Array.from(integers(r, count, 1, 255));
    const x = wiresAsTensor(
      [count],
      circuit.exists('x', count, () => {}),
      lo,
      hi,
    );
    const weights = integers(r, count, -128, 127);
    const [zeroPoint, bias] = [between(r, -128, 127), between(r, -10000, 10000)];
    const products = new InnerProducts(x);
    weights.forEach((weight, i) => products.add(i, weight, zeroPoint));
    products.end(bias);
    const sum = products.finish([1]);
    const at = (pick: (i: number) => number) => {
      const values = new Int32Array(1 + count);
      for (let i = 0; i < count; i++) values[1 + i] = pick(i);
      return evaluateElement(sum, 0, values);
    };
    t.is(
      at((i) => (weights[i] > 0 ? hi[i] : lo[i])),
      sum.hi[0],
    );
    t.is(
      at((i) => (weights[i] > 0 ? lo[i] : hi[i])),
      sum.lo[0],
    );
    const inside = at((i) => between(r, lo[i], hi[i]));
    t.true(inside >= sum.lo[0] && inside <= sum.hi[0]);
  }
});

test('C09 a gadget whose values come near the modulus is refused when it is compiled', (t) => {
  const tensor = (circuit: Builder, bound: number) =>
    wiresAsTensor(
      [1],
      circuit.exists('x', 1, () => {}),
      Float64Array.of(-bound),
      Float64Array.of(bound),
    );
  const fit = { kind: 'floor', a: 1, b: 5, c: 2, exceptions: [] } as const;
  const spec = { fit, zeroPoint: 0, yMin: 0, yMax: 7 };
  const narrow = new Builder({ modulus: 1009n });
  t.throws(() => requantize.constrain(narrow, tensor(narrow, 200), [spec], () => 0), {
    instanceOf: RangeError,
  });
  t.throws(() => max.constrain(narrow, tensor(narrow, 200), tensor(narrow, 200)), { instanceOf: RangeError });
  const wide = new Builder();
  t.notThrows(() => requantize.constrain(wide, tensor(wide, 200), [spec], () => 0));
});

test('C07 a requantization narrowed by its bounds is the general one, and rejects the same mutants', (t) => {
  const r = random(seedFrom(t.log));
  const shapes = new Set<number>();
  for (let k = 0; k < 60; k++) {
    const b = between(r, 2, 40);
    const fit = { kind: 'floor', a: between(r, 1, 3), b, c: between(r, 0, b), exceptions: [] } as const;
    const spec = { fit, zeroPoint: between(r, -9, 9), yMin: -8, yMax: between(r, -4, 12) };
    const [lo, hi] = [between(r, -900, 400), between(r, -400, 900)].sort((p, q) => p - q);
    const narrow = gadgetCircuit({
      name: 'narrow',
      inputs: [{ lo, hi, count: 1 }],
      constrain: (circuit, [x]) => requantize.constrain(circuit, x, [spec], () => 0),
      reference: ([x]) => [requantize.reference(spec, x)],
    });
    shapes.add(narrow.cost.rows);
    for (const x of [lo, hi, between(r, lo, hi), between(r, lo, hi)]) {
      const witness = narrow.program.compact(narrow.program.assign(gadgetInputs([x])));
      t.true(check(narrow.r1cs, witness).ok);
      t.is(witness.small[2], requantize.reference(spec, x));
      const { accepted } = mutateWires(narrow.r1cs, narrow.program, witness, r);
      t.deepEqual(
        accepted.filter(({ label }) => label !== 'input'),
        [],
      );
    }
  }
  t.true(shapes.size > 5, 'the bounds led to several forms');
});

test('C18 a divisor of 0, a scale of 0, an empty tensor or axis is refused', (t) => {
  const rescaled = (divisor: number, shape: number[]) => {
    const g = new GraphWriter();
    const attributes = { coefficients: ints(1), offset: int(0), divisor: int(divisor), to: int(3) };
    const y = g.node('Rescale', [g.input('x', 'int8', shape)], attributes, 'verinfer');
    return g.finish([{ name: y, dtype: 'int8', shape }]);
  };
  t.notThrows(() => compile(rescaled(3, [2])));
  t.throws(() => compile(rescaled(0, [2])), { instanceOf: ModelRefused, message: /divisor/ });
  t.throws(() => compile(rescaled(-1, [2])), { instanceOf: ModelRefused, message: /divisor/ });
  t.throws(() => compile(rescaled(3, [0])), { instanceOf: ModelRefused, message: /shape/ });
  const scaled = (scale: number) => {
    const g = new GraphWriter();
    const zero = g.zeroPoint('int8', 0);
    const w = g.constant('int8', [1, 1], [3]);
    const x = g.input('x', 'int8', [1, 1]);
    const y = g.node('QLinearMatMul', [x, g.scale(scale), zero, w, g.scale(0.5), zero, g.scale(1), zero]);
    return g.finish([{ name: y, dtype: 'int8', shape: [1, 1] }]);
  };
  t.notThrows(() => compile(scaled(0.5)));
  for (const scale of [0, -1, NaN, Infinity, 2 ** -140]) {
    t.throws(() => compile(scaled(scale)), { instanceOf: ModelRefused, message: /scale/ });
  }
});

test('C25 graphs that mean the same give the same outputs', (t) => {
  const r = random(seedFrom(t.log));
  const sum = (order: readonly [string, string]) => {
    const g = new GraphWriter();
    for (const name of ['p', 'q']) g.input(name, 'int8', [3]);
    const weights = { p: 113, q: 97 };
    const coefficients = ints(...order.map((name) => weights[name as 'p' | 'q']));
    const attributes = { coefficients, offset: int(100), divisor: int(201), to: int(3) };
    const y = g.node('Rescale', order, attributes, 'verinfer');
    return compile(g.finish([{ name: y, dtype: 'int8', shape: [3] }]));
  };
  const dense = (parts: readonly number[]) => {
    const g = new GraphWriter();
    const zero = g.zeroPoint('int8', 0);
    const x = g.input('x', 'int8', [1, 5]);
    const values = integers(random(9), 20, -127, 127);
    let from = 0;
    const pieces = parts.map((columns) => {
      const w = Int32Array.from(
        { length: 5 * columns },
        (_, i) => values[Math.floor(i / columns) * 4 + from + (i % columns)],
      );
      from += columns;
      const weights = g.constant('int8', [5, columns], w);
      return g.node('QLinearMatMul', [
        x,
        g.scale(1),
        zero,
        weights,
        g.scale(1 / 131),
        zero,
        g.scale(1),
        zero,
      ]);
    });
    const y = pieces.length === 1 ? pieces[0] : g.node('Concat', pieces, { axis: int(1) });
    return compile(g.finish([{ name: y, dtype: 'int8', shape: [1, 4] }]));
  };
  const digests: string[] = [];
  for (const [one, other] of [
    [sum(['p', 'q']), sum(['q', 'p'])],
    [dense([4]), dense([1, 3])],
  ]) {
    for (let k = 0; k < 50; k++) {
      const inputs = randomInputs(one, r);
      const [p, q] = [one, other].map((model) => {
        const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
        t.true(check(model.r1cs, witness).ok);
        return [...outputs.values()][0];
      });
      t.deepEqual(p, q);
    }
    digests.push(r1csDigest(one.r1cs), r1csDigest(other.r1cs));
  }
  // Addition commutes inside a row, so the two sums are one circuit; a layer cut in two is another circuit.
  t.is(digests[0], digests[1]);
  t.not(digests[2], digests[3]);
});
