/** What others are told of an inference: API hosts by NOTIFY, webhooks by an errand. */
import type { Queryable } from './jobs.js';

/** Tells every API host that follows the events; `data` must hold nothing private. */
export async function notify(client: Queryable, id: string, event: string, data: object = {}): Promise<void> {
  await client.query(`select pg_notify('inference_events', $1)`, [JSON.stringify({ id, event, ...data })]);
}

/** Many in one transaction. */
export async function notifyAll(
  client: Queryable,
  id: string,
  event: string,
  data: readonly object[],
): Promise<void> {
  await client.query(`select pg_notify('inference_events', notice) from unnest($1::text[]) as notice`, [
    data.map((each) => JSON.stringify({ id, event, ...each })),
  ]);
}

export async function queueWebhooks(client: Queryable, ids: readonly string[], event: string): Promise<void> {
  await client.query(
    `with made as (
       insert into webhook_deliveries (id, tenant_id, webhook_id, inference_id, event)
       select 'whd_' || encode(sha256(convert_to(i.id || w.id || $2, 'UTF8')), 'hex'), i.tenant_id, w.id, i.id, $2
       from inferences i join webhooks w on w.tenant_id = i.tenant_id and w.removed_at is null where i.id = any($1)
       on conflict do nothing returning id
     )
     select errands.add_job('webhook', json_build_object('id', id), max_attempts := 12, job_key := 'webhook:' || id) from made`,
    [ids, event],
  );
}
