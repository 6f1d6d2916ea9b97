import test from 'ava';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { encodeReceipt, withOpening } from '../../service/receipt.js';
import { type Expectations, verifyReceipt } from '../../service/verifier/index.js';
import { campaign } from '../support/campaign.js';
import { random, seedFrom } from '../support/random.js';
import { mutatedText } from '../support/receipt-mutants.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

const hasPython = spawnSync('python3', ['--version']).status === 0;

interface Case {
  readonly text: string;
  readonly expectations: Expectations;
}

/** Verdicts of test/independent/verify_receipt.py, one a case. */
async function independent(cases: readonly Case[]): Promise<{ valid: boolean; failed: string[] }[]> {
  const child = spawn('python3', ['test/independent/verify_receipt.py'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(cases.map((item) => `${JSON.stringify(item)}\n`).join(''));
  const answers: { valid: boolean; failed: string[] }[] = [];
  for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line));
  return answers;
}

/** Counts as skipped where there is no Python. */
const python = { test: hasPython ? test : test.skip };

python.test('V09 an independent checker in Python gives the same verdicts, check by check', async (t) => {
  const draw = random(seedFrom(t.log));
  const stagings = [
    {},
    { inputMode: 'public', chain: true },
    { outputMode: 'commitment', setupClass: 'ceremony', chain: true },
  ] as const;
  const cases: Case[] = [];
  for (const [i, staging] of stagings.entries()) {
    const { receipt, opening, expectations } = await stageReceipt(stageModel(51 + i, staging), staging);
    const own = encodeReceipt(withOpening(receipt, opening));
    cases.push(
      { text: encodeReceipt(receipt), expectations },
      { text: own, expectations: { ...expectations, input: opening } },
    );
    for (let n = 0; n < campaign(25, 3400); n++) cases.push({ text: mutatedText(draw, own), expectations });
    cases.push({ text: own, expectations: { ...expectations, modelId: `0x${'1'.repeat(64)}` } });
  }
  const theirs = await independent(cases);
  t.is(theirs.length, cases.length);
  let refusedInside = 0;
  for (const [i, { text, expectations }] of cases.entries()) {
    const ours = await verifyReceipt(text, expectations);
    const failed = ours.checks.filter(({ status }) => status === 'fail').map(({ id }) => id);
    if (failed.length > 0 && failed[0] !== 'form') refusedInside++;
    t.deepEqual(theirs[i].failed, failed, `case ${i}: ${text.slice(0, 200)}`);
    t.is(theirs[i].valid, ours.valid);
  }
  t.is(theirs.filter(({ valid }) => valid).length, 6);
  t.true(refusedInside > 10);
});
