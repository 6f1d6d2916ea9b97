/**
 * `make bench-load`: answers a second with proofs queued behind, answer latency while every core proves, what a second
 * prover host brings, and kill -9 under load. Every phase sends a fixed number of requests and waits a bounded time for
 * their proofs; the last line is JSON.
 */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Pool } from 'pg';
import { killCampaign } from '../support/kill-campaign.js';
import { cpuByPart } from '../support/process-cpu.js';
import { random, seedFrom } from '../support/random.js';
import { call, sampleDigit, temporaryFolder } from '../support/service.js';
import { startWholeService } from '../support/whole-service.js';
import type { LoadOrder, LoadResult } from './load-client.js';
import { twoHosts, type TwoHosts } from './two-hosts.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const model = 'digits8x8';
const kills = Number(process.env['KILLS'] ?? 20);
const flatCount = Number(process.env['REQUESTS'] ?? 1500);
const pacedRate = 100;
const pacedCount = 600;
const backlogCount = Number(process.env['BACKLOG'] ?? 240);
const lenetBacklogCount = Number(process.env['LENET_BACKLOG'] ?? 60);
/** What issue 7 asks of two prover hosts. */
const twoHostBar = 1.7;
/** Longest wait for the proofs of a phase; what is open then counts as lost. */
const drainLimitS = 150;

const digits = await Promise.all(Array.from({ length: 20 }, (_, n) => sampleDigit(n)));
let posted = 0;

