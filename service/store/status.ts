import type { Pool } from 'pg';

export interface QueueStatus {
  readonly depths: Readonly<Record<'answered' | 'proving' | 'proven' | 'submitted', number>>;
  readonly oldestSeconds: number;
  readonly hosts: readonly {
    readonly kind: string;
    readonly engine: string;
    readonly residentBytes: number;
  }[];
}

export async function queueStatus(pool: Pool, leaseMs: number): Promise<QueueStatus> {
  const { rows } = await pool.query<{ state: string; depth: number; oldest: number }>(
    `select state, count(*)::int as depth, coalesce(extract(epoch from now() - min(created_at)), 0)::float as oldest from inferences
     where state in ('answered', 'proving') or (state in ('proven', 'submitted') and settlement <> 'none') group by state`,
  );
  const hosts = await pool.query<QueueStatus['hosts'][number]>(
    `select kind, coalesce(detail->>'engine', 'none') as engine, coalesce((detail->>'residentBytes')::float8, 0) as "residentBytes" from hosts where beat_at > now() - $1 * interval '1 millisecond'`,
    [leaseMs],
  );
  const depth = (state: string): number => rows.find((row) => row.state === state)?.depth ?? 0;
  return {
    depths: {
      answered: depth('answered'),
      proving: depth('proving'),
      proven: depth('proven'),
      submitted: depth('submitted'),
    },
    oldestSeconds: Math.max(
      0,
      ...rows.filter((row) => row.state === 'answered' || row.state === 'proving').map((row) => row.oldest),
    ),
    hosts: hosts.rows,
  };
}

export interface ProofStatistics {
  readonly medianProveMs: number | null;
  readonly openCount: number;
  readonly threads: number;
}

export async function proofStatistics(
  pool: Pool,
  modelId: string,
  leaseMs: number,
): Promise<ProofStatistics> {
  const { rows } = await pool.query<ProofStatistics>(
    `select (select percentile_cont(0.5) within group (order by ms) from (
         select (timings->>'prove')::float + coalesce((timings->>'witness')::float, 0) as ms from inferences
         where model_id = $1 and proven_at is not null order by proven_at desc limit 50) as recent) as "medianProveMs",
       (select count(*)::int from inferences where state in ('answered', 'proving')) as "openCount",
       (select coalesce(sum((detail->>'threads')::int), 0)::int from hosts
         where kind = 'prover' and beat_at > now() - $2 * interval '1 millisecond') as threads`,
    [modelId, leaseMs],
  );
  return rows[0]!;
}

export interface MinuteRow {
  readonly t: string;
  readonly answered: number;
  readonly proven: number;
  readonly settled: number;
}

/** The last sixty minutes, the oldest first. */
export async function minutes(pool: Pool): Promise<MinuteRow[]> {
  const { rows } = await pool.query<MinuteRow>(
    `with span as (select generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), interval '1 minute') as t),
       recent as (select created_at, proven_at, settled_at from inferences where created_at > now() - interval '61 minutes')
     select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as t,
       (select count(*)::int from recent where date_trunc('minute', created_at) = t) as answered,
       (select count(*)::int from recent where date_trunc('minute', proven_at) = t) as proven,
       (select count(*)::int from recent where date_trunc('minute', settled_at) = t) as settled
     from span order by t`,
  );
  return rows;
}
