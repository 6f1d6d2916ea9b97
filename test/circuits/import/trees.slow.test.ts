/** Thousands of random forests and a hundred thousand samples, many on thresholds, ±0, denormals, ±∞ and NaN. */
import test from 'ava';
import { runTreeCampaign } from './tree-campaign.js';

const SEED = Number(process.env['TREE_SEED'] ?? 10_000);

test('2,000 random forests, 100,000 samples: no label, score or integer differs from ONNX Runtime', async (t) => {
  t.timeout(15 * 60_000);
  const tally = await runTreeCampaign({ seed: SEED, forests: 2000, samples: 50, witnesses: 1 });
  t.log(`seeds from ${SEED}: ${JSON.stringify({ ...tally, failures: tally.failures.length })}`);
  t.deepEqual(tally.failures, []);
});
