/** For verbs that work on the database of a service, running or not. */
import type { Pool } from 'pg';
import type { Config } from './config.js';
import { createLog } from './log.js';
import { startPostgres } from './postgres.js';
import { migrate } from './store/migrations.js';
import { openPool } from './store/pool.js';

/** Attaches to the running embedded server, starts it for the time of `work`, or takes DATABASE_URL. */
export async function withDatabase<T>(config: Config, work: (pool: Pool) => Promise<T>): Promise<T> {
  const embedded =
    config.databaseUrl === undefined ? await startPostgres(config.dataFolder, { keep: false }) : null;
  const log = createLog({ logLevel: 'warn' }, 'cli', 'stderr');
  const pool = openPool(config.databaseUrl ?? embedded!.url, log, 2);
  try {
    await migrate(pool);
    return await work(pool);
  } finally {
    await pool.end();
    if (embedded?.started) await embedded.stop();
  }
}
