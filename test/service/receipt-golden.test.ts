import test from 'ava';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { encodeReceipt, withOpening } from '../../service/receipt.js';
import { type Expectations, verifyReceipt } from '../../service/verifier/index.js';
import { random } from '../support/random.js';
import { mutatedText } from '../support/receipt-mutants.js';
import { stageModel, stageReceipt, type Staging } from '../support/receipt.js';

/**
 * test/vectors/receipts.json pins 120 receipts and their verdicts by hash. Source: the seeded stagings below.
 * Regenerate with VERINFER_UPDATE=1, and say in the commit why a verdict or a receipt's bytes changed.
 */
const file = 'test/vectors/receipts.json';

const stagings: Staging[] = [
  {},
  { inputMode: 'public' },
  { outputMode: 'commitment', setupClass: 'ceremony' },
  { chain: true, settlement: { state: 'pending', transactionHash: null } },
];

interface Golden {
  readonly text: string;
  readonly expectations: Expectations;
}

async function goldenSet(): Promise<Golden[]> {
  const set: Golden[] = [];
  for (const [i, staging] of stagings.entries()) {
    const model = stageModel(1000 + i, staging);
    const draw = random(2000 + i);
    for (let n = 0; n < 10; n++) {
      const { receipt, opening, expectations } = await stageReceipt(model, staging);
      const own = encodeReceipt(withOpening(receipt, opening));
      set.push(
        { text: encodeReceipt(receipt), expectations },
        { text: own, expectations: { ...expectations, input: opening } },
        { text: mutatedText(draw, own), expectations },
      );
    }
  }
  return set;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hashed = async ({ text, expectations }: Golden) => {
  const verdict = await verifyReceipt(text, expectations);
  const { valid, settled, statementDigest, checks } = verdict;
  return {
    receipt: sha256(text),
    verdict: sha256(JSON.stringify({ valid, settled, statementDigest, checks })),
    valid,
  };
};

test('V08 120 golden receipts: the same bytes and the same verdicts everywhere', async (t) => {
  const set = await goldenSet();
  const hashes = [];
  for (const item of set) hashes.push(await hashed(item));
  const vectors = {
    source: 'test/service/receipt-golden.test.ts',
    regenerate: 'VERINFER_UPDATE=1 ava',
    receipts: hashes,
  };
  if (process.env.VERINFER_UPDATE) await writeFile(file, `${JSON.stringify(vectors, null, 1)}\n`);
  t.is(set.length, 120);
  t.deepEqual(hashes, JSON.parse(await readFile(file, 'utf8')).receipts);
  t.is(hashes.filter(({ valid }) => valid).length, 80);
});

test('V08 the command line says the same in six environments, without a network', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'verinfer-golden-'));
  try {
    const { receipt, expectations } = await stageReceipt(stageModel(1000));
    const where = path.join(folder, 'receipt.json');
    await writeFile(where, encodeReceipt(receipt));
    // A proxy that nobody listens on: whatever asked the network would fail.
    const offline = { http_proxy: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' };
    const environments = [
      {},
      { TZ: 'Asia/Kolkata' },
      { TZ: 'America/St_Johns', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
      { LANG: 'C', LC_ALL: 'C' },
      { LANG: 'ar_EG.UTF-8', LC_ALL: 'ar_EG.UTF-8' },
      { NODE_OPTIONS: '--max-old-space-size=256', UV_THREADPOOL_SIZE: '1' },
    ];
    const said = await Promise.all(
      environments.map(async (environment) => {
        const args = ['dist/service/cli.js', 'verify', where, '--json'];
        args.push('--model', String(expectations.modelId), '--request', String(expectations.requestId));
        const env = { PATH: process.env.PATH, ...offline, ...environment };
        return (await promisify(execFile)(process.execPath, args, { env })).stdout;
      }),
    );
    t.is(new Set(said).size, 1);
    t.true(JSON.parse(said[0]).valid);
  } finally {
    await rm(folder, { recursive: true });
  }
});
