import type { Pool } from 'pg';
import type { FailureCode } from '../errors.js';
import { transaction } from './pool.js';

export type InferenceState = 'answered' | 'proving' | 'proven' | 'submitted' | 'settled' | 'failed';
export const terminalStates: readonly InferenceState[] = ['settled', 'failed'];

export interface InferenceRow {
  readonly id: string;
  readonly tenantId: string;
  readonly modelId: string;
  readonly batchId: string | null;
  readonly state: InferenceState;
  readonly settlement: 'none' | 'onchain' | 'batched';
  readonly units: number;
  readonly request: Record<string, unknown>;
  readonly outputs: Record<string, unknown>;
  readonly timings: Record<string, number>;
  readonly settled: Record<string, unknown> | null;
  readonly error: { readonly code: FailureCode; readonly detail: string } | null;
  readonly createdAt: Date;
  readonly provingAt: Date | null;
  readonly provenAt: Date | null;
  readonly submittedAt: Date | null;
  readonly settledAt: Date | null;
  readonly failedAt: Date | null;
}

const columns = `id, tenant_id as "tenantId", model_id as "modelId", batch_id as "batchId", state, settlement, units, request,
  outputs, timings, settled, error, created_at as "createdAt", proving_at as "provingAt", proven_at as "provenAt",
  submitted_at as "submittedAt", settled_at as "settledAt", failed_at as "failedAt"`;

export async function readInference(pool: Pool, tenantId: string, id: string): Promise<InferenceRow | null> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${columns} from inferences where id = $1 and tenant_id = $2`,
    [id, tenantId],
  );
  return rows[0] ?? null;
}

/** For hosts, which serve every tenant. */
export async function readAnyInference(pool: Pool, id: string): Promise<InferenceRow | null> {
  const { rows } = await pool.query<InferenceRow>(`select ${columns} from inferences where id = $1`, [id]);
  return rows[0] ?? null;
}

export async function readBatch(pool: Pool, tenantId: string, batchId: string): Promise<InferenceRow[]> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${columns} from inferences where batch_id = $1 and tenant_id = $2 order by ticket`,
    [batchId, tenantId],
  );
  return rows;
}

export interface InferenceFilter {
  readonly modelId?: string | undefined;
  readonly state?: InferenceState | undefined;
  readonly limit: number;
  /** Resume after this row. */
  readonly after?: { readonly createdAt: string; readonly id: string } | undefined;
}

export async function listInferences(
  pool: Pool,
  tenantId: string,
  filter: InferenceFilter,
): Promise<(InferenceRow & { cursorTime: string })[]> {
  // The cursor carries microseconds, which a Date would lose.
  const { rows } = await pool.query(
    `select ${columns}, created_at::text as "cursorTime" from inferences
     where tenant_id = $1 and ($2::text is null or model_id = $2) and ($3::text is null or state = $3)
       and ($4::timestamptz is null or (created_at, id) < ($4::timestamptz, $5::text))
     order by created_at desc, id desc limit $6`,
    [
      tenantId,
      filter.modelId ?? null,
      filter.state ?? null,
      filter.after?.createdAt ?? null,
      filter.after?.id ?? null,
      filter.limit,
    ],
  );
  return rows as (InferenceRow & { cursorTime: string })[];
}

/** The salt, while it is still kept: a client that lost the first response gets it from the replay. */
export async function readSalt(pool: Pool, id: string): Promise<Buffer | null> {
  const { rows } = await pool.query<{ salt: Buffer | null }>(
    'select salt from private_inputs where inference_id = $1',
    [id],
  );
  return rows[0]?.salt ?? null;
}

export interface Claim {
  readonly row: InferenceRow;
  readonly fence: number;
  readonly isSuspect: boolean;
  readonly tensors: Buffer | null;
  readonly salt: Buffer | null;
}

