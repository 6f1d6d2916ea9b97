/** Endpoints that lie, hang or die; requests that the policy must not let through; the key at rest. */
import test from 'ava';
import fc from 'fast-check';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Wallet } from 'ethers';
import { KeyRefused, openKeystore, writeKeystore } from '../../service/signer/keystore.js';
import { checkPolicy, PolicyDenied, type Policy } from '../../service/signer/policy.js';
import { chainView } from '../../service/signer/quorum.js';
import { endpoint, RpcError, RpcUnavailable, type Endpoint } from '../../service/signer/rpc.js';
import { campaign } from '../support/campaign.js';
import { finish, newRun, signerWorld, type SignerWorld } from '../support/signing.js';

let world: SignerWorld;
const servers: Server[] = [];
test.before(async () => {
  world = await signerWorld();
});
test.after.always(async () => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
  await world?.chain.stop();
});

type Lie = (method: string, params: readonly unknown[], truth: () => Promise<unknown>) => unknown;

const liar = (lie: Lie): Endpoint => ({
  url: 'liar',
  call: async (method, params) => lie(method, params, () => world.endpoint.call(method, params)),
});

const on =
  (method: string, change: (truth: never) => unknown): Lie =>
  async (asked, _, truth) =>
    asked === method ? change((await truth()) as never) : truth();

const someHash = `0x${'ab'.repeat(32)}`;
const lies: Record<string, Lie> = {
  'a receipt that is not there': async (method, params, truth) =>
    method === 'eth_getTransactionReceipt'
      ? { transactionHash: params[0], blockNumber: '0x1', blockHash: someHash, status: '0x1', gasUsed: '0x1' }
      : truth(),
  'no receipt for what is mined': on('eth_getTransactionReceipt', () => null),
  'success for a revert, failure for a success': on(
    'eth_getTransactionReceipt',
    (receipt: { status: string } | null) =>
      receipt === null ? null : { ...receipt, status: receipt.status === '0x1' ? '0x0' : '0x1' },
  ),
  'another chain id': on('eth_chainId', () => '0x1'),
  'an old head': on('eth_blockNumber', () => '0x1'),
  'a head far ahead': on('eth_blockNumber', () => '0xffffff'),
  'blocks with other hashes': on(
    'eth_getBlockByNumber',
    (block: object | null) => block && { ...block, hash: someHash },
  ),
  'blocks without transactions': on(
    'eth_getBlockByNumber',
    (block: object | null) => block && { ...block, transactions: [] },
  ),
  'a clock far ahead': on(
    'eth_getBlockByNumber',
    (block: object | null) => block && { ...block, timestamp: '0xffffffffff' },
  ),
  'a nonce from the past': on('eth_getTransactionCount', () => '0x0'),
  'a nonce from the future': on('eth_getTransactionCount', () => '0xffff'),
  'no balance': on('eth_getBalance', () => '0x0'),
  'a boundless balance': on('eth_getBalance', () => `0x${'f'.repeat(64)}`),
  'transactions taken and thrown away': on('eth_sendRawTransaction', () => someHash),
  'text for numbers': on('eth_getTransactionCount', () => 'many'),
  'nothing at all': () => null,
  'objects everywhere': () => ({ toString: 'x', hash: {}, number: [] }),
  'an error for everything': () => {
    throw new Error('no');
  },
};

for (const [name, lie] of Object.entries(lies)) {
  test.serial(`R05 one endpoint of three tells of ${name}: the outcome is the true one`, async (t) => {
    const { ledger } = newRun();
    const chain = chainView(31337, [liar(lie), world.endpoint, endpoint(world.endpoint.url)]);
    const signer = world.signer(ledger, { chain, finalityDepth: 3 });
    const uri = `lie ${name}`;
    await signer.submit(world.listing(uri));
    await finish(world, signer, ledger);
    t.is((await ledger.read(uri))!.state, 'final');
    t.is(await world.timesListed(uri), 1);
    t.is((await ledger.read(uri))!.attempts.length, 1);
  });
}

