import test from 'ava';
import { seedFrom } from '../../support/random.js';
import { fuzzImport } from './fuzz.js';

test('F01 a million mutated files are refused or are models', (t) => {
  t.timeout(3_600_000);
  const { accepted, refused, failures } = fuzzImport(
    1_000_000,
    seedFrom((line) => t.log(line)),
  );
  t.deepEqual(failures, []);
  t.is(accepted + refused, 1_000_000);
});
