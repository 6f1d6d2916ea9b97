/**
 * `make bench-load`: answers a second with proofs queued behind, answer latency while every core proves, kills under
 * load, and what a second prover host brings. Bounded; the last line is JSON.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, chmod, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Pool } from 'pg';
import { bundledModels, provideModels } from '../../service/bundled-models.js';
import { readConfig } from '../../service/config.js';
import { createLog } from '../../service/log.js';
import { startService } from '../../service/supervisor.js';
import { killCampaign } from '../support/kill-campaign.js';
import { random, seedFrom } from '../support/random.js';
import { sampleDigit } from '../support/service.js';

interface LoadResult {
  readonly accepted: number;
  readonly refused: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const model = 'digits8x8';
const kills = Number(process.env['KILLS'] ?? 20);
const seconds = Number(process.env['SECONDS'] ?? 5);

async function load(url: string, rate: number, offset: number, forSeconds = seconds): Promise<LoadResult> {
  const digits = await Promise.all(Array.from({ length: 20 }, (_, n) => sampleDigit(n)));
  const client = fileURLToPath(new URL('./load-client.js', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [client, url, model, String(forSeconds), String(rate), String(offset), JSON.stringify(digits)],
    { maxBuffer: 1 << 24 },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as LoadResult;
}

async function openCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from inferences where state in ('answered', 'proving')`,
  );
  return rows[0]!.n;
}

/** Seconds until nothing is open. */
async function drain(pool: Pool): Promise<number> {
  const started = performance.now();
  while ((await openCount(pool)) > 0) await sleep(50);
  return (performance.now() - started) / 1000;
}

async function loopDelayMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return 1000 * Number(/^verinfer_nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1] ?? Number.NaN);
}

process.env['VERINFER_LOG'] = 'silent';
process.env['VERINFER_PORT'] = '0';
const folder = await mkdtemp(join(tmpdir(), 'verinfer-load-'));
await chmod(folder, 0o711);
process.env['VERINFER_DATA'] = folder;
const config = readConfig();
const log = createLog(config, 'bench');
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
const { url, pool } = service;
let posted = 0;
try {
  await load(url, 20, posted, 2);
  posted += 10_000;
  await drain(pool);

  await loopDelayMs(url);
  const paced = await load(url, 100, posted);
  posted += 100_000;
  const loopDelayP99Ms = await loopDelayMs(url);
  say(
    `100 a second while ${config.proverCount} threads prove: p50 ${paced.p50Ms} ms, p99 ${paced.p99Ms} ms, max ${paced.maxMs} ms, ${paced.accepted} accepted, event loop p99 ${loopDelayP99Ms.toFixed(1)} ms`,
  );

  const flat = await load(url, 0, posted);
  posted += 100_000;
  const answersPerS = flat.accepted / flat.seconds;
  say(
    `as fast as it goes: ${answersPerS.toFixed(0)} answers a second, p99 ${flat.p99Ms} ms, refused ${flat.refused}, errors ${flat.errors}`,
  );

  const backlog = await openCount(pool);
  const drainSeconds = await drain(pool);
  const proofsPerS = backlog / drainSeconds;
  say(
    `backlog of ${backlog} proven in ${drainSeconds.toFixed(1)} s: ${proofsPerS.toFixed(1)} proofs a second`,
  );
  const { rows } = await pool.query<{ state: string; n: number }>(
    'select state, count(*)::int as n from inferences group by state',
  );
  say(`ended: ${rows.map(({ state, n }) => `${n} ${state}`).join(', ')}`);
  const lostUnderLoad = rows.filter(({ state }) => state !== 'proven').reduce((sum, { n }) => sum + n, 0);
  await service.stop();

  const twoHostSpeedup = await hosts();
  say(`two prover hosts against one, a core each: ${twoHostSpeedup.toFixed(2)} times as fast`);

  const campaign = await killCampaign(random(seedFrom(say)), kills);
  say(
    `kills ${JSON.stringify(campaign.kills)}, accepted ${campaign.accepted}, slowest restart ${JSON.stringify(campaign.slowestRestartMs)} ms`,
  );
  say(
    JSON.stringify({
      answersPerS: Math.round(answersPerS),
      p99Ms: paced.p99Ms,
      loopDelayP99Ms: Math.round(loopDelayP99Ms * 10) / 10,
      proofsPerS: Math.round(proofsPerS * 10) / 10,
      kills,
      lost: campaign.lost.length + lostUnderLoad,
      doubleSettled: campaign.doubleSettled,
      twoHostSpeedup: Math.round(twoHostSpeedup * 100) / 100,
    }),
  );
} finally {
  await service.stop();
  await rm(folder, { recursive: true, force: true });
}

/** The same backlog on one host and on two, each held to a core of its own, over one PostgreSQL. */
async function hosts(): Promise<number> {
  const backlog = Number(process.env['BACKLOG'] ?? 300);
  const place = await startService({ config, log, parts: ['api'] });
  const cli = fileURLToPath(new URL('../../service/cli.js', import.meta.url));
  const start = async (core: number): Promise<ChildProcess> => {
    const { rows: before } = await place.pool.query<{ n: number }>(
      `select count(*)::int as n from hosts where kind = 'prover' and state = 'ready'`,
    );
    const child = spawn('taskset', ['-c', String(core), process.execPath, cli, 'prover'], {
      stdio: 'ignore',
      env: {
        ...process.env,
        DATABASE_URL: place.databaseUrl,
        VERINFER_PROVERS: '1',
        VERINFER_HOST_ID: `prover-${core}-${Date.now()}`,
      },
    });
    for (;;) {
      const { rows } = await place.pool.query<{ n: number }>(
        `select count(*)::int as n from hosts where kind = 'prover' and state = 'ready'`,
      );
      if (rows[0]!.n > before[0]!.n) return child;
      await sleep(50);
    }
  };
  const run = async (cores: readonly number[]): Promise<number> => {
    const running = await Promise.all(cores.map((core) => start(core)));
    const data = await Promise.all(Array.from({ length: backlog }, (_, n) => sampleDigit(n)));
    const started = performance.now();
    await Promise.all(
      data.map((x, n) =>
        fetch(`${place.url}/v1/models/${model}/inferences`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ input: { data: [(posted + n) / 1_000_000, ...x.slice(1)] } }),
        }),
      ),
    );
    posted += backlog;
    await drain(place.pool);
    const elapsed = performance.now() - started;
    for (const child of running) {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('exit', done));
    }
    return elapsed;
  };
  const one = await run([1]);
  const two = await run([0, 1]);
  await place.stop();
  return one / two;
}
