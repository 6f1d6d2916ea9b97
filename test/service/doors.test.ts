/** A key that anyone can forge for, and one that its maker can: forged for real, and refused at every door. */
import test from 'ava';
import { Contract } from 'ethers';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { r } from '../../prover/curve.js';
import { verifyingKeyBytes } from '../../prover/codec.js';
import { exportVerifyingKey } from '../../prover/export.js';
import { UnsafeVerifyingKey } from '../../prover/index.js';
import { verify } from '../../prover/verify.js';
import { audit } from '../../service/audit/audit.js';
import { readSubject } from '../../service/audit/subject.js';
import { artifact } from '../../service/chain/artifacts.js';
import { ChainRefused, named } from '../../service/chain/errors.js';
import { registerModel } from '../../service/chain/registry.js';
import { type InstalledModel, installModel } from '../../service/install.js';
import { createLog } from '../../service/log.js';
import { ProverChild } from '../../service/proving/child.js';
import { loadProver } from '../../service/proving/loaded-prover.js';
import { verifyReceipt } from '../../service/verifier/index.js';
import { type Chain, startChain } from '../support/chain.js';
import { random, seedFrom } from '../support/random.js';
import { stageModel, stageReceipt } from '../support/receipt.js';
import { endSnarkjs } from '../support/snarkjs.js';
import { forgeFor, type UnsafeModel, withoutContribution } from '../support/unsafe-model.js';

let folder: string;
let honest: InstalledModel;
let unsafe: UnsafeModel;
const chains: Chain[] = [];
const chainOf = async (chainId: number): Promise<Chain> => {
  const chain = await startChain({ chainId });
  chains.push(chain);
  return chain;
};

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verinfer-doors-'));
  honest = await installModel(await readFile('models/digits8x8/model.onnx'), {
    ...{ name: 'digits', modelsFolder: join(folder, 'models') },
  });
  unsafe = await withoutContribution(honest, join(folder, 'unsafe'));
});
test.after.always(async () => {
  for (const chain of chains) await chain.stop();
  await endSnarkjs();
  await rm(folder, { recursive: true, force: true });
});

test.serial('T01 a real model with γ = δ: anyone forges any answer of it', async (t) => {
  const draw = random(seedFrom(t.log));
  for (let i = 0; i < 5; i++) {
    const signals = unsafe.key.ic.slice(1).map(() => draw.scalar(r));
    t.true(await verify(unsafe.key, signals, forgeFor(unsafe.key, signals)));
  }
});

const refused = { instanceOf: UnsafeVerifyingKey, message: /delta must be different from gamma/ };

test.serial('T01 export refuses it', (t) => {
  t.throws(() => exportVerifyingKey(join(unsafe.folder, 'key.zkey')), refused);
});

test.serial('T01 registration refuses it, and so does the contract asked without us', async (t) => {
  const { accounts, deployment, provider } = await chainOf(31337);
  const vk = verifyingKeyBytes(unsafe.key);
  await t.throwsAsync(registerModel(accounts[0]!, deployment, unsafe.identity, vk), refused);
  const { abi } = artifact('ModelRegistry');
  const registry = new Contract(deployment.registry, abi, provider);
  const error = await t.throwsAsync<ChainRefused>(
    named('registerModel', () => registry.getFunction('registerModel').staticCall(unsafe.identity, vk)),
    { instanceOf: ChainRefused },
  );
  t.is(error!.reason, 'UnsafeVerifyingKey');
  const good = verifyingKeyBytes(exportVerifyingKey(join(honest.folder, 'key.zkey')));
  const { identity } = honest.description;
  await t.notThrowsAsync(registerModel(accounts[0]!, deployment, { ...identity, setupClass: 1 }, good));
});

test.serial('T01 the service loads no such model, with either engine, in its prover process', async (t) => {
  const { modelId, files } = unsafe;
  // The native engine says it in its own words.
  const atLoad = /delta must be (different from gamma|contributed to)/;
  for (const engine of ['auto', 'snarkjs'] as const)
    await t.throwsAsync(loadProver(unsafe.folder, modelId, files, engine), { message: atLoad }, engine);
  const limits = { niceness: 5, threadCount: 1, memoryBytes: 2 ** 33, deadlineMs: 60_000, recycleAfter: 10 };
  const child = new ProverChild(
    fileURLToPath(new URL('../../service/proving/thread.js', import.meta.url)),
    { ...limits, readableFolders: [join(folder, 'models'), join(folder, 'unsafe')] },
    createLog({ logLevel: 'silent' }, 'test'),
  );
  t.teardown(() => child.close());
  const load = (model: { folder: string; files: UnsafeModel['files'] }, id: string) =>
    child.run({
      type: 'load',
      job: { ...{ modelId: id, folder: model.folder, files: model.files }, engine: 'auto' },
    });
  const end = await load(unsafe, modelId);
  t.is(end.kind, 'died');
  t.regex((end as { detail: string }).detail, atLoad);
  t.is((await load(honest, honest.description.modelId)).kind, 'loaded', 'an honest one is');
});

test.serial('T01 the audit refuses it', async (t) => {
  const report = await audit(await readSubject(unsafe.folder, {}), {});
  t.is(report.exitCode, 1);
  const failed = report.checks.filter(({ status }) => status === 'fail').map(({ id }) => id);
  t.deepEqual(failed, ['key-safe', 'key-circuit']);
});

test.serial(
  'T02 a development key is refused by a chain that holds value, by a demand for a ceremony, and by an audit',
  async (t) => {
    // The forgery is real: no network ran and no witness exists, the trapdoor alone made this receipt.
    const staged = await stageReceipt(stageModel(63));
    t.true((await verifyReceipt(staged.receipt, staged.expectations)).valid, 'accepted as what it is');
    const strict = { ...staged.expectations, minimumSetupClass: 'ceremony' as const };
    t.false((await verifyReceipt(staged.receipt, strict)).valid);

    const { identity } = honest.description;
    const vk = verifyingKeyBytes(exportVerifyingKey(join(honest.folder, 'key.zkey')));
    const mainnet = await chainOf(1);
    const error = await t.throwsAsync<ChainRefused>(
      registerModel(mainnet.accounts[0]!, mainnet.deployment, { ...identity, setupClass: 1 }, vk),
      { instanceOf: ChainRefused },
    );
    t.is(error!.reason, 'DevSetupRefused');

    const subject = await readSubject(honest.folder, {});
    const report = await audit(subject, { expectations: { minimumSetupClass: 'ceremony' } });
    t.deepEqual(
      report.checks.filter(({ status }) => status === 'fail').map(({ id }) => id),
      ['setup'],
    );
    t.is((await audit(subject, {})).exitCode, 0);
    t.true(
      report.trust.some(({ id, applies }) => id === 'setup-dev' && applies),
      'the banner',
    );
  },
);
