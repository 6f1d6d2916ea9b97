/** What happens to an inference while it is proven: claimed, completed, sealed or failed, each in one transaction. */
import type { Pool } from 'pg';
import type { FailureCode } from '../errors.js';
import { inferenceColumns, type InferenceRow } from './inferences.js';
import type { Queryable } from './jobs.js';
import { notify, queueWebhooks } from './notices.js';
import { transaction } from './pool.js';
import { queueWholeBatch } from './settlements.js';

export interface Claim {
  readonly row: InferenceRow;
  readonly fence: number;
  readonly isSuspect: boolean;
  readonly tensors: Buffer | null;
  readonly salt: Buffer | null;
}

/** Takes the job for this host. Null when it needs no proof any more: proven, failed or cancelled meanwhile. */
export async function claimInference(pool: Pool, id: string, hostId: string): Promise<Claim | null> {
  const { rows } = await pool.query<InferenceRow & Omit<Claim, 'row'>>({
    name: 'claim',
    text: `with claimed as (
         update inferences set state = 'proving', fence = fence + 1, host_id = $2, proving_at = coalesce(proving_at, now())
         where id = $1 and state in ('answered', 'proving') and not exists (select 1 from receipts r where r.id = $1)
         returning *
       ), clock as (
         update fair_clock set now_ticket = ticket from claimed where now_ticket < ticket
       ), notice as (
         select pg_notify('inference_events', json_build_object('id', id, 'event', 'proving')::text) from claimed
       )
       select ${inferenceColumns}, fence, is_suspect as "isSuspect", tensors, salt
       from claimed left join notice on true
         left join private_inputs on inference_id = id and expires_at > now()`,
    values: [id, hostId],
  });
  if (!rows[0]) return null;
  const { fence, isSuspect, tensors, salt, ...row } = rows[0];
  return { row, fence, isSuspect, tensors, salt };
}

export interface ProofResult {
  readonly receipt: Uint8Array;
  readonly receiptDigest: Uint8Array;
  readonly timings: Readonly<Record<string, number>>;
  /** Who still has to sign: the inference is `proven` when its receipt is sealed. null: nobody. */
  readonly operator: string | null;
}

/** Stores the receipt and erases the private input, if this claim is still the latest. False: a stale result, dropped. */
export async function completeProof(
  pool: Pool,
  id: string,
  fence: number,
  result: ProofResult,
): Promise<boolean> {
  const complete = async (client: Queryable): Promise<boolean> => {
    const { rowCount } = (await client.query({
      name: 'complete',
      text: `with done as (
          update inferences set timings = timings || $3::jsonb where id = $1 and fence = $2 and state = 'proving'
            and not exists (select 1 from receipts r where r.id = $1)
          returning id, tenant_id
        ), erased as (
          delete from private_inputs p using done where p.inference_id = done.id
        ), kept as (
          insert into receipts (id, tenant_id, digest, body, operator, seal_at)
          select id, tenant_id, $4, $5, $6, case when $6::text is not null then now() end from done
        )
        select case when $6::text is not null then pg_notify('receipts_to_seal', '') end from done`,
      values: [
        id,
        fence,
        JSON.stringify(result.timings),
        Buffer.from(result.receiptDigest),
        Buffer.from(result.receipt),
        result.operator,
      ],
    })) as { rowCount: number | null };
    return rowCount === 1;
  };
  // One statement is a transaction of its own.
  if (result.operator !== null) return complete(pool);
  return transaction(pool, async (client) => {
    if (!(await complete(client))) return false;
    await finish(client, id);
    return true;
  });
}

/** proving → proven without a signature, with everything that follows from it. */
async function finish(client: Queryable, id: string): Promise<void> {
  await client.query(
    `with proven as (update inferences set state = 'proven', proven_at = now() where id = $1 returning tenant_id)
     update tenants t set open_count = open_count - 1 from proven where t.id = proven.tenant_id`,
    [id],
  );
  await queueWebhooks(client, [id], 'inference.proven');
  await notify(client, id, 'proven');
}

/**
 * Ends an inference as failed. `fence` null: whatever its claim (cancelling, expiry). False when it was over already, or
 * went on: the chain refuses what is proven, a caller cancels what is not, and everything else ends what has no proof.
 */
export async function failInference(
  pool: Pool,
  id: string,
  fence: number | null,
  code: FailureCode,
  detail: string,
): Promise<boolean> {
  const wasOpen = code !== 'settlement-failed';
  return transaction(pool, async (client) => {
    // A statement sees what was there when it began: whoever is storing a proof is waited for before the next one begins.
    await client.query('select from inferences where id = $1 for update', [id]);
    const { rows } = await client.query<{ tenantId: string; batchId: string | null }>(
      `update inferences i set state = 'failed', failed_at = now(), fence = fence + 1, error = $3
       where id = $1 and ($2::bigint is null or fence = $2) and state = any($4)
         and ($5 or not exists (select from receipts r where r.id = i.id))
       returning tenant_id as "tenantId", batch_id as "batchId"`,
      [
        ...[id, fence, JSON.stringify({ code, detail })],
        wasOpen ? ['answered', 'proving'] : ['proven', 'submitted'],
        code === 'settlement-failed' || code === 'cancelled',
      ],
    );
    const row = rows[0];
    if (!row) return false;
    if (wasOpen) {
      await client.query('delete from private_inputs where inference_id = $1', [id]);
      // Of what was cancelled before it was signed nothing is told.
      await client.query('delete from receipts where id = $1', [id]);
      await client.query('update tenants set open_count = open_count - 1 where id = $1', [row.tenantId]);
      if (row.batchId !== null) await queueWholeBatch(client, row.batchId);
    }
    await queueWebhooks(client, [id], 'inference.failed');
    await notify(client, id, 'failed');
    return true;
  });
}

/** After a prover process died with these jobs in it. Returns how often each has now died alone in its process. */
export async function recordCrash(pool: Pool, ids: readonly string[], isAlone: boolean): Promise<number> {
  const { rows } = await pool.query<{ crashCount: number }>(
    `update inferences set is_suspect = true, crash_count = crash_count + $2 where id = any($1) returning crash_count as "crashCount"`,
    [ids, isAlone ? 1 : 0],
  );
  return Math.max(0, ...rows.map((row) => row.crashCount));
}
