import test from 'ava';
import { Wallet } from 'ethers';
import {
  buildReceipt,
  encodeReceipt,
  InconsistentReceipt,
  signReceipt,
  withOpening,
  withSettlement,
} from '../../service/receipt.js';
import {
  verifyReceipt,
  MissingExpectation,
  parseReceipt,
  type Verdict,
} from '../../service/verifier/index.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

const failed = ({ checks }: Verdict) => checks.filter(({ status }) => status === 'fail').map(({ id }) => id);

for (const inputMode of ['committed', 'public'] as const) {
  for (const chain of [false, true]) {
    test(`a receipt is made, signed, encoded, parsed and verified: input ${inputMode}, chain ${chain}`, async (t) => {
      const model = stageModel(1, { inputMode });
      const { receipt, expectations, opening } = await stageReceipt(model, { chain });
      const text = encodeReceipt(receipt);
      t.deepEqual(parseReceipt(text), receipt);
      const verdict = await verifyReceipt(text, expectations);
      t.deepEqual(failed(verdict), []);
      t.true(verdict.valid && verdict.verifiedOffline);
      t.is(verdict.settled, 'unknown');
      const own = encodeReceipt(withOpening(receipt, opening));
      t.true((await verifyReceipt(own, expectations)).valid);
      t.true(
        (await verifyReceipt(text, { ...expectations, input: opening, operator: model.operator.address }))
          .valid,
      );
    });
  }
}

test('committed outputs are checked through the opening, and stay unknown without it', async (t) => {
  const { receipt, expectations, opening } = await stageReceipt(stageModel(2, { outputMode: 'commitment' }));
  const without = await verifyReceipt(receipt, expectations);
  t.is(without.checks.find(({ id }) => id === 'outputs')?.status, 'unknown');
  const verdict = await verifyReceipt(withOpening(receipt, opening), expectations);
  t.is(verdict.checks.find(({ id }) => id === 'outputs')?.status, 'pass');
  const lie = structuredClone(withOpening(receipt, opening));
  lie.outputs[0].values[0] ^= 1;
  t.deepEqual(failed(await verifyReceipt(lie, expectations)).sort(), ['outputs', 'signature']);
});

test('the builder hands out nothing that a reader would refuse', async (t) => {
  const model = stageModel(3);
  const { content } = await stageReceipt(model);
  const other = await stageReceipt(model);
  const refuse = (change: object, check: string) =>
    t.throwsAsync(buildReceipt({ ...content, ...change }), {
      instanceOf: InconsistentReceipt,
      message: new RegExp(check),
    });
  await refuse({ proof: other.content.proof }, 'proof');
  await refuse({ outputs: other.content.outputs }, 'outputs');
  await refuse({ statement: other.content.statement }, 'ctx');
  await refuse({ manifest: { ...model.manifest, note: 1 } }, 'manifest');
  const unsigned = await buildReceipt(content);
  await t.throwsAsync(signReceipt(unsigned, Wallet.createRandom()), { instanceOf: InconsistentReceipt });
});

test('settlement can be added later and needs a new signature', async (t) => {
  const model = stageModel(4);
  const { receipt, expectations } = await stageReceipt(model, { chain: true });
  const settled = withSettlement(receipt, {
    state: 'settled',
    transactionHash: `0x${'1'.repeat(64)}`,
    blockNumber: 7,
    blockHash: `0x${'2'.repeat(64)}`,
    final: true,
  });
  t.deepEqual(failed(await verifyReceipt(settled, expectations)), ['signature']);
  const verdict = await verifyReceipt(await signReceipt(settled, model.operator), expectations);
  t.true(verdict.valid);
  t.is(verdict.settled, 'unknown');
});

test('the reader must say what it expects', async (t) => {
  const { receipt, expectations } = await stageReceipt(stageModel(5), {});
  for (const missing of [
    {},
    { modelId: expectations.modelId },
    { requestId: expectations.requestId },
    { ...expectations, chainId: 1 },
  ]) {
    await t.throwsAsync(verifyReceipt(receipt, missing), { instanceOf: MissingExpectation });
  }
});
