/**
 * `make bench-throughput`: LeNet inferences posted to the REST endpoint for a minute as fast as they are proven, one proof
 * a core. Prints proofs a second and the resident memory of the whole service in its second and its last quarter; the
 * last line is JSON. SECONDS=… for another length.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWholeService } from '../support/whole-service.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const seconds = Number(process.env['SECONDS'] ?? 60);
const model = 'lenet5';
const { samples } = JSON.parse(readFileSync(`models/${model}/samples.json`, 'utf8')) as {
  samples: { x: number[] }[];
};

const service = await startWholeService({ models: [model] });
const { url, pool, config } = service;

let posted = 0;
async function post(): Promise<void> {
  const n = posted++;
  const data = [...samples[n % samples.length]!.x];
  data[0] = n / 1_000_000; // no two requests are the same
  const response = await fetch(`${url}/v1/models/${model}/inferences`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ input: { data } }),
  });
  if (response.status !== 202) throw new Error(`request ${n}: must be accepted, got ${response.status}`);
}

async function count(states: readonly string[]): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    'select count(*)::int as n from inferences where state::text = any($1)',
    [states],
  );
  return rows[0]!.n;
}

/** Of this process and all that descend from it, the database and the chain among them. */
function residentMiB(): number {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const field = (key: string): number =>
          Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
        // shared pages would be counted once for every database process
        const own = field('RssAnon');
        return [{ pid: Number(name), parent: field('PPid'), own }];
      } catch {
        return []; // ended meanwhile
      }
    });
  const family = new Set([process.pid]);
  for (let grown = true; grown;) {
    const before = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
    grown = family.size > before;
  }
  return processes.filter(({ pid }) => family.has(pid)).reduce((sum, { own }) => sum + own, 0) / 1024;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const waiting = ['answered', 'proving'];
const ahead = 3 * availableParallelism();
let proofsPerS: number | null = null;
let rss: readonly [number, number] | null = null;
try {
  const keepQueued = async (): Promise<void> => {
    for (let open = await count(waiting); open < ahead; open++) await post();
  };
  const done = (): Promise<number> => count(['proven', 'submitted', 'settled']);
  // the first proofs load and warm the key
  for (const started = performance.now(); (await done()) < ahead && performance.now() - started < 120_000;) {
    await keepQueued();
    await sleep(50);
  }
  const [before, started] = [await done(), performance.now()];
  const memory: number[] = [];
  while (performance.now() - started < seconds * 1000) {
    await keepQueued();
    memory.push(residentMiB());
    await sleep(100);
  }
  const proven = (await done()) - before;
  proofsPerS = proven / ((performance.now() - started) / 1000);
  const quarter = Math.floor(memory.length / 4);
  rss = [mean(memory.slice(quarter, 2 * quarter)), mean(memory.slice(3 * quarter))];
  const failed = await count(['failed']);
  say(
    `${proven} LeNet proofs in ${seconds} s: ${proofsPerS.toFixed(2)} a second on ${config.proverCount} threads; ` +
      `memory ${rss[0].toFixed(0)} MiB in the second quarter, ${rss[1].toFixed(0)} MiB in the last; ${failed} failed`,
  );
  if (failed > 0) process.exitCode = 1;
} catch (error) {
  say(`not measured: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await service.stop();
}
const round = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 100) / 100;
say(
  JSON.stringify({
    seconds,
    lenetProofsPerS: round(proofsPerS ?? undefined),
    rssMiB: round(rss?.[1]),
    rssGrowthMiB: round(rss ? rss[1] - rss[0] : undefined),
  }),
);
