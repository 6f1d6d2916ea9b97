import test from 'ava';
import { importModel } from '../../../circuits/import/import.js';
import { seedFrom } from '../../support/random.js';
import { fuzzImport, seedModels } from './fuzz.js';

test('the seeds of the fuzzer are models', (t) => {
  for (const seed of seedModels()) t.notThrows(() => importModel(seed));
});

test('F01 20,000 mutated files are refused or are models: no crash, no hang, bounded memory', (t) => {
  t.timeout(120_000);
  const seed = seedFrom((line) => t.log(line));
  const before = process.memoryUsage().rss;
  const { accepted, refused, failures, slowestMs } = fuzzImport(20_000, seed);
  t.deepEqual(failures, []);
  t.log(`${accepted} accepted, ${refused} refused, slowest ${slowestMs.toFixed(0)} ms`);
  t.is(accepted + refused, 20_000);
  t.true(accepted > 100 && refused > 10_000);
  t.true(process.memoryUsage().rss - before < 1024 * 2 ** 20);
});
