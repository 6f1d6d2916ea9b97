import test from 'ava';
import type { Fp2 } from '@noble/curves/abstract/tower.js';
import { random } from '../support/random.js';
import {
  Fp,
  Fq2,
  Fr,
  addon,
  backends,
  decode,
  decodeFq2,
  encode,
  encodeFq2,
  kernel,
} from '../support/native-operands.js';

if (addon === undefined) test.skip('native fields: not built on this machine', (t) => t.fail());

const draw = random(61);

for (const backend of backends) {
  for (const [name, field] of [
    ['fr', Fr],
    ['fq', Fp],
  ] as const) {
    const p = field.ORDER;
    const edges = [0n, 1n, 2n, p - 1n, p - 2n, (p - 1n) / 2n, (1n << 253n) - 1n, 0xffff_ffff_ffff_ffffn];
    const values = [...edges, ...Array.from({ length: 200 }, () => draw.scalar(p))];
    const pairs = [
      ...edges.flatMap((a) => edges.map((b) => [a, b] as const)),
      ...values.map((a, i) => [a, values[(7 * i + 3) % values.length]] as const),
    ];
    test(`${backend}: ${name} adds, subtracts and multiplies like its twin, edges included`, (t) => {
      const [a, b] = [encode(pairs.map(([x]) => x)), encode(pairs.map(([, y]) => y))];
      for (const [op, twin] of [
        ['add', field.add],
        ['subtract', field.sub],
        ['multiply', field.mul],
      ] as const) {
        t.deepEqual(
          decode(kernel(backend, `${name}.${op}`, a, b)),
          pairs.map(([x, y]) => twin.call(field, x, y)),
          op,
        );
      }
    });
    test(`${backend}: ${name} inverts like its twin, alone and in batches, zero to zero`, (t) => {
      const expected = values.map((v) => (v === 0n ? 0n : field.inv(v)));
      t.deepEqual(decode(kernel(backend, `${name}.inverse`, encode(values))), expected);
      t.deepEqual(decode(kernel(backend, `${name}.batch-inverse`, encode(values))), expected);
      t.deepEqual(
        decode(kernel(backend, `${name}.square`, encode(values))),
        values.map((v) => field.sqr(v)),
      );
    });
    test(`${backend}: ${name} refuses operands that are not canonical or do not match`, (t) => {
      t.throws(() => kernel(backend, `${name}.inverse`, encode([p])), { message: /canonical/ });
      t.throws(() => kernel(backend, `${name}.add`, encode([1n]), encode([1n, 2n])), {
        message: /canonical/,
      });
      t.throws(() => kernel(backend, `${name}.add`, encode([1n])), { message: /canonical/ });
    });
  }

  test(`${backend}: fq2 agrees with its twin`, (t) => {
    const parts = [0n, 1n, Fp.ORDER - 1n, ...Array.from({ length: 8 }, () => draw.scalar(Fp.ORDER))];
    const values: Fp2[] = parts.flatMap((c0) => parts.map((c1) => ({ c0, c1 })));
    const others = values.map((_, i) => values[(5 * i + 1) % values.length]);
    for (const [op, twin] of [
      ['add', Fq2.add],
      ['subtract', Fq2.sub],
      ['multiply', Fq2.mul],
    ] as const) {
      t.deepEqual(
        decodeFq2(kernel(backend, `fq2.${op}`, encodeFq2(values), encodeFq2(others))),
        values.map((v, i) => twin.call(Fq2, v, others[i])),
        op,
      );
    }
    t.deepEqual(
      decodeFq2(kernel(backend, 'fq2.square', encodeFq2(values))),
      values.map((v) => Fq2.sqr(v)),
    );
    const inverses = values.map((v) => (Fq2.is0(v) ? Fq2.ZERO : Fq2.inv(v)));
    t.deepEqual(decodeFq2(kernel(backend, 'fq2.inverse', encodeFq2(values))), inverses);
    t.deepEqual(decodeFq2(kernel(backend, 'fq2.batch-inverse', encodeFq2(values))), inverses);
  });
}
