import test from 'ava';
import { withoutEquivalent } from './support/mutation/equivalent.js';
import { contractMutants } from './support/mutation/solidity-campaign.js';
import { codeMutants } from './support/mutation/typescript-campaign.js';

test('every mutant that is called equivalent exists, and no mutant is made twice', (t) => {
  const mutants = [...contractMutants(), ...codeMutants()];
  t.deepEqual(withoutEquivalent(mutants).unused, []);
  t.is(new Set(mutants.map(({ file, text }) => `${file}\0${text}`)).size, mutants.length);
});
