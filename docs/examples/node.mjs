/** Ask, and believe only what is proven. Usage: node node.mjs <url of the service> <model id> */
import { readFileSync } from 'node:fs';
import { Client, UnprovenAnswer } from 'verinfer/client';

const [, , url = 'http://127.0.0.1:8080', modelId] = process.argv;
const client = new Client({ url, ...(process.env.VERINFER_KEY && { key: process.env.VERINFER_KEY }) });
const { samples } = JSON.parse(readFileSync('models/digits8x8/samples.json', 'utf8'));

try {
  const { waitSeconds, rows } = await client.quote(modelId);
  console.log(`quote    ${rows} rows, proven in about ${waitSeconds} s`);
  const inference = await client.infer(modelId, samples[1].x, {
    onState: (state) => console.log(`state    ${state}`),
  });
  const { data } = inference.outputs.find(({ proven }) => proven);
  console.log(`answer   ${data.indexOf(Math.max(...data))} (written: ${samples[1].label})`);
  const { verdict } = await inference.proof;
  console.log(`proven   ${verdict.checks.filter(({ status }) => status === 'pass').length} checks hold`);
} catch (error) {
  if (!(error instanceof UnprovenAnswer)) throw error;
  console.error(`do not use this answer: ${error.reason}`);
  process.exitCode = 1;
}
