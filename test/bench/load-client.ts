/**
 * The client side of bench-load, a process of its own: distinct inputs, only 202 counts. Prints one line of JSON.
 *
 * At a rate, requests are due evenly in time whether or not earlier ones were answered, and a latency counts from the
 * moment its request was due: a stalled server cannot slow the clock it is measured by.
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';

/** What the client is told, as JSON in its first argument. */
export interface LoadOrder {
  readonly url: string;
  readonly model: string;
  /** Requests to send. */
  readonly amount: number;
  /** Requests a second; 0: as fast as they are answered. */
  readonly rate: number;
  /** Numbers the inputs, which must differ between orders. */
  readonly offset: number;
  readonly digits: readonly (readonly number[])[];
}

export interface LoadResult {
  readonly accepted: number;
  readonly refused: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const { url, model, amount, rate, offset, digits } = JSON.parse(process.argv[2]!) as LoadOrder;
const path = `/v1/models/${model}/inferences`;
const headers = { 'Content-Type': 'application/json' };
let next = offset;

function nextBody(): string {
  const n = next++;
  const data = [...digits[n % digits.length]!];
  data[0] = n / 1_000_000;
  return JSON.stringify({ input: { data } });
}

async function asFastAsAnswered(): Promise<LoadResult> {
  const started = performance.now();
  const run = await autocannon({
    url,
    connections: 20,
    amount,
    requests: [{ method: 'POST', path, setupRequest: (given) => ({ ...given, headers, body: nextBody() }) }],
  });
  return {
    accepted: run['2xx'],
    refused: run.non2xx,
    errors: run.errors,
    seconds: (performance.now() - started) / 1000,
    p50Ms: run.latency.p50,
    p99Ms: run.latency.p99,
    maxMs: run.latency.max,
  };
}

async function atRate(): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const statusOf = (body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(new URL(path, url), { method: 'POST', agent, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end(body);
    });
  const started = performance.now();
  const latenciesMs: number[] = [];
  let refused = 0;
  let errors = 0;
  const ask = async (dueMs: number): Promise<void> => {
    try {
      if ((await statusOf(nextBody())) === 202) latenciesMs.push(performance.now() - dueMs);
      else refused++;
    } catch {
      errors++;
    }
  };
  const asked: Promise<void>[] = [];
  for (let i = 0; i < amount; i++) {
    const dueMs = started + (i * 1000) / rate;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await sleep(earlyMs);
    asked.push(ask(dueMs));
  }
  await Promise.all(asked);
  agent.destroy();
  const sorted = latenciesMs.sort((a, b) => a - b);
  const quantileMs = (share: number): number =>
    Math.round(sorted[Math.ceil(share * sorted.length) - 1]! * 10) / 10;
  return {
    accepted: sorted.length,
    refused,
    errors,
    seconds: (performance.now() - started) / 1000,
    p50Ms: quantileMs(0.5),
    p99Ms: quantileMs(0.99),
    maxMs: quantileMs(1),
  };
}

process.stdout.write(`${JSON.stringify(await (rate > 0 ? atRate() : asFastAsAnswered()))}\n`);
