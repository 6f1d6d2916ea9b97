/**
 * Jobs, written in the transaction of the row they are about. Two graphile-worker queues in one database, each a schema
 * of its own: proofs wait by the thousand, and who looks for an errand must not read past them.
 */
import type { Pool } from 'pg';

export const queues = { proofs: 'graphile_worker', errands: 'errands' } as const;
export type QueueName = keyof typeof queues;

export type Errand = 'settle' | 'settle-whole' | 'settle-batch' | 'register' | 'webhook' | 'install';

export interface Queryable {
  query(
    text: string | { name: string; text: string; values: unknown[] },
    values?: unknown[],
  ): Promise<unknown>;
}

export interface ErrandOptions {
  /** Errands that name the same one run one after the other. */
  readonly queue?: string;
  readonly maxAttempts?: number;
}

/** `key`: of errands with one task and key that wait, there is one. */
export async function addErrand(
  client: Queryable,
  task: Errand,
  key: string,
  payload: object,
  { queue, maxAttempts = 30_000 }: ErrandOptions = {},
): Promise<void> {
  await client.query(
    `select errands.add_job($1, $2::json, queue_name := $3, max_attempts := $4, job_key := $1 || ':' || $5)`,
    [task, JSON.stringify(payload), queue ?? null, maxAttempts, key],
  );
}

/** Gives back what workers hold that are gone, or that broke in a process that lives on. */
export async function unlockWorkers(pool: Pool, workerIds: readonly string[]): Promise<void> {
  await pool.query('select graphile_worker.force_unlock_workers($1), errands.force_unlock_workers($1)', [
    workerIds,
  ]);
}

/** The safety net under the queues: does nothing in the ordinary course. */
export async function repairQueues(pool: Pool, leaseMs: number): Promise<{ requeued: number }> {
  // A lock whose worker no live host claims is of a process that died before it could say so.
  await pool.query(
    `with locked as (
       select locked_by, locked_at from graphile_worker._private_jobs where locked_at is not null
       union all select locked_by, locked_at from errands._private_jobs where locked_at is not null
       union all select locked_by, locked_at from errands._private_job_queues where locked_at is not null
     ), dead as (
       select array(select distinct locked_by from locked where locked_at < now() - $1 * interval '1 millisecond'
         and locked_by not in (select unnest(worker_ids) from hosts)) as ids
     )
     select graphile_worker.force_unlock_workers(ids), errands.force_unlock_workers(ids) from dead where ids <> '{}'`,
    [leaseMs],
  );
  // A worker has one job at a time. That it gave an earlier one back may have been forgotten with a killed server, which
  // does not flush what the queue of proofs says (store/pool.ts).
  await pool.query(
    `with locked as materialized (
       select id, locked_by, locked_at from graphile_worker._private_jobs where locked_at is not null
     )
     update graphile_worker._private_jobs j set locked_at = null, locked_by = null
     from locked earlier join locked later on later.locked_by = earlier.locked_by and later.locked_at > earlier.locked_at
     where j.id = earlier.id and j.locked_at = earlier.locked_at`,
  );
  const { rows } = await pool.query<{ requeued: number }>(
    `with lost as (
       select i.id, i.ticket from inferences i
       where i.state in ('answered', 'proving') and not exists (select 1 from receipts r where r.id = i.id)
         and not exists (select 1 from graphile_worker._private_jobs j where j.key = 'prove:' || i.id)
       limit 1000
     )
     select count(*)::int as requeued from graphile_worker.add_jobs(array(select proof_job(id, ticket) from lost))`,
  );
  // A receipt that a host of an earlier release left for an errand that is no more.
  await pool.query(
    `update receipts r set seal_at = now(), operator = lower(i.request->'statement'->>'operator') from inferences i
     where i.id = r.id and i.state = 'proving' and r.seal_at is null`,
  );
  // A job that failed for a passing reason waits at most this long, however often it was tried.
  for (const schema of Object.values(queues))
    await pool.query(
      `select ${schema}.reschedule_jobs(array(
         select j.id from ${schema}._private_jobs j join ${schema}._private_tasks t on t.id = j.task_id
         where t.identifier in ('prove', 'settle', 'settle-whole') and j.locked_at is null and j.run_at > now() + interval '15 seconds' limit 1000
       ), run_at := now())`,
    );
  return rows[0]!;
}
