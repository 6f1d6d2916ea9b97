/** How an inference ends while its receipt waits to be signed, and who is not held up by whom. */
import test from 'ava';
import { randomUUID } from 'node:crypto';
import { EventEmitter, getEventListeners } from 'node:events';
import pg from 'pg';
import { eventRoutes } from '../../service/routes/events.js';
import type { ApiParts } from '../../service/api-parts.js';
import { AcceptQueue } from '../../service/store/accept.js';
import { repairQueues } from '../../service/store/jobs.js';
import { claimInference, completeProof, failInference } from '../../service/store/proofs.js';
import { Grouped } from '../../service/store/grouped.js';
import { sealReceipts } from '../../service/store/seals.js';
import { waitingForBatch } from '../../service/store/settlements.js';
import { call, startTestService, type TestService } from '../support/service.js';

let service: TestService;
test.before(async () => {
  service = await startTestService({ prover: false });
});
test.after.always(() => service?.stop());

const ours = `0x${'51'.repeat(20)}`;
const batch = { count: 16, ageMs: 0 };

/** An inference whose proof is stored and whose receipt its operator has still to sign. */
async function proofStored(
  settlement: 'none' | 'onchain' | 'batched' = 'none',
  operator = ours,
): Promise<{ id: string; fence: number }> {
  const { pool, modelId } = service;
  const id = `inf_${randomUUID().replaceAll('-', '')}`;
  await new AcceptQueue(pool, 1_000).accept({
    ...{ id, tenantId: 'development', modelId, batchId: null, settlement, units: 1 },
    ...{ retentionMs: 60_000, dayLimit: null, outputs: { tensors: [] }, timings: {}, salt: null },
    ...{ tensors: Buffer.of(1), request: { statement: { operator } } },
  });
  const { fence } = (await claimInference(pool, id, 'a host'))!;
  const receipt = Buffer.from('{"signature":null}');
  const result = { receipt, receiptDigest: Buffer.alloc(32), timings: {}, operator };
  if (!(await completeProof(pool, id, fence, result))) throw new Error(`${id}: must be completed`);
  return { id, fence };
}

const signed = (id: string) =>
  sealReceipts(
    service.pool,
    [{ id, digest: Buffer.alloc(32), body: Buffer.from('{"signature":"0x"}') }],
    batch,
  );

async function stateOf(id: string): Promise<string> {
  const { rows } = await service.pool.query('select state from inferences where id = $1', [id]);
  return rows[0].state;
}

test('finding-51: what has a proof does not expire, time out or crash any more', async (t) => {
  // House-keeping read the expired inputs, and the proof came before it acted on them; or a second host, whose claim
  // waited for the first one's result, found no input.
  const { id, fence } = await proofStored();
  t.false(await failInference(service.pool, id, null, 'input-expired', 'a test'));
  for (const code of ['input-expired', 'proof-timeout', 'prover-crashed', 'prover-refused'] as const)
    t.false(await failInference(service.pool, id, fence, code, 'a test'), code);
  t.is(await stateOf(id), 'proving');
  t.deepEqual(await signed(id), [id]);
});

test('finding-51: a proof that is being stored just then is waited for', async (t) => {
  const { pool } = service;
  const { id, fence } = await proofStored();
  await pool.query('delete from receipts where id = $1', [id]);
  const storing = await pool.connect();
  try {
    // As completeProof does it, and not yet committed.
    await storing.query('begin');
    await storing.query(`update inferences set timings = '{}' where id = $1`, [id]);
    await storing.query(
      `insert into receipts (id, tenant_id, digest, body) values ($1, 'development', $2, $2)`,
      [id, Buffer.of(1)],
    );
    const failing = failInference(pool, id, fence, 'input-expired', 'a test');
    for (let waiting = 0; waiting === 0;) {
      const { rows } = await pool.query(
        `select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'`,
      );
      waiting = rows[0].n;
    }
    await storing.query('commit');
    t.false(await failing);
  } finally {
    storing.release();
  }
});

test('finding-51: a cancellation that meets a signed receipt changes nothing, nor does one of what is on its way to the chain', async (t) => {
  const { id } = await proofStored('onchain');
  await signed(id);
  t.false(await failInference(service.pool, id, null, 'cancelled', 'a test'));
  await service.pool.query(`update inferences set state = 'submitted' where id = $1`, [id]);
  t.false(await failInference(service.pool, id, null, 'cancelled', 'a test'));
  t.is(await stateOf(id), 'submitted');
  t.true(await failInference(service.pool, id, null, 'settlement-failed', 'a test'));
});

