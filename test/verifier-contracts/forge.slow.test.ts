/**
 * The forge tests at length: 10,000 runs of every external function, the invariants at 1,000 sequences of 100 calls. Tests
 * that verify many proofs a run take 2,000 and say so; each function that they call has another at 10,000.
 */
import test from 'ava';
import { entryPoints } from '../support/entry-points.js';
import { runForge } from '../support/forge.js';

test('every external function survives 10,000 runs of fuzzing', async (t) => {
  t.timeout(7_200_000);
  const outcomes = await runForge('slow', ['--no-match-test', 'invariant_']);
  for (const [name, { passed, reason, runs }] of outcomes) {
    t.true(passed, `${name}: ${reason}`);
    if (name.startsWith('testFuzz_')) t.true(runs >= 2_000, `${name} ran ${runs} times`);
  }
  for (const { name, isFuzzable, tests } of entryPoints()) {
    if (!isFuzzable) continue;
    const most = Math.max(...tests.map((one) => (one.startsWith('testFuzz_') ? outcomes.get(one)!.runs : 0)));
    t.true(most >= 10_000, `${name} was fuzzed ${most} times`);
  }
});

test('every sentence survives 1,000 sequences of 100 calls', async (t) => {
  t.timeout(7_200_000);
  const outcome = (await runForge('slow', ['--match-test', 'invariant_'])).get(
    'invariant_every_sentence_holds',
  )!;
  t.true(outcome.passed, outcome.reason);
  t.true(outcome.calls >= 100_000, `${outcome.calls} calls`);
});
