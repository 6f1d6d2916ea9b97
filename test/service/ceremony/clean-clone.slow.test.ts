/**
 * The whole promise at once: a ceremony run by separate processes, a key that proves and settles, and a stranger who
 * clones the repository and checks the receipt with nothing but a file by mail, the ceremony's folder and a node.
 */
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Wallet } from 'ethers';
import { type ContextFields, contextSignal } from '../../../circuits/public-signals.js';
import { encodeProof, verifyingKeyBytes } from '../../../prover/codec.js';
import { selectEngine } from '../../../prover/index.js';
import { contributeKey } from '../../../prover/phase2.js';
import { registerModel } from '../../../service/chain/registry.js';
import { requestIdOf, settle } from '../../../service/chain/settlement.js';
import { ceremonyPaths } from '../../../service/ceremony/folder.js';
import { readTranscript, type Transcript } from '../../../service/ceremony/transcript.js';
import { buildReceipt, encodeReceipt, signReceipt } from '../../../service/receipt.js';
import type { Check } from '../../../service/verifier/index.js';
import { makePhase1 } from '../../support/ceremony.js';
import {
  contributeWithSnarkjs,
  joinQueue,
  sendHalf,
  startCoordinator,
  upload,
  verinfer,
} from '../../support/ceremony-processes.js';
import { type Chain, farDeadline, startChain } from '../../support/chain.js';
import { type CleanClone, cleanClone } from '../../support/clean-clone.js';
import { executedHash, openProvenModel } from '../../support/proven-model.js';
import { random } from '../../support/random.js';

const onnxPath = 'models/digits8x8/model.onnx';
const folder = mkdtempSync(join(tmpdir(), 'verinfer-clean-clone-'));
const at = (name: string): string => join(folder, name);
let chain: Chain;
let modelId: string;
let requestId: string;
let operator: string;
let clone: CleanClone;