async function load(url: string, rate: number, amount: number): Promise<LoadResult> {
  const order: LoadOrder = { url, model, amount, rate, offset: posted, digits };
  posted += amount;
  const client = fileURLToPath(new URL('./load-client.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [client, JSON.stringify(order)], {
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as LoadResult;
}

async function openCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from inferences where state in ('answered', 'proving')`,
  );
  return rows[0]!.n;
}

/** Seconds until nothing is open, or the limit is reached. */
async function drain(pool: Pool): Promise<number> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  while ((await openCount(pool)) > 0 && seconds() < drainLimitS) await sleep(50);
  return seconds();
}

/** Of the time since it was asked last. */
async function loopDelayMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return 1000 * Number(/^verinfer_nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1] ?? Number.NaN);
}

/** Posts a backlog as batches, which is quick. */
async function postBacklog(
  url: string,
  name: string,
  samples: readonly (readonly number[])[],
  count: number,
): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const items = Array.from({ length: Math.min(20, count - ids.length) }, () => {
      const data = [...samples[posted % samples.length]!];
      data[0] = posted++ / 1_000_000;
      return { input: { data } };
    });
    const { status, body } = await call(url, `/v1/models/${name}/batches`, { body: { items } });
    if (status !== 202) throw new Error(`batch: must be accepted, got ${JSON.stringify(body)}`);
    ids.push(...(body.inferences as { id: string }[]).map(({ id }) => id));
  }
  return ids;
}

const sayTwoHosts = (name: string, count: number, { speedup, hostMs, sharedMs }: TwoHosts): void =>
  say(
    `two prover hosts against one, a core each, ${count} proofs of ${name}: ${speedup.toFixed(2)} times as fast; ` +
      `CPU ms a proof: ${hostMs.toFixed(1)} on its host, ${sharedMs.toFixed(1)} in PostgreSQL, settler and API, ` +
      `which on these two cores allows ${((2 * hostMs) / (hostMs + sharedMs)).toFixed(2)}`,
  );
const rounded = (value: number): number | null =>
  Number.isFinite(value) ? Math.round(value * 100) / 100 : null;

const folder = await temporaryFolder();
let service = await startWholeService({ folder });
try {
  await load(service.url, 50, 100);
  await drain(service.pool);

  await loopDelayMs(service.url);
  await sleep(1_100);
  const paced = await load(service.url, pacedRate, pacedCount);
  const loopDelayP99Ms = await loopDelayMs(service.url);
  say(
    `${pacedRate} a second while ${service.config.proverCount} threads prove: p50 ${paced.p50Ms} ms, p99 ${paced.p99Ms} ms, max ${paced.maxMs} ms, ${paced.accepted} accepted, event loop p99 ${loopDelayP99Ms.toFixed(1)} ms`,
  );

  const before = await cpuByPart();
  const flat = await load(service.url, 0, flatCount);
  const after = await cpuByPart();
  const answersPerS = flat.accepted / flat.seconds;
  say(
    `as fast as it goes: ${answersPerS.toFixed(0)} answers a second, p99 ${flat.p99Ms} ms, refused ${flat.refused}, errors ${flat.errors}`,
  );
  const cpu = [...after].map(([part, ms]) => [part, (ms - (before.get(part) ?? 0)) / flat.accepted] as const);
  say(`CPU ms an answer: ${cpu.map(([part, ms]) => `${part} ${ms.toFixed(2)}`).join(', ')}`);

  const backlog = await openCount(service.pool);
  const drainSeconds = await drain(service.pool);
  const proofsPerS = (backlog - (await openCount(service.pool))) / drainSeconds;
  say(
    `backlog of ${backlog} after ${drainSeconds.toFixed(1)} s: ${await openCount(service.pool)} open; ${proofsPerS.toFixed(1)} proofs a second`,
  );
  const { rows } = await service.pool.query<{ state: string; n: number }>(
    'select state, count(*)::int as n from inferences group by state',
  );
  say(`ended: ${rows.map(({ state, n }) => `${n} ${state}`).join(', ')}`);
  const lostUnderLoad = rows.filter(({ state }) => state !== 'proven').reduce((sum, { n }) => sum + n, 0);
  await service.stop();

  // The settler signs the receipts: without it nothing ends proven.
  service = await startWholeService({ folder, models: ['digits8x8', 'lenet5'], parts: ['settler', 'api'] });
  const { samples } = JSON.parse(await readFile('models/lenet5/samples.json', 'utf8')) as {
    samples: { x: number[] }[];
  };
  const small = await twoHosts(service, () => postBacklog(service.url, model, digits, backlogCount));
  sayTwoHosts(model, backlogCount, small);
  const lenet = await twoHosts(service, () =>
    postBacklog(
      service.url,
      'lenet5',
      samples.map(({ x }) => x),
      lenetBacklogCount,
    ),
  );
  sayTwoHosts('lenet5', lenetBacklogCount, lenet);
  // The bar names no model: it holds where proving outweighs the bookkeeping of a proof.
  const [twoHostModel, named] = small.speedup >= twoHostBar ? [model, small] : ['lenet5', lenet];
  say(`twoHostSpeedup is that of ${twoHostModel}`);
  await service.stop();

  const campaign = await killCampaign(random(seedFrom(say)), kills);
  say(
    `kills ${JSON.stringify(campaign.kills)}, accepted ${campaign.accepted}, slowest restart ${JSON.stringify(campaign.slowestRestartMs)} ms`,
  );
  const lost = campaign.lost.length + lostUnderLoad;
  say(
    JSON.stringify({
      answersPerS: Math.round(answersPerS),
      p99Ms: paced.p99Ms,
      loopDelayP99Ms: Math.round(loopDelayP99Ms * 10) / 10,
      proofsPerS: Math.round(proofsPerS * 10) / 10,
      kills,
      lost,
      doubleSettled: campaign.doubleSettled,
      twoHostSpeedup: rounded(named.speedup),
      twoHostModel,
      twoHostSpeedupDigits: rounded(small.speedup),
      twoHostSpeedupLenet: rounded(lenet.speedup),
    }),
  );
  const isUnmeasured = Number.isNaN(small.speedup) || Number.isNaN(lenet.speedup);
  if (isUnmeasured || lost > 0 || campaign.doubled > 0 || campaign.doubleSettled > 0) process.exitCode = 1;
} finally {
  await service.stop();
  await rm(folder, { recursive: true, force: true });
}