/** Takes the job for this host. Null when it needs no proof any more: proven, failed or cancelled meanwhile. */
export async function claimInference(pool: Pool, id: string, hostId: string): Promise<Claim | null> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query(
      `update inferences set state = 'proving', fence = fence + 1, host_id = $2, proving_at = coalesce(proving_at, now())
       where id = $1 and state in ('answered', 'proving') and not exists (select 1 from receipts r where r.id = $1)
       returning ${columns}, fence, is_suspect as "isSuspect", ticket`,
      [id, hostId],
    );
    const row = rows[0] as (InferenceRow & { fence: number; isSuspect: boolean; ticket: number }) | undefined;
    if (!row) return null;
    await client.query('update fair_clock set now_ticket = $1 where now_ticket < $1', [row.ticket]);
    const found = await client.query<{ tensors: Buffer; salt: Buffer | null }>(
      'select tensors, salt from private_inputs where inference_id = $1 and expires_at > now()',
      [id],
    );
    await notify(client, id, 'proving');
    return {
      row,
      fence: row.fence,
      isSuspect: row.isSuspect,
      tensors: found.rows[0]?.tensors ?? null,
      salt: found.rows[0]?.salt ?? null,
    };
  });
}

export interface ProofResult {
  readonly receipt: Uint8Array;
  readonly receiptDigest: Uint8Array;
  readonly timings: Readonly<Record<string, number>>;
  /** Whether the operator still has to sign: the inference is `proven` when its receipt is sealed. */
  readonly seal: boolean;
}

/** Stores the receipt and erases the private input, if this claim is still the latest. False: a stale result, dropped. */
export async function completeProof(
  pool: Pool,
  id: string,
  fence: number,
  result: ProofResult,
): Promise<boolean> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query<{ tenantId: string }>(
      `update inferences set timings = timings || $3::jsonb where id = $1 and fence = $2 and state = 'proving'
       returning tenant_id as "tenantId"`,
      [id, fence, JSON.stringify(result.timings)],
    );
    const tenantId = rows[0]?.tenantId;
    if (tenantId === undefined) return false;
    await client.query('delete from private_inputs where inference_id = $1', [id]);
    await client.query('insert into receipts (id, tenant_id, digest, body) values ($1, $2, $3, $4)', [
      id,
      tenantId,
      Buffer.from(result.receiptDigest),
      Buffer.from(result.receipt),
    ]);
    if (result.seal) await addJob(client, 'seal', id);
    else await finish(client, id);
    return true;
  });
}

/** Puts the signed receipt in place. False when it was sealed before, or failed meanwhile. */
export async function sealReceipt(
  pool: Pool,
  id: string,
  digest: Uint8Array,
  body: Uint8Array,
  batch: BatchPolicy,
): Promise<boolean> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query(
      `select 1 from inferences where id = $1 and state = 'proving' for update`,
      [id],
    );
    if (rows.length === 0) return false;
    await client.query('update receipts set digest = $2, body = $3 where id = $1', [
      id,
      Buffer.from(digest),
      Buffer.from(body),
    ]);
    const settlement = await finish(client, id);
    if (settlement === 'onchain') await addJob(client, 'settle', id, 'settle');
    if (settlement === 'batched') await queueBatch(client, batch);
    return true;
  });
}

export interface BatchPolicy {
  readonly count: number;
  readonly ageMs: number;
}

/** One job settles all that wait: when enough do, or when the first has waited long enough. */
async function queueBatch(client: Queryable, { count, ageMs }: BatchPolicy): Promise<void> {
  await client.query(
    `select graphile_worker.add_job('settle-batch', '{}'::json, queue_name := 'settle', max_attempts := 30000, job_key := 'settle-batch',
       run_at := case when waiting.n >= $1 then now() else now() + $2 * interval '1 millisecond' end,
       job_key_mode := case when waiting.n >= $1 then 'replace' else 'preserve_run_at' end)
     from (select count(*) as n from inferences where state = 'proven' and settlement = 'batched') as waiting`,
    [count, ageMs],
  );
}

