import type { Pool } from 'pg';

export interface Minute {
  /** Start of the minute, ISO 8601. */
  readonly t: string;
  readonly answered: number;
  readonly proven: number;
  readonly settled: number;
}

/** The last 60 whole minutes and the running one, oldest first, empty ones included. */
export async function throughput(pool: Pool): Promise<Minute[]> {
  const { rows } = await pool.query<{ t: Date; answered: number; proven: number; settled: number }>(
    `with minutes as (
       select generate_series(date_trunc('minute', now()) - interval '60 minutes', date_trunc('minute', now()), '1 minute') as t
     ), marks as (
       select date_trunc('minute', created_at) as t, 'answered' as kind from inferences where created_at > now() - interval '61 minutes'
       union all select date_trunc('minute', proven_at), 'proven' from inferences where proven_at > now() - interval '61 minutes'
       union all select date_trunc('minute', settled_at), 'settled' from inferences where settled_at > now() - interval '61 minutes'
     )
     select minutes.t, count(*) filter (where kind = 'answered')::int as answered,
       count(*) filter (where kind = 'proven')::int as proven, count(*) filter (where kind = 'settled')::int as settled
     from minutes left join marks using (t) group by minutes.t order by minutes.t`,
  );
  return rows.map(({ t, answered, proven, settled }) => ({ t: t.toISOString(), answered, proven, settled }));
}
