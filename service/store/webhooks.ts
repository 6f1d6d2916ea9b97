import type { Pool } from 'pg';

export interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly createdAt: Date;
}

const columns = `id, url, created_at as "createdAt"`;

export async function addWebhook(
  pool: Pool,
  tenantId: string,
  id: string,
  url: string,
  secret: string,
): Promise<WebhookRow> {
  const { rows } = await pool.query<WebhookRow>(
    `insert into webhooks (id, tenant_id, url, secret) values ($1, $2, $3, $4) returning ${columns}`,
    [id, tenantId, url, secret],
  );
  return rows[0]!;
}

export async function listWebhooks(pool: Pool, tenantId: string): Promise<WebhookRow[]> {
  const { rows } = await pool.query<WebhookRow>(
    `select ${columns} from webhooks where tenant_id = $1 and removed_at is null order by created_at`,
    [tenantId],
  );
  return rows;
}

export async function removeWebhook(pool: Pool, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    'update webhooks set removed_at = now() where id = $1 and tenant_id = $2 and removed_at is null',
    [id, tenantId],
  );
  return rowCount === 1;
}

/** The old secret signs beside the new one for a day. */
export async function rotateWebhook(
  pool: Pool,
  tenantId: string,
  id: string,
  secret: string,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update webhooks set old_secret = secret, old_until = now() + interval '1 day', secret = $3 where id = $1 and tenant_id = $2 and removed_at is null`,
    [id, tenantId, secret],
  );
  return rowCount === 1;
}

export interface DeliveryRow {
  readonly inferenceId: string;
  readonly url: string;
  readonly event: string;
  readonly deliveredAt: Date | null;
  /** Newest first. */
  readonly secrets: readonly string[];
}

/** Null when its webhook was removed. */
export async function readDelivery(pool: Pool, id: string): Promise<DeliveryRow | null> {
  const { rows } = await pool.query<DeliveryRow>(
    `select d.inference_id as "inferenceId", w.url, d.event, d.delivered_at as "deliveredAt",
       array_remove(array[w.secret, case when w.old_until > now() then w.old_secret end], null) as secrets
     from webhook_deliveries d join webhooks w on w.id = d.webhook_id and w.removed_at is null where d.id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

export async function recordDelivery(pool: Pool, id: string, error: string | null): Promise<void> {
  await pool.query(
    `update webhook_deliveries set attempt_count = attempt_count + 1, last_error = $2, delivered_at = case when $2::text is null then now() end where id = $1`,
    [id, error?.slice(0, 300) ?? null],
  );
}
