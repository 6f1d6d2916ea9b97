/** Twenty random digits, proved for models/lenet5 and verified by three independent verifiers. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { curves, groth16 } from 'snarkjs';
import { compile } from '../../circuits/index.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import { loadDigits } from '../../models/train/digits.js';
import { SeededRandom } from '../../models/train/random.js';
import {
  encodeProof,
  proofToJson,
  verifyingKeyBytes,
  verifyingKeyToJson,
  vkHash,
} from '../../prover/codec.js';
import { selectEngine, setupDevelopment } from '../../prover/index.js';
import { verify } from '../../prover/verify.js';
import { registerModel, verifyOnChain } from '../../service/chain/registry.js';
import { modelIdOf, startChain, testModel } from '../support/chain.js';

// snarkjs keeps its worker threads until told otherwise.
test.after.always(async () => (await curves.getCurveFromName('bn128')).terminate());

test('lenet5: 20 random digits proved, verified by our verifier, by snarkjs and by the contract', async (t) => {
  t.timeout(15 * 60_000);
  const folder = await mkdtemp(join(tmpdir(), 'lenet5-'));
  const chain = await startChain();
  t.teardown(async () => {
    await chain.stop();
    await rm(folder, { recursive: true });
  });
  const model = compile(loadGraph(await readFile(join(process.cwd(), 'models/lenet5/model.onnx'))));
  const zkey = join(folder, 'lenet5.zkey');
  const key = await setupDevelopment(model.r1cs, zkey);
  const identity = { ...testModel(1, 'lenet5').identity, vkHash: vkHash(key) };
  await registerModel(chain.accounts[0]!, chain.deployment, identity, verifyingKeyBytes(key));
  const { engine } = await selectEngine();
  const loaded = await engine.loadKey(zkey);
  const digits = loadDigits();
  const random = new SeededRandom(21);
  for (let i = 0; i < 20; i++) {
    const inputs = model.quantizeInput({ image: digits[Math.floor(random.between(0, digits.length))]!.x });
    const { witness, publicSignals } = model.computeWitness({ inputs, ctx: BigInt(i + 1), salt: 99n });
    const proof = await loaded.prove(witness);
    const bytes = encodeProof(proof);
    t.true(await verify(key, publicSignals, proof));
    t.true(await groth16.verify(verifyingKeyToJson(key), publicSignals.map(String), proofToJson(proof)));
    t.true(await verifyOnChain(chain.provider, chain.deployment, modelIdOf(identity), publicSignals, bytes));
    const forged = publicSignals.with(-1, publicSignals.at(-1)! + 1n);
    t.false(await verify(key, forged, proof));
    await t.throwsAsync(verifyOnChain(chain.provider, chain.deployment, modelIdOf(identity), forged, bytes));
  }
  await loaded.close();
});
