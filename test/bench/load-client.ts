/** The client side of bench-load, a process of its own: distinct inputs, only 202 counts. Prints one line of JSON. */
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
let next = offset;
const started = performance.now();
const run = await autocannon({
  url,
  connections: 20,
  amount,
  ...(rate > 0 ? { overallRate: rate } : {}),
  requests: [
    {
      method: 'POST',
      path: `/v1/models/${model}/inferences`,
      setupRequest: (request) => {
        const n = next++;
        const data = [...digits[n % digits.length]!];
        data[0] = n / 1_000_000;
        return {
          ...request,
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ input: { data } }),
        };
      },
    },
  ],
});
const result: LoadResult = {
  accepted: run['2xx'],
  refused: run.non2xx,
  errors: run.errors,
  seconds: (performance.now() - started) / 1000,
  p50Ms: run.latency.p50,
  p99Ms: run.latency.p99,
  maxMs: run.latency.max,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
