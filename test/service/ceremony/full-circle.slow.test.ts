import test from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeProof, verifyingKeyBytes } from '../../../prover/codec.js';
import { selectEngine } from '../../../prover/index.js';
import { type ContextFields, contextSignal } from '../../../circuits/public-signals.js';
import { registerModel } from '../../../service/chain/registry.js';
import { requestIdOf, settle } from '../../../service/chain/settlement.js';
import { chainBeacon } from '../../../service/ceremony/beacon.js';
import { Ceremony, defaultLimits, openCeremony } from '../../../service/ceremony/ceremony.js';
import { contribute } from '../../../service/ceremony/client.js';
import { installCeremonyModel } from '../../../service/ceremony/install.js';
import { serveCeremony } from '../../../service/ceremony/server.js';
import { compileUpload } from '../../../service/install.js';
import { InvalidCeremony } from '../../../prover/ceremony-error.js';
import { writeR1cs } from '../../../circuits/r1cs/file.js';
import { makePhase1 } from '../../support/ceremony.js';
import { farDeadline, startChain } from '../../support/chain.js';

const modes = { inputMode: 'committed', outputMode: 'packed' } as const;

test('a ceremony with five contributors and a block as beacon ends in a key that proves and settles', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-full-circle-'));
  const chain = await startChain();
  t.teardown(async () => {
    await chain.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const onnx = readFileSync('models/digits8x8/model.onnx');
  const { compiled } = compileUpload(onnx, modes);
  const r1csPath = join(folder, 'circuit.r1cs');
  await writeR1cs(r1csPath, compiled.r1cs);
  const home = join(folder, 'ceremony');
  await openCeremony({
    folder: home,
    r1csPath,
    phase1Path: await makePhase1(folder, 11),
    minimumContributions: 5,
  });

  const beacon = await chainBeacon(chain.provider);
  const ceremony = await Ceremony.resume(home, { beacon, limits: defaultLimits });
  const coordinator = await serveCeremony(ceremony, { sweepMs: 200 });
  for (const name of ['ada', 'bob', 'cyd', 'dee', 'eva'])
    await contribute(coordinator.url, { name, pollMs: 20 });
  await ceremony.announceBeacon((await beacon.height()) + 30);
  await chain.provider.send('anvil_mine', ['0x40']);
  while (!ceremony.transcript.final) await new Promise((resolve) => setTimeout(resolve, 50));
  await coordinator.close();

  const modelsFolder = join(folder, 'models');
  const installed = await installCeremonyModel(onnx, home, { name: 'digits', modelsFolder, beacon });
  const { identity, modelId } = installed.description;
  t.is(identity.setupClass, 'ceremony');
  t.is(identity.contributorCount, 5);
  t.is(identity.transcriptDigest, ceremony.transcript.digest);

  const { engine } = await selectEngine();
  const key = await engine.loadKey(join(installed.folder, 'key.zkey'));
  t.teardown(() => key.close());
  const signer = chain.accounts[0]!;
  const registration = await registerModel(
    signer,
    chain.deployment,
    { ...identity, setupClass: 2 },
    verifyingKeyBytes(key.verifyingKey),
  );
  t.is(registration.modelId, modelId);

  const operator = chain.addresses[0]!;
  const terms = {
    ...{ modelId, requester: chain.addresses[1]!, nonce: 7n },
    ...{ operator, payee: operator, deadline: farDeadline },
  };
  const { chainId, settlement: contract } = chain.deployment;
  const requestId = requestIdOf(terms);
  const ctx = contextSignal({
    domain: 'verinfer/settlement/v1',
    ...{ chainId: BigInt(chainId), contract, requestId, modelId, vkHash: identity.vkHash },
    ...{ operator, payee: operator, deadline: farDeadline },
  } as ContextFields);
  const inputs = new Map(
    compiled.manifest.inputs.map(({ name, shape }) => [
      name,
      new Int32Array(shape.reduce((a, b) => a * b, 1)),
    ]),
  );
  const { witness, publicSignals } = compiled.computeWitness({ inputs, ctx, salt: 5n });
  const proof = await key.prove(witness);
  const settled = await settle(signer, chain.deployment, {
    ...terms,
    signals: publicSignals.slice(1),
    proof: encodeProof(proof),
  });
  t.is(settled.modelId, modelId);

  await t.throwsAsync(
    installCeremonyModel(readFileSync('models/lenet5/model.onnx'), home, { name: 'another', modelsFolder }),
    { instanceOf: InvalidCeremony },
    'T11: the ceremony of another circuit',
  );
});
