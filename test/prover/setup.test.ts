import test from 'ava';
import { bn254 } from '@noble/curves/bn254.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groth16, zKey } from 'snarkjs';
import { UnsatisfiedWitness } from '../../prover/engine.js';
import { checkVerifyingKey, UnsafeVerifyingKey } from '../../prover/key-check.js';
import { q } from '../../prover/curve.js';
import type { G2Point, VerifyingKey } from '../../prover/keys.js';
import { checkCircuit, setupDevelopment, UnsoundCircuit } from '../../prover/setup.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { verify } from '../../prover/verify.js';
import { encodeWitness } from '../../circuits/r1cs/file.js';
import { bitCircuit, r1csOf } from '../support/bit-circuit.js';
import { random } from '../support/random.js';

const draw = random(17);
const uniform = (): number => draw.below(2 ** 32) / 2 ** 32;
const folder = mkdtempSync(join(tmpdir(), 'verinfer-setup-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test.serial('a development key proves in snarkjs, and snarkjs exports the same verifying key', async (t) => {
  const { r1cs, witness } = bitCircuit(200);
  const path = join(folder, 'bits.zkey');
  const shares: number[] = [];
  const vk = await setupDevelopment(r1cs, path, { onProgress: (share) => shares.push(share) });
  t.is(shares.at(-1), 1);

  const exported = await zKey.exportVerificationKey(path);
  t.deepEqual(exported['vk_alpha_1'], [`${vk.alpha[0]}`, `${vk.alpha[1]}`, '1']);
  t.deepEqual(
    exported['IC'],
    vk.ic.map(([x, y]) => [`${x}`, `${y}`, '1']),
  );

  const { proof, publicSignals } = await groth16.prove(path, encodeWitness(witness(uniform)));
  t.true(await groth16.verify(exported, publicSignals, proof));
  t.false(await groth16.verify(exported, [publicSignals[0], `${BigInt(publicSignals[1]) + 1n}`], proof));

  const key = await snarkjsEngine.loadKey(path);
  t.teardown(() => key.close());
  t.deepEqual(key.verifyingKey, vk);
  const stages: string[] = [];
  await key.prove(witness(uniform), { onStage: (stage) => stages.push(stage) });
  t.deepEqual(stages, ['abc', 'ntt', 'msm-witness', 'msm-h', 'verify']);

  const wrong = witness(uniform);
  wrong.small[wrong.small.length - 1] += 1;
  await t.throwsAsync(key.prove(wrong), { instanceOf: UnsatisfiedWitness });
});

test('C05 a public signal in no constraint is refused by setup', async (t) => {
  const one = new Map([[0, 1n]]);
  const free = r1csOf(4, 2, [[new Map([[3, 1n]]), one, new Map([[1, 1n]])]]);
  const error = t.throws(() => checkCircuit(free), { instanceOf: UnsoundCircuit });
  t.is(error?.what, 'public signal 2');
  await t.throwsAsync(setupDevelopment(free, join(folder, 'free.zkey')), { instanceOf: UnsoundCircuit });
});

test.serial('C06 an IC point that is infinite, repeated or negated makes a key unusable', async (t) => {
  const vk = await setupDevelopment(bitCircuit(60, 3).r1cs, join(folder, 'ic.zkey'));
  t.notThrows(() => checkVerifyingKey(vk, 3));
  const [x, y] = vk.ic[1];
  const refused: [string, VerifyingKey['ic']][] = [
    ['infinite', [vk.ic[0], [0n, 0n], vk.ic[2], vk.ic[3]]],
    ['repeated', [vk.ic[0], vk.ic[1], vk.ic[1], vk.ic[3]]],
    ['negated', [vk.ic[0], vk.ic[1], [x, q - y], vk.ic[3]]],
    ['too few', vk.ic.slice(0, 3)],
    ['too many', [...vk.ic, vk.alpha]],
  ];
  for (const [name, ic] of refused) {
    t.throws(() => checkVerifyingKey({ ...vk, ic }, 3), { instanceOf: UnsafeVerifyingKey }, name);
  }
  const generator = bn254.G2.Point.BASE.toAffine();
  const g2: G2Point = [
    [generator.x.c0, generator.x.c1],
    [generator.y.c0, generator.y.c1],
  ];
  t.throws(() => checkVerifyingKey({ ...vk, delta: vk.gamma }, 3), { instanceOf: UnsafeVerifyingKey });
  t.throws(() => checkVerifyingKey({ ...vk, delta: g2 }, 3), { instanceOf: UnsafeVerifyingKey });
});

test.serial('finding-9: a key with δ = −γ forges like one with δ = γ, and is refused like it', async (t) => {
  const vk = await setupDevelopment(bitCircuit(60, 3).r1cs, join(folder, 'negated.zkey'));
  const negated = ([x, [c0, c1]]: G2Point): G2Point => [x, [(q - c0) % q, (q - c1) % q]];
  const forgeable = { ...vk, delta: negated(vk.gamma) };
  const signals = [5n, 6n, 7n];
  const point = vk.ic
    .map(([x, y], i) => bn254.G1.Point.fromAffine({ x, y }).multiply(i === 0 ? 1n : signals[i - 1]))
    .reduce((sum, term) => sum.add(term))
    .toAffine();
  t.true(await verify(forgeable, signals, { a: vk.alpha, b: vk.beta, c: [point.x, point.y] }));
  for (const unsafe of [
    forgeable,
    { ...vk, beta: vk.gamma },
    { ...vk, beta: negated(vk.gamma) },
    { ...vk, beta: negated(vk.delta) },
  ])
    t.throws(() => checkVerifyingKey(unsafe, 3), { instanceOf: UnsafeVerifyingKey });
});
