/** The whole service, every process of it, over a folder of its own: what `verinfer serve` starts, for tests and benchmarks. */
import { rm } from 'node:fs/promises';
import { bundledModels, provideModels } from '../../service/bundled-models.js';
import { readConfig, type Config } from '../../service/config.js';
import type { DevelopmentChain } from '../../service/development-chain.js';
import { createLog } from '../../service/log.js';
import { startService, type PartName, type Service } from '../../service/supervisor.js';
import { temporaryFolder } from './service.js';

export interface WholeServiceOptions {
  /** Of the bundled ones. */
  readonly models?: readonly ('digits8x8' | 'lenet5')[];
  /** A data folder to start on and to leave; default: a temporary one, removed when the service stops. */
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly parts?: readonly PartName[];
  /** File descriptor for the processes' logs. */
  readonly output?: number;
}

export interface WholeService extends Service {
  readonly config: Config;
  readonly chain: DevelopmentChain | null;
}

export async function startWholeService({
  models = ['digits8x8'],
  folder,
  environment = {},
  parts,
  output,
}: WholeServiceOptions = {}): Promise<WholeService> {
  const data = folder ?? (await temporaryFolder());
  // The processes inherit it.
  Object.assign(process.env, {
    VERINFER_DATA: data,
    VERINFER_PORT: '0',
    VERINFER_LOG: 'silent',
    ...environment,
  });
  const config = readConfig();
  const log = createLog({ logLevel: 'silent' }, 'whole-service');
  let chain: DevelopmentChain | null = null;
  const removeOwn = async (): Promise<void> => {
    if (folder === undefined) await rm(data, { recursive: true, force: true });
  };
  try {
    const service = await startService({
      ...{ config, log },
      ...(parts ? { parts } : {}),
      ...(output === undefined ? {} : { output }),
      prepare: async ({ pool, chain: started }) => {
        chain = started;
        const sources = bundledModels.filter(({ name }) => models.some((wanted) => wanted === name));
        await provideModels(sources, { pool, chain, modelsFolder: config.modelsFolder, log });
      },
    });
    return {
      ...service,
      ...{ config, chain },
      async stop() {
        await service.stop();
        await removeOwn();
      },
    };
  } catch (error) {
    await removeOwn();
    throw error;
  }
}
