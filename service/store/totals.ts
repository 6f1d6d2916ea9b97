/** What the whole installation has counted since its database was made; kept in the database, so that no restart resets it. */
import type { Pool } from 'pg';

export async function addTotals(pool: Pool, counts: ReadonlyMap<string, number>): Promise<void> {
  // In one order, so that two hosts that add at once do not wait for each other in a circle.
  const series = [...counts.keys()].sort();
  await pool.query(
    `insert into totals as t select * from unnest($1::text[], $2::float8[])
     on conflict (series) do update set value = t.value + excluded.value`,
    [series, series.map((name) => counts.get(name)!)],
  );
}

export async function readTotals(pool: Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ series: string; value: number }>('select series, value from totals');
  return new Map(rows.map(({ series, value }) => [series, value]));
}