/** Every call that a signer makes, and what an endpoint may say to it that has nothing to do with the truth. */
const calls = ['eth_chainId', 'eth_blockNumber', 'eth_getBlockByNumber', 'eth_getTransactionCount'].concat(
  ['eth_getTransactionReceipt', 'eth_getBalance', 'eth_estimateGas', 'eth_maxPriorityFeePerGas'],
  ['eth_sendRawTransaction'],
);
const answers: Record<string, () => unknown> = {
  ...{ null: () => null, nothing: () => undefined, zero: () => '0x0', text: () => 'many', list: () => [] },
  ...{ negative: () => '-0x1', number: () => 7, object: () => ({}), hash: () => someHash },
  ...{ huge: () => `0x${'f'.repeat(64)}`, 'too long': () => `0x${'1'.repeat(100_000)}`, empty: () => '0x' },
  refusal: () => {
    throw new RpcError(-32_000, 'execution reverted', '0xdeadbeef');
  },
  silence: () => {
    throw new RpcUnavailable('timeout');
  },
};

test.serial(
  'R05 finding-30: fourteen false answers to each of nine calls by one endpoint of three change nothing',
  async (t) => {
    t.timeout(600_000);
    const cases = calls.flatMap((method) => Object.keys(answers).map((name) => ({ method, name })));
    const chosen = cases.filter((_, i) => i % campaign(5, 1) === 0);
    for (const { method, name } of chosen) {
      const { ledger } = newRun();
      const uri = `${method} says ${name}`;
      const places = [liar(on(method, answers[name]!)), world.endpoint, endpoint(world.endpoint.url)];
      const chain = chainView(31337, chosen.length % 2 === 0 ? places : [...places].reverse());
      const signer = world.signer(ledger, { chain, finalityDepth: 3 });
      await signer.submit(world.listing(uri));
      await finish(world, signer, ledger);
      t.is((await ledger.read(uri))!.state, 'final', uri);
      t.is(await world.timesListed(uri), 1, uri);
      t.is((await ledger.read(uri))!.attempts.length, 1, uri);
    }
    t.log(`${chosen.length} of ${cases.length}`);
  },
);

test('R05 finding-30: one endpoint that estimates gas for what two refuse does not have it sent', async (t) => {
  const says = (answer: () => unknown): Endpoint => ({
    url: 'a',
    call: async (method) => (method === 'eth_chainId' ? '0x1' : answer()),
  });
  const refuses = says(() => {
    throw new RpcError(3, 'execution reverted', '0xdeadbeef');
  });
  const call = { from: '', to: '', data: '0x', value: 0n };
  const estimates = says(() => '0x5208');
  const down = says(() => {
    throw new RpcUnavailable('timeout');
  });
  const view = (...places: Endpoint[]) => chainView(1, places).estimateGas(call);
  await t.throwsAsync(view(estimates, refuses, refuses), { instanceOf: RpcError });
  t.is(await view(estimates, refuses, estimates), 21_000n);
  await t.throwsAsync(view(estimates, refuses, down), { name: 'NoQuorum' });
  await t.throwsAsync(view(estimates, down, down), { name: 'NoQuorum' });
  await t.throwsAsync(view(refuses), { instanceOf: RpcError });
});

test.serial('R05 two different lies out of three decide nothing', async (t) => {
  const { ledger } = newRun();
  const chain = chainView(31337, [
    liar(lies['a receipt that is not there']!),
    liar(lies['no receipt for what is mined']!),
    world.endpoint,
  ]);
  const signer = world.signer(ledger, { chain, finalityDepth: 1 });
  await signer.submit(world.listing('two liars'));
  await signer.tick();
  await world.mine(5);
  await t.throwsAsync(signer.tick(), { name: 'NoQuorum' });
  t.is((await ledger.read('two liars'))!.state, 'broadcast');
  await finish(world, world.signer(ledger), ledger);
  t.is(await world.timesListed('two liars'), 1);
});

