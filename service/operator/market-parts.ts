/** An operator's models and proof jobs over the database of its installation. */
import type { Pool } from 'pg';
import type { CompiledModel } from '../../circuits/index.js';
import { artifactPeers } from '../artifact-peers.js';
import type { Deployment } from '../chain/deployment.js';
import type { Config } from '../config.js';
import { selfTest } from '../inference/self-test.js';
import { runtimeVersion } from '../inference/session.js';
import { LoadedModels } from '../loaded-models.js';
import { ensureFolder } from '../model-folder.js';
import { recompile } from '../proving/loaded-prover.js';
import { AcceptQueue } from '../store/accept.js';
import { readyProvers } from '../store/hosts.js';
import { findModel, type ModelRow } from '../store/models.js';
import { marketModels, type MarketModels } from './market-models.js';
import { queuedProofs, tenantOf, type ProofJobs } from './proof-jobs.js';

export interface MarketParts {
  readonly models: MarketModels;
  readonly jobs: ProofJobs;
  close(): Promise<void>;
}

export interface MarketPartsOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly deployment: Deployment;
  readonly operator: string;
  readonly payee: string;
}

export async function marketParts({
  config,
  pool,
  deployment,
  operator,
  payee,
}: MarketPartsOptions): Promise<MarketParts> {
  const origins = artifactPeers(pool, config, tenantOf(operator));
  const loaded = new LoadedModels(pool, config, origins);
  const find = async (modelId: string): Promise<ModelRow | null> => {
    const model = await findModel(pool, tenantOf(operator), modelId);
    return model?.id === modelId && model.frozenAt === null ? model : null;
  };
  // Nothing is promised, and no collateral put down, while no prover is there that can load the model.
  const isProvable = async ({ id }: ModelRow): Promise<boolean> =>
    (await readyProvers(pool, config.leaseMs)).some(({ refused }) => !refused.includes(id));
  const jobs = await queuedProofs({
    ...{ pool, deployment, operator, payee, find },
    accept: new AcceptQueue(pool, config.maxQueue),
    oracle: { runtime: runtimeVersion, selfTest: await selfTest() },
    retentionMs: config.retentionMs,
    session: (model) => loaded.session(model),
  });
  const circuits = new Map<string, Promise<CompiledModel>>();
  const circuit = (model: ModelRow): Promise<CompiledModel> => {
    const known = circuits.get(model.id) ?? compiledOf(model);
    circuits.set(model.id, known);
    known.catch(() => circuits.delete(model.id));
    return known;
  };
  const compiledOf = async ({ id, files }: ModelRow): Promise<CompiledModel> => {
    const folder = await ensureFolder(config.modelsFolder, id, files, origins);
    return (await recompile(folder, id, files)).compiled;
  };
  return { models: marketModels({ find, isProvable, circuit }), jobs, close: () => loaded.close() };
}
