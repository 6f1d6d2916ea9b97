import type { Pool } from 'pg';

export interface ReceiptRow {
  readonly id: string;
  readonly digest: Buffer;
  readonly body: Buffer;
}

/** For its owner: null while its operator has still to sign it. */
export async function readReceipt(pool: Pool, tenantId: string, id: string): Promise<ReceiptRow | null> {
  const { rows } = await pool.query<ReceiptRow>(
    'select id, digest, body from receipts where id = $1 and tenant_id = $2 and seal_at is null',
    [id, tenantId],
  );
  return rows[0] ?? null;
}

/** For hosts, which serve every tenant. */
export async function readAnyReceipt(pool: Pool, id: string): Promise<ReceiptRow | null> {
  const { rows } = await pool.query<ReceiptRow>('select id, digest, body from receipts where id = $1', [id]);
  return rows[0] ?? null;
}

/** Settlement news makes a new body for the same statement; the digest must be that of `body`. */
export async function replaceReceipt(
  pool: Pool,
  id: string,
  digest: Uint8Array,
  body: Uint8Array,
): Promise<void> {
  await pool.query('update receipts set digest = $2, body = $3 where id = $1', [
    id,
    Buffer.from(digest),
    Buffer.from(body),
  ]);
}
