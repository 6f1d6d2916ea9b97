import type { Pool } from 'pg';

export interface KeyRow {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly secretDigest: Buffer;
  readonly scopes: string[];
  readonly unitsPerDay: number | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

const columns = `id, tenant_id as "tenantId", name, secret_digest as "secretDigest", scopes, units_per_day as "unitsPerDay",
  created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"`;

export async function addTenant(pool: Pool, tenantId: string): Promise<void> {
  await pool.query('insert into tenants (id) values ($1) on conflict do nothing', [tenantId]);
}

export async function addKey(pool: Pool, key: Omit<KeyRow, 'createdAt' | 'revokedAt'>): Promise<void> {
  await addTenant(pool, key.tenantId);
  await pool.query(
    'insert into api_keys (id, tenant_id, name, secret_digest, scopes, units_per_day, expires_at) values ($1, $2, $3, $4, $5, $6, $7)',
    [key.id, key.tenantId, key.name, key.secretDigest, key.scopes, key.unitsPerDay, key.expiresAt],
  );
}

export async function readKey(pool: Pool, id: string): Promise<KeyRow | null> {
  const { rows } = await pool.query<KeyRow>(`select ${columns} from api_keys where id = $1`, [id]);
  return rows[0] ?? null;
}

export async function listKeys(pool: Pool, tenantId: string | null): Promise<KeyRow[]> {
  const { rows } = await pool.query<KeyRow>(
    `select ${columns} from api_keys where $1::text is null or tenant_id = $1 order by created_at limit 1000`,
    [tenantId],
  );
  return rows;
}

/** False when there is no such live key. `graceMs`: how long it still works, for rotation. */
export async function revokeKey(pool: Pool, id: string, graceMs = 0): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update api_keys set revoked_at = now() + $2 * interval '1 millisecond' where id = $1 and (revoked_at is null or revoked_at > now())`,
    [id, graceMs],
  );
  return rowCount === 1;
}

/** Keys that hosts made for themselves and that expired a day ago. */
export async function forgetHostKeys(pool: Pool): Promise<void> {
  await pool.query(
    `delete from api_keys where tenant_id = 'hosts' and expires_at < now() - interval '1 day'`,
  );
}

/** A key means the same request for a day; after that it is free. */
export async function forgetIdempotencyKeys(pool: Pool): Promise<void> {
  await pool.query(
    `delete from idempotency_keys where (tenant_id, key) in (
       select tenant_id, key from idempotency_keys where created_at < now() - interval '24 hours' limit 5000)`,
  );
}