test('R05 gas and priority fee are the middle answer, whichever endpoint exaggerates', async (t) => {
  const says = (wei: number): Endpoint => ({
    url: `${wei}`,
    call: async (method) => (method === 'eth_chainId' ? '0x1' : `0x${wei.toString(16)}`),
  });
  const call = { from: '', to: '', data: '0x', value: 0n };
  for (const answers of [
    [9, 50, 1_000_000],
    [1_000_000, 9, 50],
    [50, 1_000_000, 9],
    [50, 9, 1_000_000],
  ]) {
    const view = chainView(1, answers.map(says));
    t.is(await view.estimateGas(call), 50n);
    t.is(await view.priorityFeeWei(), 50n);
  }
  // Of two, the higher gas (too little fails) and the lower fee (too much is lost).
  const two = chainView(1, [says(70), says(60)]);
  t.is(await two.estimateGas(call), 70n);
  t.is(await two.priorityFeeWei(), 60n);
});

async function serve(
  answer: (respond: (status: number, body: string | Buffer) => void) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    answer((status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.serial('R05 a huge reply is cut off', async (t) => {
  const url = await serve((respond) => respond(200, Buffer.alloc(8 << 20, 32)));
  await t.throwsAsync(endpoint(url, { maxBytes: 1 << 20 }).call('eth_blockNumber', []), {
    message: /more than 1048576 bytes/,
  });
});

test.serial(
  'R06 endpoints that hang, answer 429, refuse or hang up delay a decision by less than ten seconds',
  async (t) => {
    const broken: Record<string, string> = {
      hangs: await serve(() => undefined),
      'answers 429': await serve((respond) => respond(429, '{}')),
      'answers HTML': await serve((respond) => respond(200, '<html>')),
      'is not there': 'http://127.0.0.1:9',
    };
    for (const [name, url] of Object.entries(broken)) {
      const { ledger } = newRun();
      const chain = chainView(31337, [
        endpoint(url, { timeoutMs: 300 }),
        world.endpoint,
        endpoint(world.endpoint.url),
      ]);
      const signer = world.signer(ledger, { chain, finalityDepth: 2 });
      await signer.submit(world.listing(name));
      const started = performance.now();
      await signer.tick();
      t.true(performance.now() - started < 10_000, name);
      await finish(world, signer, ledger);
      t.is(await world.timesListed(name), 1);
      t.is((await ledger.read(name))!.attempts.length, 1);
    }
  },
);

const address = (byte: string): string => `0x${byte.repeat(20)}`;
const policy: Policy = {
  chainId: 31337,
  calls: { [address('11')]: ['0x01020304', '0xaabbccdd'], [address('22')]: ['0x01020304'] },
  maxValueWei: 1000n,
  maxValuePerHourWei: 5000n,
  maxPerHour: 10,
  maxFeePerGasWei: 1n,
  maxGas: 1n,
};

test('R11 the policy lets through what it lists and nothing else', (t) => {
  const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
  const to = fc.oneof(
    { arbitrary: fc.constantFrom(address('11'), address('22')), weight: 3 },
    fc.constantFrom(address('11'), address('22'), address('33'), '0x11', ''),
    fc.uint8Array({ minLength: 20, maxLength: 20 }).map(hexOf),
  );
  const data = fc.oneof(
    fc.constantFrom('0x01020304', '0xAABBCCDD00', '0xaabbccdd'),
    fc.constantFrom(
      '0x',
      '0x0102',
      '0x01020304',
      '0xAABBCCDD00',
      '0x01020305',
      '01020304',
      '0x0102030g',
      '0x010203041',
    ),
    fc.uint8Array({ maxLength: 12 }).map(hexOf),
  );
  let allowed = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(31337, 31337, 31337, 1, 0),
      to,
      data,
      fc.bigInt(-10n, 2000n),
      fc.nat(12),
      fc.bigInt(0n, 6000n),
      (chainId, toAddress, payload, valueWei, count, spent) => {
        const listed = { [address('11')]: ['01020304', 'aabbccdd'], [address('22')]: ['01020304'] }[
          toAddress.toLowerCase()
        ];
        const expected =
          chainId === 31337 &&
          /^0x([0-9a-f]{2})+$/i.test(payload) &&
          (listed?.includes(payload.slice(2, 10).toLowerCase()) ?? false) &&
          valueWei >= 0n &&
          valueWei <= 1000n &&
          count < 10 &&
          spent + valueWei <= 5000n;
        if (expected) allowed += 1;
        let got = true;
        try {
          checkPolicy(
            policy,
            { chainId, to: toAddress, data: payload, valueWei },
            { count, valueWei: spent },
          );
        } catch (error) {
          if (!(error instanceof PolicyDenied)) throw error;
          got = false;
        }
        return got === expected;
      },
    ),
    { numRuns: 10_000 },
  );
  t.true(allowed > 200, `${allowed} were allowed`);
});

test.serial('R11 a denied intent is never stored, signed or sent', async (t) => {
  const { ledger } = newRun();
  const signer = world.signer(ledger);
  const good = world.listing('denied');
  for (const change of [{ to: address('33') }, { data: '0xdeadbeef' }, { valueWei: 1n }, { chainId: 1 }]) {
    await t.throwsAsync(signer.submit({ ...good, ...change }), { instanceOf: PolicyDenied });
  }
  t.is(ledger.entries.size, 0);
  // The same id with another content is another wish, and is refused even when the policy would allow it.
  await signer.submit(good);
  await t.throwsAsync(signer.submit({ ...good, data: world.listing('other').data }), {
    name: 'IntentConflict',
  });
});

test('R10 the key is at rest encrypted, readable by its owner alone, and refused otherwise', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-key-'));
  try {
    const path = join(folder, 'key.json');
    const wallet = Wallet.createRandom();
    const plain = new Wallet(wallet.privateKey);
    await writeKeystore(path, plain, 'correct horse', { scryptN: 1024 });
    t.is((await stat(path)).mode & 0o777, 0o600);
    t.false((await readFile(path, 'utf8')).includes(plain.privateKey.slice(2)));
    t.is((await openKeystore(path, 'correct horse')).privateKey, plain.privateKey);
    const wrong = await t.throwsAsync(openKeystore(path, 'wrong horse'), { instanceOf: KeyRefused });
    t.false(inspect(wrong, { depth: 9 }).includes('horse'));
    await t.throwsAsync(writeKeystore(path, plain, 'again', { scryptN: 1024 }), { code: 'EEXIST' });
    await t.throwsAsync(writeKeystore(join(folder, 'empty.json'), plain, ''), { instanceOf: KeyRefused });
    await chmod(path, 0o644);
    await t.throwsAsync(openKeystore(path, 'correct horse'), {
      message: /mode of the file must be 0600, got 0644/,
    });
    const naked = join(folder, 'naked');
    await writeFile(naked, plain.privateKey, { mode: 0o600 });
    await t.throwsAsync(openKeystore(naked, 'correct horse'), { message: /an encrypted keystore/ });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('R10 the passphrase comes through a file descriptor and stays out of argv, environment and output', async (t) => {
  const canary = 'canary-passphrase-93b1';
  const code = `
    const { passphraseFrom } = await import(process.argv[1]);
    const got = passphraseFrom(3);
    const leaks = [process.argv.join(), JSON.stringify(process.env)].some((text) => text.includes(got));
    process.stdout.write(JSON.stringify({ length: got.length, leaks }));
    try { passphraseFrom(0); } catch (error) { process.stdout.write(error.message); }
  `;
  const module = join(process.cwd(), 'dist/service/signer/keystore.js');
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, module], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  (child.stdio[3] as NodeJS.WritableStream).end(`${canary}\n`);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream!.on('data', (chunk) => (output += chunk));
  await new Promise((resolve) => child.on('close', resolve));
  t.true(output.startsWith(JSON.stringify({ length: canary.length, leaks: false })), output);
  t.regex(output, /file descriptor from 3 on/);
  t.false(output.includes(canary));
});

test.serial('R10 neither key nor passphrase shows in what a signer says or throws', async (t) => {
  const run = newRun();
  const secret = world.wallet.privateKey.slice(2);
  const said: unknown[] = [];
  const signer = world.signer(run.ledger, {
    onAlarm: (alarm) => said.push(alarm),
    failpoint: () => {
      throw new Error('killed');
    },
  });
  await signer.submit(world.listing('canary'));
  said.push(await signer.tick().catch((error: unknown) => error));
  said.push(await signer.submit({ ...world.listing('x'), chainId: 5 }).catch((error: unknown) => error));
  said.push([...run.ledger.entries.values()]);
  t.false(inspect(said, { depth: 12 }).includes(secret));
});
