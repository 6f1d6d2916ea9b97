import test from 'ava';
import { bn254 } from '@noble/curves/bn254.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groth16 } from 'snarkjs';
import { proofToJson, verifyingKeyToJson } from '../../prover/codec.js';
import type { G1Point, G2Point, Proof } from '../../prover/keys.js';
import { r } from '../../prover/curve.js';
import { setupWith } from '../../prover/setup.js';
import { verify } from '../../prover/verify.js';
import { trustStatements } from '../../service/trust.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { random } from '../support/random.js';
import { endSnarkjs } from '../support/snarkjs.js';

test.after.always(endSnarkjs);

test('T02 whoever kept the trapdoor of a development key forges any statement, and the class says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-forgery-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const draw = random(99);
  const [alpha, beta, gamma, delta, tau] = Array.from({ length: 5 }, () => draw.scalar(r));
  const vk = await setupWith(
    bitCircuit(40).r1cs,
    { alpha, beta, gamma, delta, tau },
    join(folder, 'dev.zkey'),
  );

  // a·b = αβ + γ·vk_x + δ·c, solved for c in the exponent: no witness, any signals.
  const { Fr } = bn254.fields;
  const signals = [42n, 7n];
  const publicPoint = vk.ic
    .map(([x, y], i) => bn254.G1.Point.fromAffine({ x, y }).multiply(i === 0 ? 1n : signals[i - 1]))
    .reduce((p, q) => p.add(q));
  const [a, b] = [draw.scalar(r), draw.scalar(r)];
  const known = Fr.div(Fr.sub(Fr.mul(a, b), Fr.mul(alpha, beta)), delta);
  const c = bn254.G1.Point.BASE.multiply(known).add(publicPoint.multiply(Fr.neg(Fr.div(gamma, delta))));
  const affine = ({ x, y }: { x: bigint; y: bigint }): G1Point => [x, y];
  const twist = bn254.G2.Point.BASE.multiply(b).toAffine();
  const g2: G2Point = [
    [twist.x.c0, twist.x.c1],
    [twist.y.c0, twist.y.c1],
  ];
  const forged: Proof = {
    a: affine(bn254.G1.Point.BASE.multiply(a).toAffine()),
    b: g2,
    c: affine(c.toAffine()),
  };
  t.true(await verify(vk, signals, forged));
  t.true(await groth16.verify(verifyingKeyToJson(vk), signals.map(String), proofToJson(forged)));

  const banner = trustStatements({ setupClass: 'dev-single-party', contributorCount: 1 }).filter(
    ({ applies }) => applies,
  );
  t.true(banner.some(({ id, sentence }) => id === 'setup-dev' && sentence.length > 0));
  const ceremony = trustStatements({ setupClass: 'ceremony', contributorCount: 5 });
  t.false(ceremony.find(({ id }) => id === 'setup-dev')!.applies);
});
