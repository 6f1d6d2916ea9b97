/** The API's models: description from PostgreSQL, executed graph in an ONNX Runtime session, opened once. */
import { readFile } from 'node:fs/promises';
import type { Pool } from 'pg';
import type { Config } from './config.js';
import { Problem } from './errors.js';
import { openSession, type Session } from './inference/session.js';
import { ArtifactDamaged, ensureFolder, type Origins } from './model-folder.js';
import { readyProvers, type ProverState } from './store/hosts.js';
import { allModels, findModel, type ModelRow } from './store/models.js';

export class LoadedModels {
  private readonly sessions = new Map<string, Promise<Session>>();
  /** Looked up for every inference; refreshed when a model is added or frozen (NOTIFY models) and every few seconds. */
  private readonly rows = new Map<string, { readonly row: ModelRow; readonly until: number }>();

  private provers: { readonly hosts: readonly ProverState[]; readonly until: number } = {
    hosts: [],
    until: 0,
  };

  constructor(
    private readonly pool: Pool,
    private readonly config: Pick<Config, 'modelsFolder' | 'leaseMs'>,
    private readonly origins: Origins,
  ) {}

  /** Throws Problem 'not-found' for an unknown model and for one of another tenant alike. */
  async find(tenantId: string, idOrName: string): Promise<ModelRow> {
    const key = `${tenantId}\n${idOrName}`;
    const known = this.rows.get(key);
    if (known && known.until > Date.now()) return known.row;
    const row = await findModel(this.pool, tenantId, idOrName);
    if (!row) throw new Problem('not-found', 'no such model');
    if (this.rows.size > 5_000) this.rows.clear();
    this.rows.set(key, { row, until: Date.now() + 3_000 });
    return row;
  }

  /** Throws Problem 'not-ready' when every prover that is there has refused the model: its proofs could only fail. */
  async requireProvable(row: ModelRow): Promise<void> {
    if (this.provers.until < Date.now())
      this.provers = { hosts: await readyProvers(this.pool, this.config.leaseMs), until: Date.now() + 2_000 };
    const { hosts } = this.provers;
    if (hosts.length > 0 && hosts.every(({ refused }) => refused.includes(row.id)))
      throw new Problem('not-ready', 'no prover can load this model', [], { 'Retry-After': '30' });
  }

  forget(): void {
    this.rows.clear();
  }

  session(row: ModelRow): Promise<Session> {
    let session = this.sessions.get(row.id);
    if (!session) {
      session = this.open(row);
      this.sessions.set(row.id, session);
      session.catch(() => this.sessions.delete(row.id));
    }
    return session;
  }

  private async open(row: ModelRow): Promise<Session> {
    const folder = await ensureFolder(this.config.modelsFolder, row.id, row.files, this.origins).catch(
      (error: unknown) => {
        if (!(error instanceof ArtifactDamaged)) throw error;
        throw new Problem('not-ready', `this host cannot open the model: ${error.message}`, [], {
          'Retry-After': '30',
        });
      },
    );
    return openSession(await readFile(`${folder}/executed.onnx`), row.description.inputs);
  }

  /** Opens every model; one that cannot be opened is named and left out. */
  async openAll(): Promise<{ opened: number; refused: { modelId: string; reason: string }[] }> {
    const refused: { modelId: string; reason: string }[] = [];
    let opened = 0;
    for (const row of await allModels(this.pool)) {
      try {
        await this.session(row);
        opened++;
      } catch (error) {
        refused.push({ modelId: row.id, reason: (error as Error).message });
      }
    }
    return { opened, refused };
  }

  async close(): Promise<void> {
    for (const session of this.sessions.values())
      await session.then(
        (s) => s.close(),
        () => undefined,
      );
    this.sessions.clear();
  }
}