test.before(async () => {
  chain = await startChain();
});
test.after.always(async () => {
  await chain.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.serial(
  'five contribute, one with snarkjs alone, one stalls, one cheats, the coordinator is killed, a block closes',
  async (t) => {
    const home = at('coordinator');
    const { rpcUrl } = chain.anvil;
    await verinfer('compile', onnxPath, '--out', at('circuit.r1cs'));
    const phase1 = await makePhase1(folder, 11);
    await verinfer(
      ...['ceremony', 'open', home, '--circuit', at('circuit.r1cs'), '--phase1', phase1],
      ...['--model', onnxPath, '--minimum', '5'],
    );
    const turnSeconds = 30;
    let coordinator = await startCoordinator(home, rpcUrl, turnSeconds);
    const shown: string[] = [];
    const contribute = async (name: string): Promise<void> => {
      const text = await verinfer('ceremony', 'contribute', coordinator.url, '--name', name);
      shown.push(/^contribution ([0-9a-f]{128})$/m.exec(text)![1]!);
    };
    await contribute('ada');
    await sendHalf(coordinator.url, 'stalls', folder);
    await coordinator.kill();
    coordinator = await startCoordinator(home, rpcUrl, turnSeconds);
    // Behind whoever stalls: their turn comes when that one has run out.
    shown.push(await contributeWithSnarkjs(coordinator.url, 'eva', folder));
    const cheat = await joinQueue(coordinator.url, 'cheats');
    const { opened } = await readTranscript(ceremonyPaths(home).transcript);
    await contributeKey(ceremonyPaths(home).key(opened.initialKey), at('cheat.zkey'), { name: 'cheats' });
    t.is((await upload(coordinator.url, cheat, at('cheat.zkey'))).status, 422);
    for (const name of ['bob', 'cyd', 'dee']) await contribute(name);
    await coordinator.stop();
    const height = (await chain.provider.getBlockNumber()) + 40;
    await verinfer('ceremony', 'announce', home, '--rpc', rpcUrl, '--height', `${height}`);
    coordinator = await startCoordinator(home, rpcUrl, turnSeconds);
    await chain.provider.send('anvil_mine', ['0x40']);
    await eventually(async () => (await state(coordinator.url)) === 'final');
    const copied = await verinfer('ceremony', 'fetch', coordinator.url, at('copy'));
    await coordinator.stop();

    const transcript: Transcript = await readTranscript(ceremonyPaths(at('copy')).transcript);
    t.true(copied.includes(`${transcript.digest}, final`));
    const hashes = transcript.contributions.map(({ contributionHash }) => contributionHash);
    t.deepEqual(hashes, shown, 'each finds the hash they were shown, snarkjs’s included');
    const skipped = transcript.entries.filter((entry) => entry.kind === 'skipped');
    t.deepEqual(
      skipped.map(({ name, reason }) => `${name}: ${reason}`),
      ['stalls: timeout', 'cheats: invalid'],
    );
    const key = ceremonyPaths(at('copy')).key(transcript.final!.key);
    const theirs = spawnSync(
      'node_modules/.bin/snarkjs',
      ['zkey', 'verify', at('circuit.r1cs'), phase1, key],
      { encoding: 'utf8' },
    );
    t.is(theirs.status, 0, theirs.stdout);
    t.regex(theirs.stdout, /ZKey Ok!/);

    const installed = await verinfer(
      ...['ceremony', 'install', at('copy'), onnxPath, '--name', 'digits', '--rpc', rpcUrl],
      ...['--models', at('models')],
    );
    modelId = /^modelId (0x[0-9a-f]{64})$/m.exec(installed)![1]!;
    await t.throwsAsync(
      verinfer(
        'ceremony',
        'install',
        at('copy'),
        'models/lenet5/model.onnx',
        '--name',
        'x',
        '--models',
        at('models'),
      ),
      { message: /circuit must be/ },
      'T11: the ceremony of another circuit',
    );
  },
);

test.serial(
  'its key proves, the proof settles, and the receipt and its model go into one file',
  async (t) => {
    const model = await openProvenModel(join(at('models'), modelId));
    const { compiled, identity, key } = model;
    const signer = chain.accounts[0]!;
    await registerModel(signer, chain.deployment, { ...identity, setupClass: 2 }, verifyingKeyBytes(key));
    const wallet = new Wallet(chain.anvil.privateKeys[0]!);
    operator = wallet.address.toLowerCase();
    const request = { requester: chain.addresses[1]!.toLowerCase(), nonce: '7' };
    const terms = {
      ...{ modelId, requester: request.requester, nonce: 7n },
      ...{ operator, payee: operator, deadline: farDeadline },
    };
    requestId = requestIdOf(terms);
    const { chainId, settlement: contract } = chain.deployment;
    const statement = {
      ...{ domainTag: 'verinfer/settlement/v1' as const, chainId: `${chainId}`, contract, requestId },
      ...{ modelId, vkHash: identity.vkHash, operator, payee: operator, deadline: `${farDeadline}` },
    };
    const ctx = contextSignal({
      ...statement,
      ...{ domain: statement.domainTag, chainId: BigInt(chainId), deadline: farDeadline },
    } as ContextFields);
    const draw = random(8);
    const inputs = compiled.manifest.inputs.map(({ name, dtype, shape }) => ({
      ...{ name, dtype, shape },
      values: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw.below(256) - 128),
    }));
    const salt = `0x${Buffer.from(draw.bytes(31)).toString('hex')}`;
    const { witness, publicSignals, outputs } = compiled.computeWitness({
      inputs: new Map(inputs.map(({ name, values }) => [name, Int32Array.from(values)])),
      ...{ ctx, salt: BigInt(salt) },
    });
    const loaded = await (await selectEngine()).engine.loadKey(join(model.folder, 'key.zkey'));
    const proof = await loaded.prove(witness);
    await loaded.close();
    const { transactionHash, blockNumber, blockHash } = await settle(signer, chain.deployment, {
      ...{ ...terms, signals: publicSignals.slice(1), proof: encodeProof(proof) },
    });
    await chain.provider.send('anvil_mine', ['0x60']);
    const receipt = await buildReceipt({
      ...{ statement, request, model: identity, manifest: compiled.manifest, verifyingKey: key },
      ...{ proof, publicSignals, opening: { inputs, salt }, agreement: null },
      outputs: compiled.manifest.outputs.map(({ name, dtype, shape }) => ({
        ...{ name, dtype, shape },
        values: Array.from(outputs.get(name) ?? []),
      })),
      executed: { graphHash: executedHash(model), onnxruntime: '1.30.0', selfTest: 'pass' },
      runtime: { verinfer: '0.1.0', engine: 'native', node: 'v20', platform: 'linux', cpu: 'x86-64' },
      settlement: { state: 'settled', transactionHash, blockNumber, blockHash, final: true },
    });
    writeFileSync(at('receipt.json'), encodeReceipt(await signReceipt(receipt, wallet)));
    writeFileSync(at('deployment.json'), JSON.stringify(chain.deployment));
    await verinfer('bundle', at('receipt.json'), '--onnx', onnxPath, '--out', at('bundle.json'));
    t.pass();
  },
);

const expectations = () => [
  ...['--model', modelId, '--request', requestId, '--operator', operator],
  ...['--minimum-setup', 'ceremony', '--deployment', at('deployment.json')],
];
const audit = async (options: string[], network = true): Promise<{ checks: Check[]; wallMs: number }> => {
  const args = [join(clone.folder, 'dist/service/cli.js'), 'audit', at('bundle.json'), ...expectations()];
  // Five minutes is what the audit of a small model may take; a longer one is killed.
  return JSON.parse(await clone.node([...args, ...options, '--json'], { timeoutMs: 300_000, network }));
};
const of = (status: Check['status'], checks: readonly Check[]): string[] =>
  checks.filter((check) => check.status === status).map(({ id }) => id);

test.serial(
  'the audit from a clean clone checks every claim, with no server, and the chain alone online',
  async (t) => {
    clone = await cleanClone(join(folder, 'clone'), { TZ: 'UTC', LC_ALL: 'C' });
    const { checks, wallMs } = await audit(['--rpc', chain.anvil.rpcUrl, '--ceremony', at('copy')]);
    t.log(`${checks.length} claims in ${(wallMs / 1000).toFixed(1)} s`);
    t.deepEqual(of('fail', checks), []);
    t.deepEqual(of('unknown', checks), []);
    for (const id of [
      'transcript',
      'beacon',
      'circuit',
      'uniqueness',
      'key-circuit',
      'runtime',
      'settled',
      'registry',
    ])
      t.true(of('pass', checks).includes(id), id);
  },
);

const canUnshare = spawnSync('unshare', ['-rn', 'true']).status === 0;
(canUnshare ? test.serial : test.serial.skip)(
  'without any network only what the chain says is not checkable',
  async (t) => {
    const { checks } = await audit(['--ceremony', at('copy')], false);
    t.deepEqual(of('fail', checks), []);
    t.deepEqual(of('unknown', checks).sort(), [
      'beacon',
      'contract-code',
      'registry',
      'revocation',
      'settled',
    ]);
    // Without the ceremony's folder nobody looked at the setup: that is no pass, and the exit code says so.
    const none = await t.throwsAsync<Error & { code: number; stdout: string }>(audit([], false));
    t.is(none!.code, 3);
    const { checks: less } = JSON.parse(none!.stdout) as { checks: Check[] };
    t.deepEqual(of('fail', less), []);
    t.true(['transcript', 'beacon', 'key-circuit'].every((id) => of('unknown', less).includes(id)));
  },
);

test.serial('an audit with another ceremony than the model names fails, by exit code too', async (t) => {
  const error = await t.throwsAsync<Error & { code: number; stdout: string }>(audit(['--ceremony', folder]));
  t.is(error!.code, 1);
  t.deepEqual(of('fail', (JSON.parse(error!.stdout) as { checks: Check[] }).checks), ['transcript']);
});

test.serial(
  'U05 C26 two clean clones, folders, time zones and locales: one circuit, key hash and bytecode',
  async (t) => {
    const other = await cleanClone(join(folder, 'ein anderer Ordner', 'Übung'), {
      ...{ TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    });
    const prints = await Promise.all(
      [clone, other].map(async ({ folder: where, node }) => {
        const program = join(where, 'dist/test/support/build-fingerprint.js');
        return JSON.parse(await node([program, at('copy'), `${where}-home`])) as Record<string, string>;
      }),
    );
    t.deepEqual(prints[1], prints[0]);
    t.is(Object.keys(prints[0]!).length, 14);
    const { opened, final } = await readTranscript(ceremonyPaths(at('copy')).transcript);
    t.is(prints[0]!['digits8x8 circuit'], opened.circuitHash);
    t.is(prints[0]!['key before contributions'], opened.initialKey);
    t.is(prints[0]!['vk hash given the transcript'], final!.vkHash);
    const receipt = JSON.parse(readFileSync(at('receipt.json'), 'utf8')) as {
      model: { circuitHash: string };
    };
    t.is(prints[0]!['digits8x8 circuit'], receipt.model.circuitHash);
  },
);

const state = async (url: string): Promise<string> =>
  ((await (await fetch(url)).json()) as { state: string }).state;

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error('still not so after a minute');
}
