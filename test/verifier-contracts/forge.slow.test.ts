/**
 * The forge tests at length: 10,000 runs of every external function, the invariants at 1,000 sequences of 100 calls. Tests
 * of milliseconds a run take 1,000 and say so; each function that they call has another at 10,000. One after the other:
 * forge takes every core by itself.
 */
import test from 'ava';
import { rmSync } from 'node:fs';
import { compileContracts, settings, writeArtifacts } from '../../verifier-contracts/build.js';
import { entryPoints } from '../support/entry-points.js';
import { runForge } from '../support/forge.js';

/** Both in one run of forge: the sequences take one core, the fuzz tests the others. */
let long: ReturnType<typeof runForge> | undefined;
const longRun = (): ReturnType<typeof runForge> => (long ??= runForge('slow'));

test.serial('every external function survives 10,000 runs of fuzzing', async (t) => {
  t.timeout(7_200_000);
  const outcomes = await longRun();
  for (const [name, { passed, reason, runs }] of outcomes) {
    t.true(passed, `${name}: ${reason}`);
    if (name.startsWith('testFuzz_')) t.true(runs >= 1_000, `${name} ran ${runs} times`);
  }
  for (const { name, isFuzzable, tests } of entryPoints()) {
    if (!isFuzzable) continue;
    const most = Math.max(...tests.map((one) => (one.startsWith('testFuzz_') ? outcomes.get(one)!.runs : 0)));
    t.true(most >= 10_000, `${name} was fuzzed ${most} times`);
  }
});

test.serial('every sentence survives 1,000 sequences of 100 calls', async (t) => {
  t.timeout(7_200_000);
  const outcome = (await longRun()).get('invariant_every_sentence_holds')!;
  t.true(outcome.passed, outcome.reason);
  t.true(outcome.calls >= 100_000, `${outcome.calls} calls`);
});

/**
 * Other roads through the compiler than the one that is deployed: a verdict must not depend on the road. The older code
 * generator is none of them: it runs out of stack in the verifier.
 */
const roads: Record<string, Partial<typeof settings>> = {
  'the rules of prague': { evmVersion: 'prague' },
  'the rules of osaka': { evmVersion: 'osaka' },
  'no optimizer': { optimizer: { enabled: false, runs: 200 } },
  'an optimizer for size': { optimizer: { enabled: true, runs: 1 } },
};

for (const [name, change] of Object.entries(roads)) {
  test.serial(`S13 compiled with ${name}, every forge test of a verdict or a payment holds`, async (t) => {
    t.timeout(600_000);
    const artifacts = `verifier-contracts/cache/road-${process.pid}`;
    writeArtifacts(artifacts, compileContracts('verifier-contracts', { change }), { ...settings, ...change });
    try {
      // Prices and gas levels are those of the deployed bytes.
      const priced = 'price|half_a_block|gas|sixty_four';
      const outcomes = await runForge(
        'mutation',
        ['--no-match-contract', 'GasSweep', '--no-match-test', priced],
        {
          artifacts,
        },
      );
      for (const [test_, { passed, reason }] of outcomes) t.true(passed, `${test_}: ${reason}`);
      t.true(outcomes.size >= 90, `${outcomes.size} tests`);
    } finally {
      rmSync(artifacts, { recursive: true, force: true });
    }
  });
}
