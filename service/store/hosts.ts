/**
 * Leases. A host renews its row from its main process, never from a busy proving thread; when it stops, others take
 * its jobs over. A claim's fence makes the late result of a host that only slept harmless.
 */
import type { Pool } from 'pg';

export type HostKind = 'api' | 'prover' | 'settler';

export async function registerHost(pool: Pool, id: string, kind: HostKind, name: string): Promise<void> {
  await pool.query('insert into hosts (id, kind, name) values ($1, $2, $3)', [id, kind, name]);
}

/** False when the row is gone: the lease was lost, and the caller must stop taking jobs and register again. */
export async function renewLease(
  pool: Pool,
  id: string,
  state: string,
  detail: object,
  workerIds: readonly string[],
): Promise<boolean> {
  const { rowCount } = await pool.query(
    'update hosts set beat_at = now(), state = $2, detail = $3, worker_ids = $4 where id = $1',
    [id, state, JSON.stringify(detail), workerIds],
  );
  return rowCount === 1;
}

/** Removes hosts whose lease is over (or the one named) and gives their jobs back to the queue. */
export async function reapHosts(
  pool: Pool,
  leaseMs: number,
  hostId: string | null = null,
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `with dead as (
       delete from hosts where beat_at < now() - $1 * interval '1 millisecond' or id = $2 returning id, worker_ids
     ), unlocked as (
       select graphile_worker.force_unlock_workers(array(select unnest(worker_ids) from dead))
     )
     select id from dead, unlocked`,
    [leaseMs, hostId],
  );
  return rows.map((row) => row.id);
}

/** For a worker that broke in a process that lives on. */
export async function unlockWorkers(pool: Pool, workerIds: readonly string[]): Promise<void> {
  await pool.query('select graphile_worker.force_unlock_workers($1)', [workerIds]);
}

export interface HostRow {
  readonly id: string;
  readonly kind: HostKind;
  readonly name: string;
  readonly state: string;
  readonly detail: Record<string, unknown>;
}

export async function listHosts(pool: Pool, leaseMs: number): Promise<HostRow[]> {
  const { rows } = await pool.query<HostRow>(
    `select id, kind, name, state, detail from hosts where beat_at > now() - $1 * interval '1 millisecond' order by started_at`,
    [leaseMs],
  );
  return rows;
}

export interface ProverState {
  readonly engine: string;
  /** Ids of the operator's models that it has loaded, and that it will not load. */
  readonly warm: readonly string[];
  readonly refused: readonly string[];
}

export async function readyProvers(pool: Pool, leaseMs: number): Promise<ProverState[]> {
  const hosts = await listHosts(pool, leaseMs);
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  return hosts
    .filter(({ kind, state }) => kind === 'prover' && state === 'ready')
    .map(({ detail }) => ({
      engine: String(detail['engine']),
      warm: list(detail['warm']),
      refused: list(detail['refused']),
    }));
}

/**
 * The safety net under the queue: open inferences without a job get one, and private inputs past their time go. Both
 * are no-ops in the ordinary course.
 */
export async function repairQueue(pool: Pool, leaseMs: number): Promise<{ requeued: number }> {
  // A lock whose worker no live host claims is of a process that died before it could say so.
  await pool.query(
    `select graphile_worker.force_unlock_workers(array(
       select distinct locked_by from graphile_worker._private_jobs
       where locked_at < now() - $1 * interval '1 millisecond' and locked_by not in (select unnest(worker_ids) from hosts)))`,
    [leaseMs],
  );
  const { rows } = await pool.query<{ requeued: number }>(
    `with lost as (
       select i.id, i.ticket from inferences i
       where i.state in ('answered', 'proving') and not exists (select 1 from receipts r where r.id = i.id)
         and not exists (select 1 from graphile_worker.jobs j where j.key = 'prove:' || i.id)
       limit 1000
     ), added as (
       select graphile_worker.add_job('prove', json_build_object('id', id), run_at := timestamptz '2000-01-01 00:00Z' + ticket * interval '1 microsecond',
         max_attempts := 30000, job_key := 'prove:' || id) from lost
     )
     select count(*)::int as requeued from added`,
  );
  // A job that failed for a passing reason waits at most this long, however often it was tried.
  await pool.query(
    `select graphile_worker.reschedule_jobs(array(
       select id from graphile_worker.jobs where task_identifier in ('prove', 'seal', 'settle') and locked_at is null and run_at > now() + interval '15 seconds' limit 1000
     ), run_at := now())`,
  );
  return rows[0]!;
}

export async function expiredInputs(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    'select inference_id as id from private_inputs where expires_at <= now() limit 500',
  );
  return rows.map((row) => row.id);
}
