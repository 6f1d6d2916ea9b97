import test from 'ava';
import { registered, startChain, testModel } from '../support/chain.js';
import { corpus, fourVerifiers } from '../support/four-verifiers.js';
import { random, seedFrom } from '../support/random.js';
import { endSnarkjs } from '../support/snarkjs.js';

const cases = Number(process.env['VERINFER_CASES'] ?? 10_000);

test('P12 10,000 encodings, four verifiers, no split', async (t) => {
  t.timeout(3_600_000);
  const chain = await startChain();
  try {
    const model = await registered(chain, 3, 'differential');
    const judge = await fourVerifiers(chain, model);
    const encodings = corpus(model, testModel(3, 'differential/other'), random(seedFrom(t.log)));
    const accepted = new Map<string, number>();
    for (let i = 0; i < cases; i++) {
      const encoding = encodings.next().value;
      const verdicts = await judge(encoding);
      if (new Set(Object.values(verdicts)).size !== 1)
        t.fail(`${encoding.name}: ${JSON.stringify(verdicts)}`);
      if (verdicts.contract) accepted.set(encoding.name, (accepted.get(encoding.name) ?? 0) + 1);
    }
    t.log(Object.fromEntries(accepted));
    for (const name of accepted.keys()) t.regex(name, /^valid|^re-randomized/);
    t.true(accepted.size >= 4);
  } finally {
    await chain.stop();
    await endSnarkjs();
  }
});
