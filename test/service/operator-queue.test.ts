/** An operator's proofs are jobs of the installation's queue: real proofs, real processes, killed where it hurts. */
import test from 'ava';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Wallet } from 'ethers';
import { claimableOf } from '../../service/chain/market.js';
import { startPostgres } from '../../service/postgres.js';
import { writeKeystore } from '../../service/signer/keystore.js';
import { openPool } from '../../service/store/pool.js';
import {
  jobsOf,
  silent,
  startMarketInstallation,
  until,
  type Job,
  type MarketInstallation,
} from '../support/market-installation.js';

const passphrase = 'a passphrase';
let market: MarketInstallation;
test.before(async () => {
  market = await startMarketInstallation();
});
test.after.always(() => market?.stop());

test.serial(
  'two operators race over one queue: each request is proven once by each, and paid once',
  async (t) => {
    const [one, two] = [await market.operatorOf(1), await market.operatorOf(2)];
    const requests = [
      (await market.asked()).requestId,
      (await market.asked()).requestId,
      (await market.asked()).requestId,
    ];
    for (const requestId of requests)
      for (const { address } of [one, two]) await market.acknowledge(address, requestId);
    await market.tickUntilFulfilled(requests, one.operator, two.operator);
    for (const requestId of requests) t.is(await market.timesFulfilled(requestId), 1);
    const booked = await Promise.all(
      [one, two].map(({ address }) => claimableOf(market.chain.provider, market.chain.deployment, address)),
    );
    t.is(booked[0]! + booked[1]!, 3n * 10n ** 16n);
    for (const { address } of [one, two]) {
      const jobs = await jobsOf(market.service.pool, address);
      t.true(jobs.length <= 3, 'at most one job a request');
      t.true(jobs.every(({ fence, state }) => fence <= 1 || state === 'failed'));
    }
  },
);

test.serial(
  'an operator that starts again finds the proof that was made meanwhile, byte for byte',
  async (t) => {
    const { requestId, terms } = await market.asked();
    const before = await market.operatorOf(4);
    await before.jobs.queue(requestId, terms, market.draw());
    await until('it is proven', async () => (await before.jobs.find(requestId)).kind === 'proven');
    await before.jobs.queue(requestId, terms, market.draw());
    const after = await market.operatorOf(4);
    t.deepEqual(await after.jobs.find(requestId), await before.jobs.find(requestId));
    // It holds no opening any more, and needs none.
    await market.tickUntilFulfilled([requestId], after.operator);
    t.deepEqual(await jobsOf(market.service.pool, after.address), [{ state: 'proven', fence: 1 }]);
    t.is(await market.timesFulfilled(requestId), 1);
  },
);

test.serial(
  'a prover host killed in the middle of a proof: another takes the job over, and it is paid',
  async (t) => {
    const { requestId } = await market.asked();
    const { operator, address } = await market.operatorOf(5);
    await market.acknowledge(address, requestId);
    const host = market.service.pidOf('prover')!;
    const [proving] = readFileSync(`/proc/${host}/task/${host}/children`, 'utf8').trim().split(' ');
    process.kill(Number(proving), 'SIGSTOP');
    await operator.tick();
    await until(
      'it is taken',
      async () => (await jobsOf(market.service.pool, address))[0]?.state === 'proving',
    );
    process.kill(host, 'SIGKILL');
    process.kill(Number(proving), 'SIGKILL');
    await market.tickUntilFulfilled([requestId], operator);
    t.deepEqual(await jobsOf(market.service.pool, address), [{ state: 'proven', fence: 2 }]);
    t.is(await market.timesFulfilled(requestId), 1);
  },
);

test.serial('a request that somebody else fulfilled is proven no more', async (t) => {
  const { requestId, terms } = await market.asked();
  const [one, two] = [await market.operatorOf(1), await market.operatorOf(6)];
  const host = market.service.pidOf('prover')!;
  await one.jobs.queue(requestId, terms, market.draw());
  await until('it is proven', async () => (await one.jobs.find(requestId)).kind === 'proven');
  process.kill(host, 'SIGSTOP');
  await two.jobs.queue(requestId, terms, market.draw());
  await market.tickUntilFulfilled([requestId], one.operator);
  await two.operator.tick();
  process.kill(host, 'SIGCONT');
  t.deepEqual(
    (await jobsOf(market.service.pool, two.address)).map(({ state }) => state),
    ['failed'],
  );
});

/** The jobs of an operator that brings its own database; another port each time it starts. */
async function jobsIn(data: string, address: string): Promise<Job[]> {
  const postgres = await startPostgres(data, { keep: false });
  const pool = openPool(postgres.url, silent, 1);
  try {
    return await jobsOf(pool, address);
  } finally {
    await pool.end();
  }
}

test.serial(
  'one command is an operator; killed before it could fulfil, it finds its job again',
  async (t) => {
    const wallet = new Wallet(market.chain.anvil.privateKeys[8]!);
    const { address } = wallet;
    await writeKeystore(join(market.folder, 'key.json'), wallet, passphrase, { scryptN: 1024 });
    const data = join(market.folder, 'alone');
    const { requestId } = await market.asked();
    const first = await market.alone(data, passphrase);
    let second: ChildProcess | undefined;
    try {
      await market.chain.provider.send('evm_setAutomine', [false]); // nothing that it sends takes effect
      const body = JSON.stringify({ requestId, opening: market.draw() });
      await until('it has acknowledged the opening', async () => {
        const answer = await fetch(`${first.inbox}/openings`, { method: 'POST', body });
        return answer.status === 200;
      });
      await until('it has queued its proof', async () => (await jobsIn(data, address)).length === 1);
      first.child.kill('SIGKILL');
      t.false(await market.isFulfilled(requestId));
      ({ child: second } = await market.alone(data, passphrase));
      await until('it is fulfilled', async () => {
        await market.chain.provider.send('anvil_mine', ['0x1']);
        return market.isFulfilled(requestId);
      });
      t.is(await market.timesFulfilled(requestId), 1);
      t.deepEqual(
        (await jobsIn(data, address)).map(({ state }) => state),
        ['proven'],
      );
      const ended = new Promise<number | null>((resolve) => second!.once('exit', resolve));
      second.kill('SIGTERM');
      t.is(await ended, 0, 'it ends in order');
    } finally {
      await market.chain.provider.send('evm_setAutomine', [true]);
      second?.kill('SIGKILL');
    }
  },
);
