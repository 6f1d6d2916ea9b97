import type { Pool } from 'pg';
import { addErrand } from './jobs.js';
import { transaction } from './pool.js';

export type InstallState = 'queued' | 'compiling' | 'setting-up' | 'registering' | 'ready' | 'failed';

export interface InstallOptionsRecord {
  readonly inputMode: 'committed' | 'public';
  readonly outputMode: 'packed' | 'commitment';
  readonly acceptsDrift?: boolean;
}

export interface InstallRow {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly state: InstallState;
  readonly modelHash: string;
  readonly sizeBytes: number;
  readonly options: InstallOptionsRecord;
  readonly modelId: string | null;
  readonly error: { readonly detail: string; readonly issues: readonly object[] } | null;
  readonly createdAt: Date;
}

const columns = `id, tenant_id as "tenantId", name, state, model_hash as "modelHash", size_bytes as "sizeBytes", options,
  model_id as "modelId", error, created_at as "createdAt"`;

/** Row and job in one transaction. */
export async function addInstall(
  pool: Pool,
  install: Pick<InstallRow, 'id' | 'tenantId' | 'name' | 'modelHash' | 'sizeBytes' | 'options'>,
): Promise<InstallRow> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query<InstallRow>(
      `insert into model_installs (id, tenant_id, name, state, model_hash, size_bytes, options) values ($1, $2, $3, 'queued', $4, $5, $6) returning ${columns}`,
      [
        install.id,
        install.tenantId,
        install.name,
        install.modelHash,
        install.sizeBytes,
        JSON.stringify(install.options),
      ],
    );
    await addErrand(client, 'install', install.id, { id: install.id }, { queue: 'install', maxAttempts: 3 });
    return rows[0]!;
  });
}

export async function readInstall(
  pool: Pool,
  id: string,
  tenantId: string | null,
): Promise<InstallRow | null> {
  const { rows } = await pool.query<InstallRow>(
    `select ${columns} from model_installs where id = $1 and ($2::text is null or tenant_id = $2)`,
    [id, tenantId],
  );
  return rows[0] ?? null;
}

export async function openInstalls(pool: Pool, tenantId: string): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from model_installs where tenant_id = $1 and state not in ('ready', 'failed')`,
    [tenantId],
  );
  return rows[0]!.n;
}

export async function markInstall(
  pool: Pool,
  id: string,
  state: InstallState,
  modelId: string | null = null,
  error: InstallRow['error'] = null,
): Promise<void> {
  await pool.query(
    `update model_installs set state = $2, model_id = coalesce($3, model_id), error = $4, updated_at = now() where id = $1 and state not in ('ready', 'failed')`,
    [id, state, modelId, error && JSON.stringify(error)],
  );
}

export async function queueRegistration(pool: Pool, installId: string, modelId: string): Promise<void> {
  await addErrand(pool, 'register', modelId, { installId, modelId }, { queue: 'settle', maxAttempts: 100 });
}

export async function findUpload(
  pool: Pool,
  modelHash: string,
): Promise<{ id: string; sizeBytes: number } | null> {
  const { rows } = await pool.query<{ id: string; sizeBytes: number }>(
    `select id, size_bytes as "sizeBytes" from model_installs where model_hash = $1 and state not in ('ready', 'failed') limit 1`,
    [modelHash],
  );
  return rows[0] ?? null;
}

/** Installs whose uploads are still to become models. */
export async function waitingUploads(pool: Pool): Promise<Set<string>> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from model_installs where state not in ('ready', 'failed')`,
  );
  return new Set(rows.map(({ id }) => id));
}

/** Ends installs whose job was tried as often as it may be, or is gone: their process died each time. */
export async function failAbandonedInstalls(pool: Pool): Promise<void> {
  await pool.query(
    `update model_installs i set state = 'failed', updated_at = now(), error = '{"detail": "it was interrupted too often", "issues": []}'
     where state in ('queued', 'compiling', 'setting-up') and updated_at < now() - interval '1 minute' and not exists (
       select 1 from errands._private_jobs j where j.key = 'install:' || i.id and (j.locked_at is not null or j.attempts < j.max_attempts))`,
  );
}
