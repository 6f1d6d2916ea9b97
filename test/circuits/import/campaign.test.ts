import test from 'ava';
import { random, seedFrom } from '../../support/random.js';
import { families, runFamily } from './campaign.js';

const CASES = 30;

for (const name of Object.keys(families)) {
  test(`C23 ${name}: random models equal ONNX Runtime on every element, and their witnesses satisfy`, async (t) => {
    t.timeout(120_000);
    const tally = await runFamily(name, CASES, random(seedFrom((line) => t.log(line))));
    t.log(
      `${tally.cases} models, ${tally.refused} refused, ${tally.elements} elements, ${tally.disagreeing} differ from the upload`,
    );
    t.deepEqual(tally.failures, []);
    t.is(tally.mismatched, 0);
    t.true(tally.refused < CASES / 2, 'most of the family is provable');
  });
}
