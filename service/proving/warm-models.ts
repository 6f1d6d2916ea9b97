/** The models a prover host can prove: rows and folders by id, and which of the operator's models its threads have loaded. */
import type { Pool } from 'pg';
import type { Config } from '../config.js';
import type { Logger } from '../log.js';
import { ensureFolder, type Origins } from '../model-folder.js';
import { allModels, readModel, type ModelRow } from '../store/models.js';
import type { ProverChild } from './child.js';

export interface ModelOnDisk {
  readonly row: ModelRow;
  readonly folder: string;
}

export class WarmModels {
  private readonly known = new Map<string, Promise<ModelOnDisk>>();
  private readonly warm = new Set<string>();
  private readonly refused = new Set<string>();
  private warming: Promise<void> | null = null;
  private engine = { engine: 'none', reason: 'no model is loaded' };

  constructor(
    private readonly pool: Pool,
    private readonly config: Config,
    private readonly child: ProverChild,
    private readonly origins: Origins,
    private readonly log: Logger,
  ) {}

  /** What the host says of itself in its lease. */
  get detail(): Record<string, unknown> {
    return { ...this.engine, warm: [...this.warm], refused: [...this.refused] };
  }

  get engineName(): string {
    return this.engine.engine;
  }

  /** The row does not change and the files are checked once; a failure is forgotten, and the next call tries again. */
  find(id: string): Promise<ModelOnDisk> {
    let model = this.known.get(id);
    if (!model) {
      model = this.look(id);
      this.known.set(id, model);
      model.catch(() => this.known.delete(id));
    }
    return model;
  }

  private async look(id: string): Promise<ModelOnDisk> {
    const row = await readModel(this.pool, id);
    if (!row) throw new Error(`model ${id}: must exist, got none`);
    return { row, folder: await ensureFolder(this.config.modelsFolder, id, row.files, this.origins) };
  }

  /** Loads the operator's models that are new. Tenants' own are loaded by their first proof. */
  warmUp(): Promise<void> {
    this.warming ??= this.loadNew().finally(() => (this.warming = null));
    return this.warming;
  }

  private async loadNew(): Promise<void> {
    for (const { id, tenantId } of await allModels(this.pool)) {
      if (tenantId !== null || this.warm.has(id) || this.refused.has(id)) continue;
      const reason = await this.load(id).catch((error: unknown) => (error as Error).message);
      (reason === null ? this.warm : this.refused).add(id);
      if (reason !== null) this.log.error({ model: id, reason }, 'model not usable on this host');
    }
  }

  /** In every thread. null, or why not. */
  private async load(id: string): Promise<string | null> {
    const { row, folder } = await this.find(id);
    const job = { modelId: id, folder, files: row.files, engine: this.config.engine };
    const loads = Array.from({ length: this.config.proverCount }, () =>
      this.child.run({ type: 'load', job }),
    );
    for (const end of await Promise.all(loads)) {
      if (end.kind === 'refused' || end.kind === 'died') return end.detail;
      if (end.kind === 'loaded') this.engine = { engine: end.engine, reason: end.reason };
    }
    return null;
  }
}
