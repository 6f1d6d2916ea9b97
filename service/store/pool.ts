import pg from 'pg';
import type { Logger } from '../log.js';

/** The connection pool of a process. bigint columns come back as numbers: ours stay below 2^53. */
export function openPool(url: string, log: Logger, size = 8): pg.Pool {
  pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));
  return listened(
    new pg.Pool({
      connectionString: url,
      max: size,
      connectionTimeoutMillis: 5_000,
      application_name: 'verinfer',
    }),
    log,
  );
}

/**
 * A pool on the same server whose commits do not wait for the disk: half the work of a small statement is that wait. Only
 * for writes whose loss, should the server itself be killed, costs repeated work and nothing else.
 */
export function unsyncedPool(pool: pg.Pool, log: Logger, size: number): pg.Pool {
  return listened(new pg.Pool({ ...pool.options, max: size, options: '-c synchronous_commit=off' }), log);
}

function listened(pool: pg.Pool, log: Logger): pg.Pool {
  // A connection lost with the server is replaced on next use; without a listener, idle or at work, it would end the
  // process. One at work fails its query as well. A pool that was ended may see its server stop before its sockets close.
  pool.on('error', (error) => {
    if (!pool.ending) log.warn({ reason: error.message }, 'database connection lost');
  });
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

export async function transaction<T>(pool: pg.Pool, body: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await body(client);
    await client.query('commit');
    return result;
  } catch (error) {
    broken = error instanceof Error ? error : new Error(String(error));
    await client.query('rollback').then(
      () => (broken = undefined),
      () => undefined,
    );
    throw error;
  } finally {
    client.release(broken);
  }
}
