/** The client side of bench-load, a process of its own: distinct inputs, only 202 counts. Prints one line of JSON. */
import autocannon from 'autocannon';

const [url, model, secondsText, rateText, offsetText, digitsText] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const digits = JSON.parse(digitsText) as number[][];
let next = Number(offsetText);
const rate = Number(rateText);

const run = autocannon({
  url,
  connections: rate > 0 ? 20 : 16,
  duration: Number(secondsText),
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
const result = await run;
process.stdout.write(
  `${JSON.stringify({ accepted: result['2xx'], refused: result.non2xx, errors: result.errors, seconds: result.duration, p50Ms: result.latency.p50, p99Ms: result.latency.p99, maxMs: result.latency.max })}\n`,
);
