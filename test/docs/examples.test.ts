/** The programs of docs/examples that no page runs: Node, a page in a real browser, a contract on a chain. */
import test from 'ava';
import { ContractFactory, type BaseContract } from 'ethers';
import { createServer, type Server } from 'node:http';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build, type Rolldown } from 'vite';
import { words } from '../../service/chain/registry.js';
import type { SettlementCall } from '../../service/chain/settlement.js';
import { compileContracts } from '../../verifier-contracts/build.js';
import { browserPath, launch } from '../support/browser.js';
import { farDeadline, provenCall, registered, startChain } from '../support/chain.js';
import { openWorkspace, type Workspace } from './workspace.js';

let workspace: Workspace;
let service: { stop(): Promise<void> } | undefined;
let pages: Server;
let origin: string;
let modelId: string;

test.before(async (t) => {
  t.timeout(240_000);
  workspace = await openWorkspace();
  const script = await bundledExample();
  pages = createServer(async (request, response) => {
    const isScript = request.url?.startsWith('/browser.js');
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isScript ? script : await readFile('docs/examples/browser.html'));
  });
  await new Promise<void>((done) => pages.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  service = await workspace.serve({ VERINFER_CORS: origin });
  const models = (await (await fetch(`${workspace.url}/v1/models`)).json()) as {
    data: { id: string; name: string }[];
  };
  modelId = models.data.find(({ name }) => name === 'digits8x8')!.id;
});

test.after.always(async () => {
  await service?.stop();
  pages?.close();
  pages?.closeAllConnections();
  await workspace?.remove();
});

/** As a page's own build would bundle it: `verinfer/client` with browser conditions. */
async function bundledExample(): Promise<string> {
  const output = await build({
    configFile: false,
    logLevel: 'silent',
    resolve: { alias: { 'verinfer/client': join(process.cwd(), 'dist/service/client/index.js') } },
    build: {
      write: false,
      target: 'es2022',
      lib: { entry: join(process.cwd(), 'docs/examples/browser.mjs'), formats: ['es'], fileName: 'browser' },
    },
  });
  const { output: chunks } = (Array.isArray(output) ? output[0] : output) as Rolldown.RolldownOutput;
  return chunks[0].type === 'chunk' ? chunks[0].code : '';
}

test.serial('examples/node.mjs asks and verifies', async (t) => {
  await mkdir(join(workspace.folder, 'program'));
  await cp('docs/examples/node.mjs', join(workspace.folder, 'node.mjs'));
  const { code, stdout, stderr } = await workspace.shell(`node node.mjs ${workspace.url} ${modelId}`);
  t.is(code, 0, stderr);
  t.regex(stdout, /^quote {4}1788 rows/);
  t.regex(stdout, /proven {3}\d+ checks hold/);
  // Another model's id: refused by the service, never answered by another model.
  const other = await workspace.shell(`node node.mjs ${workspace.url} 0x${'1'.repeat(64)}`);
  t.not(other.code, 0);
});

(browserPath === undefined ? test.serial.skip : test.serial)(
  'examples/browser.html verifies in the page, from another origin',
  async (t) => {
    t.timeout(60_000);
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${origin}/?service=${encodeURIComponent(workspace.url)}&model=${modelId}`);
      await page.waitForFunction(() => document.getElementById('proof')?.textContent !== '');
      t.is(await page.textContent('#proof'), 'verified in this page: true');
      t.deepEqual(complaints, []);
    } finally {
      await browser.close();
    }
  },
);

test.serial('examples/DigitGate.sol opens for a proven digit, and for nothing else', async (t) => {
  t.timeout(120_000);
  const root = join(workspace.folder, 'gate');
  await cp('verifier-contracts/interfaces', join(root, 'interfaces'), { recursive: true });
  const source = await readFile('docs/examples/DigitGate.sol', 'utf8');
  await writeFile(join(root, 'DigitGate.sol'), source.replaceAll('../../verifier-contracts/', './'));
  const { abi, evm } = compileContracts(root).get('DigitGate')!;
  const chain = await startChain();
  try {
    const { deployment, accounts, addresses } = chain;
    const model = await registered(chain, 3, 'digit gate');
    const factory = new ContractFactory(abi as [], evm.bytecode.object, accounts[0]);
    const gate = await factory.deploy(deployment.settlement, model.modelId, 7);
    await gate.waitForDeployment();
    /** Ten scores, the largest at `digit`, packed as PublicSignals packs int8. */
    const scores = (digit: number): bigint =>
      Array.from({ length: 31 }, (_, i) => (i < 10 ? (i === digit ? 200 : 100 + i) : 0)).reduce(
        (signal, byte) => (signal << 8n) | BigInt(byte),
        0n,
      );
    const commitment = (1n << 250n) + 5n;
    const call = (digit: number, requester: string, nonce: bigint): SettlementCall =>
      provenCall(
        chain,
        model,
        { requester, nonce, operator: addresses[2]!, payee: addresses[2]!, deadline: farDeadline },
        [commitment, scores(digit)],
      );
    const enter = async (as: number, inference: SettlementCall): Promise<string> => {
      const contract = gate.connect(accounts[as]!) as BaseContract;
      const argument = { ...inference, proof: words(inference.proof), signals: [...inference.signals] };
      try {
        const sent = await contract.getFunction('enter')(argument);
        await sent.wait();
        return 'open';
      } catch (error) {
        accounts[as]!.reset();
        const { revert, data } = error as { revert?: { name: string }; data?: string };
        return revert?.name ?? gate.interface.parseError(data ?? '0x')?.name ?? 'refused';
      }
    };
    const mine = call(7, addresses[1]!, 1n);
    t.is(await enter(3, mine), 'AnotherRequester');
    t.is(await enter(1, call(3, addresses[1]!, 2n)), 'AnotherDigit');
    t.is(await enter(1, { ...mine, signals: [commitment, scores(8)] }), 'refused');
    t.is(await enter(1, mine), 'open');
    t.true(await gate.getFunction('isOpenFor')(addresses[1]));
    t.false(await gate.getFunction('isOpenFor')(addresses[3]));
    t.is(await enter(1, mine), 'refused');
  } finally {
    await chain.stop();
  }
});
