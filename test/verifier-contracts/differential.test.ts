import test from 'ava';
import { registered, startChain, testModel } from '../support/chain.js';
import { corpus, fourVerifiers } from '../support/four-verifiers.js';
import { random, seedFrom } from '../support/random.js';
import { endSnarkjs } from '../support/snarkjs.js';

test('P12 the TypeScript verifier, snarkjs, noble and the contract give one verdict', async (t) => {
  const chain = await startChain();
  try {
    const model = await registered(chain, 3, 'differential');
    const judge = await fourVerifiers(chain, model);
    const cases = corpus(model, testModel(3, 'differential/other'), random(seedFrom(t.log)));
    let accepted = 0;
    for (let i = 0; i < 100; i++) {
      const encoding = cases.next().value;
      const verdicts = await judge(encoding);
      t.is(new Set(Object.values(verdicts)).size, 1, `${encoding.name}: ${JSON.stringify(verdicts)}`);
      if (/^valid|^re-randomized/.test(encoding.name)) t.true(verdicts.contract, encoding.name);
      if (verdicts.contract) accepted += 1;
    }
    t.is(accepted, 10, 'valid and re-randomized ones, and nothing else');
  } finally {
    await chain.stop();
    await endSnarkjs();
  }
});
