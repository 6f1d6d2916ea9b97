import test from 'ava';
import { bitReversed, evaluate, extendToOddCoset, interpolate } from '../../prover/ntt.js';
import { domainGenerator } from '../../prover/qap.js';
import { Fr, addon, backends, decode, encode, kernel, u32 } from '../support/native-operands.js';
import { random } from '../support/random.js';

const draw = random(63);
const r = Fr.ORDER;
const someValues = (n: number): bigint[] =>
  Array.from({ length: n }, (_, i) => [0n, 1n, r - 1n][i] ?? draw.scalar(r));
const times = (values: readonly bigint[], k: number): bigint[] => values.map((v) => Fr.mul(v, BigInt(k)));

test('the twin evaluates by definition, and interpolation undoes evaluation', (t) => {
  for (const n of [1, 2, 4, 8, 32]) {
    const coefficients = someValues(n);
    const [omega, g] = [domainGenerator(n), domainGenerator(2 * n)];
    const at = (x: bigint): bigint => coefficients.reduceRight((sum, c) => Fr.add(Fr.mul(sum, x), c), 0n);
    const points = Array.from({ length: n }, (_, i) => Fr.pow(omega, BigInt(i)));
    t.deepEqual(evaluate(coefficients), points.map(at));
    t.deepEqual(
      evaluate(coefficients, g),
      points.map((x) => at(Fr.mul(g, x))),
    );
    t.deepEqual(interpolate(evaluate(coefficients)), coefficients);
  }
});

if (addon === undefined) test.skip('native transforms: not built on this machine', (t) => t.fail());

for (const backend of backends) {
  test(`${backend}: the inverse transform equals its twin on every domain from 1 to 2^11`, (t) => {
    for (let k = 0; k <= 11; k++) {
      const values = someValues(2 ** k);
      const expected = times(bitReversed(interpolate(values)), 2 ** k);
      t.deepEqual(decode(kernel(backend, 'ntt.inverse', encode(values))), expected, `2^${k}`);
    }
  });

  test(`${backend}: the extension to the odd coset equals its twin on every domain from 1 to 2^13, any threads`, (t) => {
    for (let k = 0; k <= 13; k++) {
      const values = someValues(2 ** k);
      const expected = times(extendToOddCoset(values), 2 ** k);
      const threads = (k % 3) + 1;
      t.deepEqual(decode(kernel(backend, 'ntt.extend', encode(values), u32(threads))), expected, `2^${k}`);
    }
  });

  test(`${backend}: the extension is linear, and keeps constants`, (t) => {
    const [f, g] = [someValues(256), someValues(256)];
    const extend = (values: bigint[]): bigint[] =>
      decode(kernel(backend, 'ntt.extend', encode(values), u32(2)));
    const k = draw.scalar(r);
    const combined = f.map((v, i) => Fr.add(v, Fr.mul(k, g[i])));
    const [ef, eg] = [extend(f), extend(g)];
    t.deepEqual(
      extend(combined),
      ef.map((v, i) => Fr.add(v, Fr.mul(k, eg[i]))),
    );
    t.deepEqual(extend(new Array(64).fill(5n)), new Array(64).fill(320n));
  });

  test(`${backend}: a length that is not a power of two is refused`, (t) => {
    for (const n of [0, 3, 12]) {
      t.throws(() => kernel(backend, 'ntt.inverse', encode(someValues(n))), { message: /matching lengths/ });
    }
  });
}
