/**
 * Where an operator's jobs live: the database that is named, with the prover hosts of that installation; else the one of
 * a service that runs over the same data folder; else a database and a prover host of the operator's own.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pool } from 'pg';
import type { Config } from '../config.js';
import type { Logger } from '../log.js';
import { readDescription, tableOf } from '../model-folder.js';
import { startPostgres } from '../postgres.js';
import { addModel, readModel } from '../store/models.js';
import { AlreadyRunning, startService } from '../supervisor.js';

export interface OperatorHome {
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

export async function openHome(config: Config, log: Logger): Promise<OperatorHome> {
  if (config.databaseUrl !== undefined)
    return { databaseUrl: config.databaseUrl, stop: () => Promise.resolve() };
  try {
    return await startService({
      config,
      log,
      parts: ['prover'],
      prepare: ({ pool }) => offerFolder(pool, config.modelsFolder),
    });
  } catch (error) {
    if (!(error instanceof AlreadyRunning)) throw error;
    log.info('a service runs over this data folder: its database and its provers are used');
    const postgres = await startPostgres(config.dataFolder, { keep: false });
    return {
      databaseUrl: postgres.url,
      stop: () => (postgres.started ? postgres.stop() : Promise.resolve()),
    };
  }
}

/** Models that were installed into the folder without this database. */
export async function offerFolder(pool: Pool, modelsFolder: string): Promise<void> {
  const names = await readdir(modelsFolder).catch(() => []);
  for (const modelId of names.filter((name) => /^0x[0-9a-f]{64}$/.test(name))) {
    if ((await readModel(pool, modelId)) !== null) continue;
    const folder = join(modelsFolder, modelId);
    await addModel(pool, null, await readDescription(folder), await tableOf(folder));
  }
}
