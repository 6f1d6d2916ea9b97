import test from 'ava';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildReceipt, encodeReceipt } from '../../service/receipt.js';
import { Sealer } from '../../service/sealer.js';
import { AcceptQueue } from '../../service/store/accept.js';
import { claimInference, completeProof } from '../../service/store/proofs.js';
import { openUnder } from '../../service/store/seals.js';
import { parseReceipt } from '../../service/verifier/receipt.js';
import { recoverSigner } from '../../service/verifier/signature.js';
import { stageModel, stageReceipt } from '../support/receipt.js';
import { startTestService, type TestService } from '../support/service.js';

let service: TestService;
test.before(async () => {
  service = await startTestService({ prover: false });
});
test.after.always(() => service?.stop());

/** As a prover host leaves it: proven, and not signed. */
async function unsealed(operator: string, receipt: string): Promise<string> {
  const { pool, modelId } = service;
  const id = `inf_${randomUUID().replaceAll('-', '')}`;
  await new AcceptQueue(pool, 1_000).accept({
    ...{ id, tenantId: 'development', modelId, batchId: null, settlement: 'none', units: 1 },
    ...{ retentionMs: 60_000, dayLimit: null, outputs: {}, timings: {}, tensors: Buffer.of(1), salt: null },
    request: { statement: { operator } },
  });
  const { fence } = (await claimInference(pool, id, 'a host'))!;
  const digest = Buffer.alloc(32);
  const result = { receipt: Buffer.from(receipt), receiptDigest: digest, timings: {}, operator };
  if (!(await completeProof(pool, id, fence, result))) throw new Error(`${id}: must be completed`);
  return id;
}

async function stateOf(id: string): Promise<{ state: string; body: Buffer; waitsMs: number | null }> {
  const { rows } = await service.pool.query(
    `select state, body, (1000 * extract(epoch from seal_at - now()))::float8 as "waitsMs"
     from inferences join receipts using (id) where id = $1`,
    [id],
  );
  return rows[0];
}

async function untilProven(id: string): Promise<void> {
  for (let attempt = 0; (await stateOf(id)).state !== 'proven'; attempt++) {
    if (attempt > 400) throw new Error(`${id}: must be proven within ten seconds`);
    await sleep(25);
  }
}

test('Q06 a receipt that cannot be signed waits and is tried again, and its neighbours are signed', async (t) => {
  const model = stageModel(51);
  const { content } = await stageReceipt(model);
  const whole = encodeReceipt(await buildReceipt(content));
  const operator = model.operator.address.toLowerCase();
  const spoilt = await unsealed(operator, whole.slice(1));
  const stranger = await unsealed(`0x${'77'.repeat(20)}`, whole);
  const good = [await unsealed(operator, whole), await unsealed(operator, whole)];
  t.is(await openUnder(service.pool, operator), 3);

  const { pool, log } = service;
  const sealer = new Sealer({ pool, log, wallets: [model.operator], batch: { count: 16, ageMs: 0 } });
  sealer.start();
  try {
    for (const id of good) {
      await untilProven(id);
      const { body, waitsMs } = await stateOf(id);
      t.is(recoverSigner(parseReceipt(body)), operator);
      t.is(waitsMs, null);
    }
    const waiting = await stateOf(spoilt);
    t.is(waiting.state, 'proving');
    t.true(waiting.waitsMs! > 1_000, 'not tried again at once');
    t.is(waiting.body.toString(), whole.slice(1));
    t.is((await stateOf(stranger)).state, 'proving', 'what names another operator is left to its key');

    await pool.query('update receipts set body = $2, seal_at = now() where id = $1', [
      spoilt,
      Buffer.from(whole),
    ]);
    sealer.notice();
    await untilProven(spoilt);
    t.is(await openUnder(pool, operator), 0);
  } finally {
    await sealer.stop();
  }
  const { rows } = await pool.query(`select open_count as open from tenants where id = 'development'`);
  t.is(rows[0].open, 1, 'the stranger alone');
});
