import test from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groth16, zKey } from 'snarkjs';
import { UnsatisfiedWitness } from '../../prover/engine.js';
import { checkCircuit, setupDevelopment, UnsoundCircuit } from '../../prover/setup.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { encodeWitness } from '../../prover/files/wtns.js';
import { bitCircuit, r1csOf } from '../support/bit-circuit.js';

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

  const { proof, publicSignals } = await groth16.prove(path, encodeWitness(witness(Math.random)));
  t.true(await groth16.verify(exported, publicSignals, proof));
  t.false(await groth16.verify(exported, [publicSignals[1], publicSignals[0]], proof));

  const key = await snarkjsEngine.loadKey(path);
  t.teardown(() => key.close());
  t.deepEqual(key.verifyingKey, vk);
  const stages: string[] = [];
  await key.prove(witness(Math.random), { onStage: (stage) => stages.push(stage) });
  t.deepEqual(stages, ['abc', 'ntt', 'msm-witness', 'msm-h', 'verify']);

  const wrong = witness(Math.random);
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
