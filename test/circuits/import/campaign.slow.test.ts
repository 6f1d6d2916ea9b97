import test from 'ava';
import { random, seedFrom } from '../../support/random.js';
import { families, runFamily } from './campaign.js';

/** 10^5 cases a family by default; VERINFER_CASES runs a part. */
const CASES = Number(process.env['VERINFER_CASES'] ?? 100_000);

for (const name of Object.keys(families)) {
  test(`C23 ${name}: ${CASES} random models equal ONNX Runtime`, async (t) => {
    t.timeout(12 * 3_600_000);
    const tally = await runFamily(name, CASES, random(seedFrom((line) => t.log(line))));
    t.log(
      `${tally.cases} models, ${tally.refused} refused, ${tally.elements} elements, ${tally.disagreeing} differ from the upload`,
    );
    t.deepEqual(tally.failures, []);
  });
}
