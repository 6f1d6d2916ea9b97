/** The forge tests at 10,000 runs a function, and the invariants at 1,000 sequences of 100 calls. */
import test from 'ava';
import { runForge } from '../support/forge.js';

test('every external function survives 10,000 runs of fuzzing', async (t) => {
  t.timeout(7_200_000);
  const outcomes = await runForge('slow', ['--no-match-test', 'invariant_']);
  for (const [name, { passed, reason, runs }] of outcomes) {
    t.true(passed, `${name}: ${reason}`);
    if (name.startsWith('testFuzz_')) t.true(runs >= 10_000, `${name} ran ${runs} times`);
  }
  t.true(outcomes.size > 60);
});

test('every sentence survives 1,000 sequences of 100 calls', async (t) => {
  t.timeout(7_200_000);
  const outcome = (await runForge('slow', ['--match-test', 'invariant_'])).get(
    'invariant_every_sentence_holds',
  )!;
  t.true(outcome.passed, outcome.reason);
  t.true(outcome.calls >= 100_000, `${outcome.calls} calls`);
});
