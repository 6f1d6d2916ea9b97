import test from 'ava';
import { bn254 } from '@noble/curves/bn254.js';
import {
  G1,
  G2,
  Fr,
  type G1Value,
  type G2Value,
  addon,
  backends,
  g1,
  g2,
  kernel,
  strayTwistPoints,
} from '../support/native-operands.js';
import { random } from '../support/random.js';

if (addon === undefined) test.skip('native pairing: not built on this machine', (t) => t.fail());

const draw = random(64);
const r = Fr.ORDER;

for (const backend of backends) {
  const isOne = (pairs: readonly (readonly [G1Value, G2Value])[]): boolean =>
    kernel(
      backend,
      'pairing.product-is-one',
      g1.encode(pairs.map(([p]) => p)),
      g2.encode(pairs.map(([, q]) => q)),
    )[0] === 1;

  test(`${backend}: the pairing is bilinear and not degenerate`, (t) => {
    for (let i = 0; i < 10; i++) {
      const [a, b] = [draw.scalar(r), draw.scalar(r)];
      const [p, q] = [G1.BASE.multiply(a), G2.BASE.multiply(b)];
      t.true(
        isOne([
          [p, q],
          [G1.BASE.multiply(Fr.mul(a, b)).negate(), G2.BASE],
        ]),
      );
      t.false(
        isOne([
          [p, q],
          [G1.BASE.multiply(Fr.mul(a, b)), G2.BASE],
        ]),
      );
      t.false(isOne([[p, q]]));
    }
    t.true(isOne([]));
    t.true(
      isOne([
        [G1.ZERO, G2.BASE],
        [G1.BASE, G2.ZERO],
      ]),
    );
  });

  test(`${backend}: product checks agree with an independent library`, (t) => {
    for (let i = 0; i < 4; i++) {
      const logarithms = Array.from({ length: 3 }, () => [draw.scalar(r), draw.scalar(r)] as const);
      const sum = logarithms.reduce((total, [a, b]) => Fr.add(total, Fr.mul(a, b)), BigInt(i % 2));
      const all = [...logarithms, [Fr.neg(sum), 1n] as const].map(
        ([a, b]) => [G1.BASE.multiply(a), G2.BASE.multiply(b)] as const,
      );
      const product = bn254.pairingBatch(all.map(([p, q]) => ({ g1: p, g2: q })));
      t.is(isOne(all), bn254.fields.Fp12.eql(product, bn254.fields.Fp12.ONE));
      t.is(isOne(all), i % 2 === 0);
    }
  });

  test(`${backend}: the subgroup test accepts multiples of the generator and nothing else of the twist`, (t) => {
    const inside = [G2.BASE, G2.BASE.negate(), G2.BASE.multiply(draw.scalar(r))];
    t.deepEqual([...kernel(backend, 'g2.on-subgroup', g2.encode(inside))], [1, 1, 1]);
    const outside = strayTwistPoints(20);
    t.deepEqual([...kernel(backend, 'g2.on-subgroup', g2.encode(outside))], new Array(20).fill(0));
    // order r plus a stray part is still outside
    const mixed = outside.map((p) => p.add(G2.BASE));
    t.deepEqual([...kernel(backend, 'g2.on-subgroup', g2.encode(mixed))], new Array(20).fill(0));
  });
}