test('finding-52: a receipt that is not signed yet is pending, and of a cancelled inference there is none', async (t) => {
  const { id } = await proofStored();
  const early = await call(service.url, `/v1/receipts/${id}`);
  t.is(early.body.code, 'receipt-pending', JSON.stringify(early.body));
  t.regex(early.body.detail, /is proving/);
  await signed(id);
  t.is((await call(service.url, `/v1/receipts/${id}`)).body.signature, '0x');

  const dropped = await proofStored();
  const cancelled = await call(service.url, `/v1/inferences/${dropped.id}/cancel`, { method: 'POST' });
  t.is(cancelled.body.state, 'failed', JSON.stringify(cancelled.body));
  t.deepEqual(await signed(dropped.id), []);
  const late = await call(service.url, `/v1/receipts/${dropped.id}`);
  t.is(late.body.code, 'receipt-pending', JSON.stringify(late.body));
  const { rowCount } = await service.pool.query('select from receipts where id = $1', [dropped.id]);
  t.is(rowCount, 0);
});

/** Of a response, what a stream of events touches. */
class FakeResponse extends EventEmitter {
  writableEnded = false;
  closed = false;
  writeHead = (): this => this;
  write = (): boolean => true;
  end = (): void => void (this.writableEnded = true);
}

function follow(
  id: string,
  response: FakeResponse,
  closing: AbortSignal,
): { ended: Promise<unknown>; left: () => number } {
  let left = 0;
  const events = {
    subscribe: () => {
      left += 1;
      return () => (left -= 1);
    },
  };
  const parts = { pool: service.pool, events, closing } as unknown as ApiParts;
  const { handle } = eventRoutes(parts)[0]!;
  const caller = { tenantId: 'development' };
  return { ended: handle({ params: { inferenceId: id }, caller, response } as never), left: () => left };
}

test('finding-53: who follows an inference and leaves is forgotten', async (t) => {
  const { id } = await proofStored();
  const { signal } = new AbortController();
  const response = new FakeResponse();
  const { ended, left } = follow(id, response, signal);
  while (left() === 0) await new Promise((done) => setImmediate(done));
  response.emit('close');
  await ended;
  t.is(left(), 0);
  t.is(getEventListeners(signal, 'abort').length, 0);

  // Gone before the inference was looked up: `close` does not come a second time.
  const gone = new FakeResponse();
  gone.closed = true;
  const early = follow(id, gone, signal);
  await early.ended;
  t.is(early.left(), 0);
  t.is(getEventListeners(signal, 'abort').length, 0);
});

test('finding-58: a database that does not answer is waited for once by all that were waiting together', async (t) => {
  const groups: number[][] = [];
  const errors = [
    new Error('timeout exceeded when trying to connect'),
    new pg.DatabaseError('no', 2, 'error'),
  ];
  const grouped = new Grouped(async (items: readonly number[]) => {
    groups.push([...items]);
    if (items.includes(0)) return items;
    if (items.length > 1 || items[0] === 3) throw errors[items.includes(1) ? 0 : 1]!;
    return items;
  });
  const all = async (...items: number[]) =>
    (await Promise.allSettled(items.map((item) => grouped.call(item)))).map(({ status }) => status);
  t.deepEqual(await all(0, 1, 2), ['fulfilled', 'rejected', 'rejected']);
  t.deepEqual(await all(0, 3, 4), ['fulfilled', 'rejected', 'fulfilled'], 'one item was at fault');
  t.deepEqual(groups, [[0], [1, 2], [0], [3, 4], [3], [4]]);
});

test('finding-59: those who settle under a key that is here do not wait behind one that is gone', async (t) => {
  const { pool } = service;
  const gone = `0x${'59'.repeat(20)}`;
  const ids: string[] = [];
  for (const operator of [gone, gone, gone, ours, ours]) {
    const { id } = await proofStored('batched', operator);
    await signed(id);
    ids.push(id);
  }
  const waiting = async (limit: number) => (await waitingForBatch(pool, limit, [ours])).map(({ id }) => id);
  t.deepEqual(await waiting(2), ids.slice(3));
  t.deepEqual(await waiting(9), [...ids.slice(3), ...ids.slice(0, 3)], 'and those are not forgotten');
});

test('finding-61: a job whose return was forgotten with a killed server does not stay with a worker that lives', async (t) => {
  const { pool } = service;
  const [forgotten, atWork] = [(await proofStored()).id, (await proofStored()).id];
  await pool.query(
    `insert into hosts (id, kind, name, worker_ids) values ('lives', 'prover', 'lives', '{lives/1}')`,
  );
  const lock = (id: string, age: string) =>
    pool.query(
      `update graphile_worker._private_jobs set locked_by = 'lives/1', locked_at = now() - $2::interval where key = $1`,
      [`prove:${id}`, age],
    );
  await lock(forgotten, '2 seconds');
  await lock(atWork, '1 second');
  await repairQueues(pool, 60_000);
  const { rows } = await pool.query<{ key: string }>(
    `select key from graphile_worker._private_jobs where locked_by = 'lives/1'`,
  );
  t.deepEqual(rows, [{ key: `prove:${atWork}` }]);
});