/** proving → proven, with everything that follows from it. Returns the settlement choice. */
async function finish(client: Queryable, id: string): Promise<string> {
  const { rows } = (await client.query(
    `update inferences set state = 'proven', proven_at = now() where id = $1 returning tenant_id, settlement`,
    [id],
  )) as { rows: { tenant_id: string; settlement: string }[] };
  await client.query('update tenants set open_count = open_count - 1 where id = $1', [rows[0]!.tenant_id]);
  await queueWebhooks(client, id, 'inference.proven');
  await notify(client, id, 'proven');
  return rows[0]!.settlement;
}

async function addJob(
  client: Queryable,
  task: string,
  id: string,
  queue: string | null = null,
): Promise<void> {
  await client.query(
    `select graphile_worker.add_job($1, json_build_object('id', $2::text), queue_name := $3, max_attempts := 30000, job_key := $1 || ':' || $2)`,
    [task, id, queue],
  );
}

/** Proven inferences that wait to be settled together, oldest first. */
export async function waitingForBatch(pool: Pool, limit: number): Promise<InferenceRow[]> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${columns} from inferences where settlement = 'batched' and state in ('proven', 'submitted') order by model_id, proven_at limit $1`,
    [limit],
  );
  return rows;
}

/** Ends an inference as failed. `fence` null: whatever its claim (cancelling, expiry). False when it was over already. */
export async function failInference(
  pool: Pool,
  id: string,
  fence: number | null,
  code: FailureCode,
  detail: string,
): Promise<boolean> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query<{ tenantId: string; wasOpen: boolean }>(
      `with old as (select state from inferences where id = $1 for update)
       update inferences set state = 'failed', failed_at = now(), fence = inferences.fence + 1, error = $3 from old
       where id = $1 and inferences.state not in ('settled', 'failed') and ($2::bigint is null or fence = $2)
       returning tenant_id as "tenantId", old.state in ('answered', 'proving') as "wasOpen"`,
      [id, fence, JSON.stringify({ code, detail })],
    );
    const row = rows[0];
    if (!row) return false;
    await client.query('delete from private_inputs where inference_id = $1', [id]);
    if (row.wasOpen)
      await client.query('update tenants set open_count = open_count - 1 where id = $1', [row.tenantId]);
    await queueWebhooks(client, id, 'inference.failed');
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

export async function markSettlement(
  pool: Pool,
  id: string,
  state: 'submitted' | 'settled',
  settled: object,
  timings: Readonly<Record<string, number>> = {},
): Promise<boolean> {
  return transaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `update inferences set state = $2, settled = coalesce(settled, '{}') || $3::jsonb, timings = timings || $4::jsonb,
         submitted_at = coalesce(submitted_at, now()), settled_at = case when $2 = 'settled' then now() end
       where id = $1 and (state = 'proven' or state = 'submitted') `,
      [id, state, JSON.stringify(settled), JSON.stringify(timings)],
    );
    if (rowCount !== 1) return false;
    if (state === 'settled') await queueWebhooks(client, id, 'inference.settled');
    await notify(client, id, state);
    return true;
  });
}

interface Queryable {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

/** Tells every API host that follows the events; `data` must hold nothing private. */
export async function notify(client: Queryable, id: string, event: string, data: object = {}): Promise<void> {
  await client.query(`select pg_notify('inference_events', $1)`, [JSON.stringify({ id, event, ...data })]);
}

async function queueWebhooks(client: Queryable, id: string, event: string): Promise<void> {
  await client.query(
    `with made as (
       insert into webhook_deliveries (id, tenant_id, webhook_id, inference_id, event)
       select 'whd_' || encode(sha256(convert_to(i.id || w.id || $2, 'UTF8')), 'hex'), i.tenant_id, w.id, i.id, $2
       from inferences i join webhooks w on w.tenant_id = i.tenant_id and w.removed_at is null where i.id = $1
       on conflict do nothing returning id
     )
     select graphile_worker.add_job('webhook', json_build_object('id', id), max_attempts := 12, job_key := 'webhook:' || id) from made`,
    [id, event],
  );
}
