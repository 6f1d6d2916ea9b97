/** The chain key is changed while inferences are under way: what was begun under the old one ends under it. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { JsonRpcProvider, Wallet } from 'ethers';
import { bundledModels, provideModels } from '../../service/bundled-models.js';
import { startAnvil, type Anvil } from '../../service/chain/anvil.js';
import type { Deployment } from '../../service/chain/deployment.js';
import type { DevelopmentChain } from '../../service/development-chain.js';
import { createLog } from '../../service/log.js';
import { parseReceipt } from '../../service/verifier/receipt.js';
import { recoverSigner } from '../../service/verifier/signature.js';
import { call, sampleDigit, temporaryFolder, untilOver } from '../support/service.js';
import { startWholeService, type WholeService } from '../support/whole-service.js';

let folder: string;
let anvil: Anvil;
let service: WholeService | null = null;
const [before, after] = [1, 2].map((n) => ({
  file: (): string => join(folder, `key-${n}`),
  key: (): string => anvil.privateKeys[n]!,
})) as [Key, Key];
interface Key {
  file(): string;
  key(): string;
}

test.before(async () => {
  folder = await temporaryFolder();
  anvil = await startAnvil();
  for (const { file, key } of [before, after]) await writeFile(file(), key(), { mode: 0o600 });
});
test.after.always(async () => {
  await service?.stop();
  await anvil?.stop();
  await rm(folder, { recursive: true, force: true });
});

const environment = (current: Key, retired: readonly Key[] = []): Record<string, string> => ({
  VERINFER_RPC_URL: anvil.rpcUrl,
  VERINFER_CHAIN_KEY_FILE: current.file(),
  VERINFER_CHAIN_RETIRED_KEY_FILES: retired.map(({ file }) => file()).join(','),
  VERINFER_FINALITY_DEPTH: '0',
  VERINFER_PROVERS: '1',
});

async function deploy(current: Key, ...args: string[]): Promise<void> {
  const env = { PATH: process.env['PATH'], VERINFER_DATA: join(folder, 'data'), ...environment(current) };
  await promisify(execFile)(process.execPath, ['dist/service/cli.js', 'deploy', ...args], { env });
}

const start = async (...[current, retired, parts]: [Key, Key[], ('api' | 'prover' | 'settler')[]?]) => {
  service = await startWholeService({
    folder: join(folder, 'data'),
    environment: environment(current, retired),
    ...(parts ? { parts } : {}),
  });
  return service;
};

async function post({ url }: WholeService, n: number, settlement: 'none' | 'onchain'): Promise<string> {
  const data = await sampleDigit(n);
  const { status, body } = await call(url, '/v1/models/digits8x8/inferences', {
    body: { input: { data }, settlement },
  });
  if (status !== 202) throw new Error(JSON.stringify(body));
  return body.id as string;
}

async function signerOf({ url }: WholeService, id: string): Promise<string | undefined> {
  const text = await (await fetch(`${url}/v1/receipts/${id}`)).text();
  return recoverSigner(parseReceipt(text));
}

test('the chain key is rotated with work under way: each receipt is signed by the key it names, and nothing is lost', async (t) => {
  t.timeout(300_000);
  const file = join(folder, 'deployment.json');
  await deploy(before, '--out', file);
  let running = await start(before, [], ['settler', 'api']);
  const provider = new JsonRpcProvider(anvil.rpcUrl, anvil.chainId, { staticNetwork: true });
  const deployment = JSON.parse(await readFile(file, 'utf8')) as Deployment;
  const chain = { wallet: new Wallet(before.key(), provider), deployment } as unknown as DevelopmentChain;
  await provideModels(bundledModels.slice(0, 1), {
    ...{ pool: running.pool, chain, modelsFolder: running.config.modelsFolder },
    log: createLog({ logLevel: 'silent' }, 'test'),
  });
  provider.destroy();
  const old = [await post(running, 1, 'none'), await post(running, 2, 'onchain')];
  await running.stop();

  // The new key alone: what names the old one waits, and is not spoilt.
  await deploy(after, '--use', file);
  running = await start(after, []);
  const fresh = [await post(running, 3, 'none'), await post(running, 4, 'onchain')];
  const addresses = [before, after].map(({ key }) => new Wallet(key()).address.toLowerCase());
  for (const id of fresh) {
    const over = await untilOver(running.url, id, 60_000);
    t.is(over.state, over.settlement === 'onchain' ? 'settled' : 'proven');
    t.is(await signerOf(running, id), addresses[1]);
  }
  for (const id of old) t.is((await call(running.url, `/v1/inferences/${id}`)).body.state, 'proving');
  const unsigned = await running.pool.query(
    'select 1 from receipts where id = any($1) and seal_at is not null',
    [old],
  );
  t.is(unsigned.rowCount, 2, 'proven, and waiting for the old key');
  await running.stop();

  running = await start(after, [before]);
  for (const id of old) {
    const over = await untilOver(running.url, id, 60_000);
    t.is(over.state, over.settlement === 'onchain' ? 'settled' : 'proven');
    t.is(await signerOf(running, id), addresses[0]);
  }
});
