import type { Pool } from 'pg';

export interface QueueStatus {
  readonly depths: Readonly<Record<'answered' | 'proving' | 'proven' | 'submitted', number>>;
  readonly oldestSeconds: number;
  readonly hosts: readonly { readonly kind: string; readonly engine: string }[];
}

export async function queueStatus(pool: Pool, leaseMs: number): Promise<QueueStatus> {
  const { rows } = await pool.query<{ state: string; depth: number; oldest: number }>(
    `select state, count(*)::int as depth, coalesce(extract(epoch from now() - min(created_at)), 0)::float as oldest from inferences
     where state in ('answered', 'proving') or (state in ('proven', 'submitted') and settlement <> 'none') group by state`,
  );
  const hosts = await pool.query<{ kind: string; engine: string }>(
    `select kind, coalesce(detail->>'engine', 'none') as engine from hosts where beat_at > now() - $1 * interval '1 millisecond'`,
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
