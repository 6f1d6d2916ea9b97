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
     ), held as (
       select array(select unnest(worker_ids) from dead) as ids
     ), unlocked as (
       select graphile_worker.force_unlock_workers(ids), errands.force_unlock_workers(ids) from held
     )
     select id from dead, unlocked`,
    [leaseMs, hostId],
  );
  return rows.map((row) => row.id);
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

export async function expiredInputs(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    'select inference_id as id from private_inputs where expires_at <= now() limit 500',
  );
  return rows.map((row) => row.id);
}
