import type { Pool } from 'pg';
import type { FileTable, ModelDescription } from '../model-description.js';

export interface ModelRow {
  readonly id: string;
  /** null: installed by the operator, for every tenant. */
  readonly tenantId: string | null;
  readonly name: string;
  readonly description: ModelDescription;
  readonly files: FileTable;
  readonly createdAt: Date;
  readonly frozenAt: Date | null;
}

const columns = `id, tenant_id as "tenantId", name, description, files, created_at as "createdAt", frozen_at as "frozenAt"`;

export async function addModel(
  pool: Pool,
  tenantId: string | null,
  description: ModelDescription,
  files: FileTable,
): Promise<void> {
  await pool.query(
    `insert into models (id, tenant_id, name, description, files) values ($1, $2, $3, $4, $5)
     on conflict (id) do update set removed_at = null where models.tenant_id is not distinct from $2`,
    [description.modelId, tenantId, description.name, JSON.stringify(description), JSON.stringify(files)],
  );
  await pool.query(`select pg_notify('models', $1)`, [description.modelId]);
}

/** One model of the operator's a name: what an earlier release installed under it is offered no more. */
export async function retireNamesakes(pool: Pool, name: string, keepId: string): Promise<void> {
  await pool.query(
    'update models set removed_at = now() where tenant_id is null and name = $1 and id <> $2 and removed_at is null',
    [name, keepId],
  );
}

/** Models of the tenant and of the operator. */
export async function listModels(pool: Pool, tenantId: string): Promise<ModelRow[]> {
  const { rows } = await pool.query<ModelRow>(
    `select ${columns} from models where removed_at is null and (tenant_id is null or tenant_id = $1) order by created_at desc, id limit 500`,
    [tenantId],
  );
  return rows;
}

/** By id, or the newest of that name. */
export async function findModel(pool: Pool, tenantId: string, idOrName: string): Promise<ModelRow | null> {
  const { rows } = await pool.query<ModelRow>(
    `select ${columns} from models where removed_at is null and (tenant_id is null or tenant_id = $1) and (id = $2 or name = $2)
     order by created_at desc limit 1`,
    [tenantId, idOrName],
  );
  return rows[0] ?? null;
}

/** For hosts, which serve every tenant. */
export async function readModel(pool: Pool, id: string): Promise<ModelRow | null> {
  const { rows } = await pool.query<ModelRow>(`select ${columns} from models where id = $1`, [id]);
  return rows[0] ?? null;
}

export async function allModels(pool: Pool): Promise<ModelRow[]> {
  const { rows } = await pool.query<ModelRow>(`select ${columns} from models where removed_at is null`);
  return rows;
}

/** Ids of the models that are offered, or that something unproven or a settlement still needs. */
export async function modelIdsInUse(pool: Pool): Promise<Set<string>> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from models m where removed_at is null or exists (
       select 1 from inferences i where i.model_id = m.id and i.state in ('answered', 'proving'))`,
  );
  return new Set(rows.map(({ id }) => id));
}

/** One-way. False when there is no such model of this tenant. */
export async function freezeModel(pool: Pool, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update models set frozen_at = coalesce(frozen_at, now()) where id = $1 and tenant_id = $2 and removed_at is null`,
    [id, tenantId],
  );
  if (rowCount === 1) await pool.query(`select pg_notify('models', $1)`, [id]);
  return rowCount === 1;
}

export async function findArtifact(
  pool: Pool,
  tenantId: string,
  sha256: string,
): Promise<{ modelId: string; name: string; sizeBytes: number } | null> {
  const { rows } = await pool.query<{ modelId: string; name: string; sizeBytes: number }>(
    `select m.id as "modelId", f.key as name, (f.value->>'sizeBytes')::bigint as "sizeBytes"
     from models m cross join lateral jsonb_each(m.files) as f
     where m.removed_at is null and (m.tenant_id is null or m.tenant_id = $1 or $1 = '*') and f.value->>'sha256' = $2 limit 1`,
    [tenantId, sha256],
  );
  return rows[0] ?? null;
}

export async function writeFact(pool: Pool, name: string, value: unknown): Promise<void> {
  await pool.query(
    'insert into shared_facts (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value, changed_at = now()',
    [name, JSON.stringify(value)],
  );
}

export async function readFact<T>(pool: Pool, name: string): Promise<T | null> {
  const { rows } = await pool.query<{ value: T }>('select value from shared_facts where name = $1', [name]);
  return rows[0]?.value ?? null;
}
