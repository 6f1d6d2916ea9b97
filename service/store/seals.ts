/**
 * Receipts that wait for their operator's signature: `seal_at` is when the next try is due, and null once sealed. The row
 * is the job; a notice on `receipts_to_seal` says that there is one.
 */
import type { Pool } from 'pg';
import { addErrand, type Queryable } from './jobs.js';
import { queueWebhooks } from './notices.js';
import { transaction } from './pool.js';
import type { ReceiptRow } from './receipts.js';
import { queueBatch, queueWholeBatch, type BatchPolicy } from './settlements.js';

/** Those whose operator is one of `operators` (addresses, lower case), the longest waiting first. */
export async function receiptsToSeal(
  pool: Pool,
  operators: readonly string[],
  limit: number,
): Promise<ReceiptRow[]> {
  const { rows } = await pool.query<ReceiptRow>({
    name: 'receipts-to-seal',
    text: `select id, digest, body from receipts
      where seal_at <= now() and operator = any($1) order by seal_at limit $2`,
    values: [operators, limit],
  });
  return rows;
}

/** The next try, for a receipt that could not be signed. */
export async function postponeSeal(pool: Pool, id: string, delayMs: number): Promise<void> {
  await pool.query(
    `update receipts set seal_at = now() + $2 * interval '1 millisecond' where id = $1 and seal_at is not null`,
    [id, delayMs],
  );
}

/** Inferences whose receipt the operator (an address, lower case) has still to sign, for the first time or when it is settled. */
export async function openUnder(pool: Pool, operator: string): Promise<number> {
  const { rows } = await pool.query<{ open: number }>(
    `select count(*)::int as open from inferences where lower(request->'statement'->>'operator') = $1
       and (state in ('answered', 'proving') or (state in ('proven', 'submitted') and settlement <> 'none'))`,
    [operator],
  );
  return rows[0]!.open;
}

interface NowProven {
  readonly id: string;
  readonly settlement: 'none' | 'onchain' | 'batched';
  readonly batchId: string | null;
}

/**
 * Puts signed receipts in place, and their inferences are proven: all in one transaction. What failed meanwhile, or was
 * sealed before, stays as it is. Returns the ids that are proven now.
 */
export async function sealReceipts(
  pool: Pool,
  sealed: readonly ReceiptRow[],
  batch: BatchPolicy,
): Promise<string[]> {
  return transaction(pool, async (client) => {
    const { rows } = (await client.query({
      name: 'seal',
      text: `with sealed as (
          select * from unnest($1::text[], $2::bytea[], $3::bytea[]) as s(id, digest, body)
        ), proven as (
          update inferences i set state = 'proven', proven_at = now() from sealed s
          where i.id = s.id and i.state = 'proving' returning i.id, tenant_id, settlement, batch_id
        ), kept as (
          update receipts r set digest = s.digest, body = s.body, seal_at = null
          from sealed s join proven p on p.id = s.id where r.id = s.id
        ), left_alone as (
          update receipts r set seal_at = null from sealed s
          where r.id = s.id and r.seal_at is not null and not exists (select 1 from proven p where p.id = s.id)
        ), locked as (
          -- in one order, as those who accept do
          select t.id from tenants t where t.id in (select tenant_id from proven) order by t.id for update
        ), counted as (
          update tenants t set open_count = open_count - (select count(*) from proven p where p.tenant_id = t.id)
          from locked where t.id = locked.id
        )
        select id, settlement, batch_id as "batchId",
          pg_notify('inference_events', json_build_object('id', id, 'event', 'proven')::text) from proven`,
      values: [
        sealed.map(({ id }) => id),
        sealed.map(({ digest }) => digest),
        sealed.map(({ body }) => body),
      ],
    })) as { rows: NowProven[] };
    if (rows.length === 0) return [];
    await queueWebhooks(
      client,
      rows.map(({ id }) => id),
      'inference.proven',
    );
    await queueSettlements(client, rows, batch);
    return rows.map(({ id }) => id);
  });
}

async function queueSettlements(
  client: Queryable,
  rows: readonly NowProven[],
  batch: BatchPolicy,
): Promise<void> {
  const onchain = rows.filter(({ settlement }) => settlement === 'onchain');
  for (const { id, batchId } of onchain) if (batchId === null) await addErrand(client, 'settle', id, { id });
  // Sorted: two transactions that lock several batches must not wait for each other in a circle.
  const batches = new Set(onchain.flatMap(({ batchId }) => batchId ?? []));
  for (const batchId of [...batches].sort()) await queueWholeBatch(client, batchId);
  if (rows.some(({ settlement }) => settlement === 'batched')) await queueBatch(client, batch);
}
