/**
 * kill -9 of processes at random moments with jobs in flight. What counts as accepted is what was answered with 2xx;
 * inputs are distinct; afterwards every accepted job must be proven, settled once where it settles, and nothing twice.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { bundledModels, provideModels } from '../../service/bundled-models.js';
import { readConfig } from '../../service/config.js';
import { createLog } from '../../service/log.js';
import { startService, type Service } from '../../service/supervisor.js';
import { random, seedFrom } from '../support/random.js';
import { call, sampleDigit, temporaryFolder } from '../support/service.js';

type Victim = 'api' | 'prover' | 'settler' | 'postgres';
const victims: readonly Victim[] = ['api', 'prover', 'settler', 'postgres'];

async function campaign(t: ExecutionContext, kills: number): Promise<void> {
  t.timeout(kills * 30_000 + 120_000);
  const draw = random(seedFrom(t.log.bind(t)));
  const folder = await temporaryFolder();
  process.env['VERINFER_LOG'] = process.env['VERINFER_LOG'] ?? 'silent';
  process.env['VERINFER_PROVERS'] = '1';
  process.env['VERINFER_DATA'] = folder;
  process.env['VERINFER_PORT'] = '0';
  process.env['VERINFER_LEASE_MS'] = '4000';
  const config = readConfig();
  const log = createLog(config, 'kills');
  const service = await startService({
    config,
    log,
    prepare: async ({ pool, chain }) =>
      void (await provideModels(bundledModels.slice(0, 1), {
        pool,
        chain,
        modelsFolder: config.modelsFolder,
        log,
      })),
  });
  const accepted = new Map<string, string>();
  let posting = true;
  const poster = (async () => {
    for (let n = 0; posting; n++) {
      await postUntilAccepted(service, n, accepted);
      await sleep(40 + draw.below(120));
    }
  })();
  const restarts: number[] = [];
  const slowest: Record<Victim, number> = { api: 0, prover: 0, settler: 0, postgres: 0 };
  const count: Record<Victim, number> = { api: 0, prover: 0, settler: 0, postgres: 0 };
  try {
    for (let n = 0; n < kills; n++) {
      await sleep(draw.below(900));
      const victim = victims[draw.below(victims.length)]!;
      const pid = victim === 'postgres' ? await service.postgres!.pid() : service.pidOf(victim);
      if (!pid) continue;
      process.kill(pid, 'SIGKILL');
      count[victim]++;
      const started = Date.now();
      while (!(await isReady(service)) || (victim !== 'postgres' && service.pidOf(victim) === undefined)) {
        if (Date.now() - started > 60_000) throw new Error(`${victim}: must be back within 60 s`);
        await sleep(25);
      }
      restarts.push(Date.now() - started);
      slowest[victim] = Math.max(slowest[victim], Date.now() - started);
    }
    posting = false;
    await poster;
    const lost = await waitForAll(service, accepted);
    const { rows } = await service.pool.query<{ receipts: number; settled: number; doubled: number }>(
      `select (select count(*)::int from receipts) as receipts, (select count(*)::int from inferences where state = 'settled') as settled,
         (select count(*)::int from (select settled->>'transactionHash' from inferences where settlement = 'onchain' group by 1 having count(*) > 1) d) as doubled`,
    );
    t.log({
      seedlessCounts: count,
      accepted: accepted.size,
      ...rows[0],
      slowestRestartMs: Math.max(...restarts),
    });
    t.deepEqual(lost, [], 'accepted jobs that did not end proven');
    t.is(new Set(accepted.values()).size, accepted.size, 'an idempotency key never made two inferences');
    t.is(rows[0]!.doubled, 0);
    t.true(Math.max(...restarts) <= 10_000, `restart within 10 s, slowest ${Math.max(...restarts)} ms`);
    t.true(accepted.size >= kills, 'there were jobs in flight');
  } finally {
    posting = false;
    await poster.catch(() => undefined);
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function isReady(service: Service): Promise<boolean> {
  return call(service.url, '/readyz').then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** A client as it should be: the same key and body until an answer comes. */
async function postUntilAccepted(service: Service, n: number, accepted: Map<string, string>): Promise<void> {
  const data = await sampleDigit(n);
  data[0] = n / 1_000_000;
  const body = { input: { data }, settlement: n % 3 === 0 ? 'onchain' : n % 3 === 1 ? 'batched' : 'none' };
  for (let attempt = 0; attempt < 600; attempt++) {
    const reply = await call(service.url, '/v1/models/digits8x8/inferences', {
      body,
      headers: { 'Idempotency-Key': `key-${n}` },
    }).catch(() => null);
    if (reply?.status === 202) {
      accepted.set(`key-${n}`, reply.body.id as string);
      return;
    }
    if (reply && reply.status < 500)
      throw new Error(`inference ${n}: must be accepted, got ${JSON.stringify(reply.body)}`);
    await sleep(100);
  }
  throw new Error(`inference ${n}: must be accepted within a minute`);
}

async function waitForAll(service: Service, accepted: Map<string, string>): Promise<string[]> {
  const ids = [...accepted.values()];
  const end = Date.now() + 60_000 + ids.length * 1_500;
  for (;;) {
    const { rows } = await service.pool.query<{ id: string }>(
      `select id from inferences where id = any($1) and (state = 'settled' or (state = 'proven' and settlement = 'none'))`,
      [ids],
    );
    if (rows.length === ids.length) return [];
    if (Date.now() > end) {
      const open = await service.pool.query(
        `select id, state, settlement, error from inferences where id = any($1) and not (state = 'settled' or (state = 'proven' and settlement = 'none'))`,
        [ids],
      );
      const found = new Set(
        (
          await service.pool.query<{ id: string }>('select id from inferences where id = any($1)', [ids])
        ).rows.map(({ id }) => id),
      );
      return [...open.rows.map((row) => JSON.stringify(row)), ...ids.filter((id) => !found.has(id))];
    }
    await sleep(200);
  }
}

const kills = Number(process.env['VERINFER_TEST_KILLS'] ?? 200);
test.serial(
  `Q01 kill -9 of API, prover host, settler and PostgreSQL at ${kills} random moments loses no accepted job and settles none twice`,
  (t) => campaign(t, kills),
);
