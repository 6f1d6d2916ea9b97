/**
 * What the verifier package costs a web page: a warm verification with WASM pairing, and its download. The table is
 * for people; the last line is JSON.
 */
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { encodeReceipt } from '../../service/receipt.js';
import { verifyReceipt } from '../../service/verifier/index.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

const { receipt, expectations } = await stageReceipt(stageModel(42));
const text = encodeReceipt(receipt);
const start = performance.now();
let allValid = (await verifyReceipt(text, expectations)).valid;
const firstMs = performance.now() - start;
const walls: number[] = [];
for (let i = 0; i < 110; i++) {
  const since = performance.now();
  allValid &&= (await verifyReceipt(text, expectations)).valid;
  walls.push(performance.now() - since);
}
const warm = walls.slice(10).sort((a, b) => a - b);
const warmMs = Number(warm[50]!.toFixed(2));
const p95Ms = Number(warm[95]!.toFixed(2));

const made = await build({
  configFile: false,
  logLevel: 'silent',
  build: {
    ...{ write: false, minify: true },
    lib: { entry: 'dist/service/verifier/index.js', formats: ['es'], fileName: 'verifier' },
  },
});
const { output } = (Array.isArray(made) ? made[0] : made) as Rolldown.RolldownOutput;
const gzipBytes = output.reduce(
  (sum, part) => sum + (part.type === 'chunk' ? gzipSync(part.code, { level: 9 }).length : 0),
  0,
);

process.stdout.write(
  [
    `first verification   ${firstMs.toFixed(1)} ms`,
    `warm, median         ${warmMs} ms (bar 30)`,
    `warm, 95 %           ${p95Ms} ms`,
    `browser bundle       ${(gzipBytes / 1000).toFixed(1)} kB gzip (bar 200)`,
    '',
  ].join('\n'),
);
process.stdout.write(`${JSON.stringify({ warmMs, p95Ms, gzipBytes, allValid })}\n`);
process.exit(allValid && gzipBytes > 0 ? 0 : 1);
