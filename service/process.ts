/** What every process of the service does at its start and end. */
import type { Pool } from 'pg';
import { readConfig, type Config } from './config.js';
import { createLog, type Logger } from './log.js';
import { requirePinned } from './pinned-packages.js';
import { migrate } from './store/migrations.js';
import { openPool } from './store/pool.js';

export interface Part {
  stop(): Promise<void>;
}

export interface Surroundings {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly pool: Pool;
  readonly log: Logger;
}

/**
 * Runs one part of the service as this process. It ends in order on SIGTERM and SIGINT, and when its supervisor is
 * gone; its message to the supervisor once it works is what `start` returns as `news`.
 */
export async function runProcess(
  name: string,
  poolSize: number,
  start: (surroundings: Surroundings) => Promise<{ part: Part; news: object }>,
): Promise<void> {
  const config = readConfig();
  const log = createLog(config, name);
  if (!config.databaseUrl)
    throw new Error(
      `${name}: DATABASE_URL must name a PostgreSQL server, got nothing; \`verinfer serve\` brings its own`,
    );
  const pool = openPool(config.databaseUrl, log, poolSize);
  let part: Part | null = null;
  let ending = false;
  const end = async (why: string): Promise<void> => {
    if (ending) return;
    ending = true;
    log.info({ why }, 'stopping');
    if (!part) process.exit(0);
    // Whatever hangs in an orderly end must not keep the process.
    setTimeout(() => process.exit(1), 30_000).unref();
    await part.stop().catch((error: unknown) => log.error({ err: error }, 'did not stop in order'));
    await pool.end().catch(() => undefined);
    process.exit(0);
  };
  process.on('SIGTERM', () => void end('SIGTERM'));
  process.on('SIGINT', () => void end('SIGINT'));
  if (process.send) process.once('disconnect', () => void end('the supervisor is gone'));
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
  try {
    await requirePinned();
    await migrate(pool);
    const started = await start({ config, databaseUrl: config.databaseUrl, pool, log });
    part = started.part;
    process.send?.({ type: 'up', ...started.news });
  } catch (error) {
    log.fatal({ err: error }, 'could not start');
    process.exit(1);
  }
}
