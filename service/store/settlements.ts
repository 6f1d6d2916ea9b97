/** Proven inferences on their way to the chain. */
import type { Pool } from 'pg';
import { inferenceColumns, type InferenceRow } from './inferences.js';
import type { Queryable } from './jobs.js';
import { notify, queueWebhooks } from './notices.js';
import { transaction } from './pool.js';

export interface BatchPolicy {
  readonly count: number;
  readonly ageMs: number;
}

/** One job settles all that wait: when enough do, or when the first has waited long enough. */
export async function queueBatch(client: Queryable, { count, ageMs }: BatchPolicy): Promise<void> {
  await client.query(
    `select errands.add_job('settle-batch', '{}'::json, queue_name := 'settle', max_attempts := 30000, job_key := 'settle-batch',
       run_at := case when waiting.n >= $1 then now() else now() + $2 * interval '1 millisecond' end,
       job_key_mode := case when waiting.n >= $1 then 'replace' else 'preserve_run_at' end)
     from (select count(*) as n from inferences where state = 'proven' and settlement = 'batched') as waiting`,
    [count, ageMs],
  );
}

/**
 * The members of one API batch that settle on chain do so in one transaction: the job comes with the last of them that is
 * proven or failed. Call it after each such change, in its transaction.
 */
export async function queueWholeBatch(client: Queryable, batchId: string): Promise<void> {
  // Two members that end at once would each see the other open.
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [batchId]);
  await client.query(
    `select errands.add_job('settle-whole', json_build_object('batchId', $1::text), max_attempts := 30000, job_key := 'settle-whole:' || $1)
     from (select count(*) filter (where state in ('answered', 'proving')) as open, count(*) filter (where state = 'proven') as proven
       from inferences where batch_id = $1 and settlement = 'onchain') as members
     where open = 0 and proven > 0`,
    [batchId],
  );
}

/** The members of an API batch that are still to settle. */
export async function unsettledOf(pool: Pool, batchId: string): Promise<InferenceRow[]> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${inferenceColumns} from inferences
     where batch_id = $1 and settlement = 'onchain' and state in ('proven', 'submitted') order by ticket`,
    [batchId],
  );
  return rows;
}

/**
 * Proven inferences that wait to be settled together, oldest first. Those of other operators than these (addresses, lower
 * case) come last: a key that is gone holds up nobody else.
 */
export async function waitingForBatch(
  pool: Pool,
  limit: number,
  operators: readonly string[],
): Promise<InferenceRow[]> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${inferenceColumns} from inferences where settlement = 'batched' and state in ('proven', 'submitted')
     order by lower(request->'statement'->>'operator') = any($2) desc, model_id, proven_at limit $1`,
    [limit, operators],
  );
  return rows;
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
    if (state === 'settled') await queueWebhooks(client, [id], 'inference.settled');
    await notify(client, id, state);
    return true;
  });
}
