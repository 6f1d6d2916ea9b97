/** The ledger in PostgreSQL does what the one in memory does, and one key has one signer. */
import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import pg, { type Pool } from 'pg';
import { createLog } from '../../service/log.js';
import { startPostgres, type EmbeddedPostgres } from '../../service/postgres.js';
import { IntentConflict, type Ledger } from '../../service/signer/ledger.js';
import { holdKey, lockKey, pgLedger } from '../../service/signer/pg-ledger.js';
import { SettlingSigner } from '../../service/signer/settling-signer.js';
import type { Signer } from '../../service/signer/signer.js';
import { migrate } from '../../service/store/migrations.js';
import { openPool } from '../../service/store/pool.js';
import { memoryLedger } from '../support/memory-ledger.js';
import { temporaryFolder } from '../support/service.js';
import { finish, signerWorld, type SignerWorld } from '../support/signing.js';

let postgres: EmbeddedPostgres;
let pool: Pool;
let world: SignerWorld;
test.before(async () => {
  postgres = await startPostgres(await temporaryFolder());
  pool = openPool(postgres.url, createLog({ logLevel: 'silent' }, 'test'));
  await migrate(pool);
  world = await signerWorld();
});
test.after.always(async () => {
  await world?.chain.stop();
  await pool?.end();
  await postgres?.stop();
});

const intent = {
  id: 'a',
  chainId: 1,
  to: `0x${'11'.repeat(20)}`,
  data: '0x01',
  valueWei: 1n << 100n,
  notAfterS: 7,
};
const attempt = (hash: string) => ({
  hash,
  raw: '0x02',
  gasLimit: 5n,
  maxFeePerGasWei: 6n,
  maxPriorityFeePerGasWei: 1n << 70n,
});

async function story(ledger: Ledger): Promise<unknown[]> {
  const said: unknown[] = [await ledger.nextNonce(), await ledger.open()];
  said.push(await ledger.enter(intent), await ledger.enter(intent));
  said.push(await ledger.enter({ ...intent, id: 'b', notAfterS: null }));
  said.push(
    await ledger.enter({ ...intent, data: '0x02' }).catch((e: unknown) => e instanceof IntentConflict),
  );
  await ledger.sign('a', 4, attempt('0xaa'));
  said.push(await ledger.sign('a', 5, attempt('0xab')).catch(() => 'signed twice'));
  said.push(await ledger.sign('b', 4, attempt('0xac')).catch(() => 'one nonce, two intents'));
  await ledger.replace('a', attempt('0xad'));
  said.push(
    await ledger.read('a'),
    await ledger.read('nobody'),
    await ledger.withNonce(4),
    await ledger.withNonce(5),
  );
  await ledger.change('a', {
    state: 'mined',
    blockNumber: 9,
    blockHash: '0xbb',
    transactionHash: '0xaa',
    gasUsed: 3n,
  });
  said.push(await ledger.open(), await ledger.nextNonce(), await ledger.recent());
  await ledger.change('a', { state: 'queued', nonce: null });
  await ledger.change('b', { state: 'refused', reason: 'no', failures: 3 });
  said.push(await ledger.open(), await ledger.nextNonce());
  return said;
}

test.serial('the ledger in PostgreSQL and the one in memory tell one story', async (t) => {
  t.deepEqual(await story(pgLedger(pool, 1, `0x${'AA'.repeat(20)}`)), await story(memoryLedger()));
});

test.serial('R03 one key has one signer at a time, and the next takes over when it goes', async (t) => {
  const first = await lockKey(pool, 5, '0xAb');
  t.truthy(first);
  const racers = await Promise.all(Array.from({ length: 5 }, () => lockKey(pool, 5, '0xaB')));
  t.deepEqual(racers, [null, null, null, null, null]);
  const other = await lockKey(pool, 6, '0xab');
  t.truthy(other);
  other!.release();
  first!.release();
  let next = null;
  for (let i = 0; i < 50 && next === null; i++) next = await lockKey(pool, 5, '0xab');
  t.truthy(next);
  next!.release();
});

test.serial(
  'finding-54: asking for a key that is taken leaves nothing on the connection, however it ends',
  async (t) => {
    const held = await lockKey(pool, 7, '0xab');
    const one = new pg.Pool({ ...pool.options, max: 1 });
    const listeners = async (): Promise<number> => {
      const client = await one.connect();
      try {
        return client.listenerCount('error');
      } finally {
        client.release();
      }
    };
    try {
      const before = await listeners();
      for (let i = 0; i < 12; i++) t.is(await lockKey(one, 7, '0xab'), null);
      t.is(await listeners(), before);
    } finally {
      await one.end();
      held!.release();
    }
    const given: unknown[] = [];
    const broken = { query: () => Promise.reject(new Error('gone')), release: () => given.push(broken) };
    await t.throwsAsync(lockKey({ connect: async () => broken } as never, 7, '0xab'), { message: 'gone' });
    t.is(given.length, 1);
  },
);

test.serial(
  'R03 finding-57: a settler whose lock was lost with its connection signs nothing until it has it again',
  async (t) => {
    const hold = (await holdKey(pool, 8, '0xab'))!;
    t.true(await hold.isOurs());
    let rounds = 0;
    const errors: string[] = [];
    const settling = new SettlingSigner({
      ...{ hold, chainId: 8, pollMs: 5, wallet: world.wallet, provider: world.chain.provider },
      ledger: { open: async () => [{}] } as unknown as Ledger,
      signer: { tick: async () => void (rounds += 1) } as unknown as Signer,
      onError: ({ message }) => errors.push(message),
    });
    const until = async (isSo: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !isSo(); i++) await sleep(25);
      t.true(isSo());
    };
    const end = (pids: readonly number[]) =>
      pool.query('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [pids]);
    try {
      await until(() => rounds > 0);
      // The other one is in line before the lock is lost.
      const { rows } = await pool.query<{ pid: number }>(
        `select pid from pg_locks where locktype = 'advisory' and granted`,
      );
      const rival = await pool.connect();
      const taken = rival.query(`select pg_advisory_lock(hashtextextended('verinfer/signer/8/0xab', 0))`);
      await end(rows.map(({ pid }) => pid));
      await taken;
      await until(() => errors.some((message) => message.includes('another process that has it')));
      const before = rounds;
      await sleep(200);
      t.is(rounds, before);
      rival.release(true);
      await until(() => rounds > before);
    } finally {
      await settling.stop();
      hold.release();
    }
  },
);

test.serial('R02 over PostgreSQL, a killed signer leaves what its successor needs', async (t) => {
  const ledger = pgLedger(pool, 31337, world.wallet.address);
  const dying = world.signer(ledger, {
    failpoint: (point) => {
      if (point === 'before-broadcast') throw new Error('killed');
    },
  });
  await dying.submit(world.listing('over PostgreSQL'));
  await t.throwsAsync(dying.tick(), { message: 'killed' });
  await finish(world, world.signer(ledger), ledger);
  t.is((await ledger.read('over PostgreSQL'))!.state, 'final');
  t.is(await world.timesListed('over PostgreSQL'), 1);
});
