/** Signed notices about inferences. A delivery keeps its id over all retries, so that a receiver can drop repeats. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { EgressRefused, post, type EgressOptions } from './egress.js';
import { inferenceJson } from './inference-json.js';
import type { Logger } from './log.js';
import { readAnyInference } from './store/inferences.js';
import { readDelivery, recordDelivery } from './store/webhooks.js';

export const newSecret = (): string => `whsec_${randomBytes(32).toString('hex')}`;

/**
 * `t=<unix seconds>,v1=<hex>` with HMAC-SHA256 over `<t>.<delivery id>.<body>`; during a rotation one v1 for each
 * secret. A receiver refuses an old t.
 */
export function signatureHeader(
  secrets: readonly string[],
  deliveryId: string,
  body: string,
  unixSeconds: number,
): string {
  const signed = secrets.map(
    (secret) =>
      `v1=${createHmac('sha256', secret).update(`${unixSeconds}.${deliveryId}.${body}`).digest('hex')}`,
  );
  return [`t=${unixSeconds}`, ...signed].join(',');
}

/** Throws when it should be tried again. */
export async function deliver(
  pool: Pool,
  deliveryId: string,
  log: Logger,
  egress: EgressOptions,
): Promise<void> {
  const delivery = await readDelivery(pool, deliveryId);
  if (!delivery || delivery.deliveredAt) return;
  const row = await readAnyInference(pool, delivery.inferenceId);
  if (!row) return;
  const body = JSON.stringify({ id: deliveryId, event: delivery.event, inference: inferenceJson(row) });
  try {
    const status = await post(
      delivery.url,
      body,
      {
        'Content-Type': 'application/json',
        'User-Agent': 'verinfer',
        'Verinfer-Delivery': deliveryId,
        'Verinfer-Event': delivery.event,
        'Verinfer-Signature': signatureHeader(
          delivery.secrets,
          deliveryId,
          body,
          Math.floor(Date.now() / 1000),
        ),
      },
      egress,
    );
    if (status < 200 || status > 299) throw new Error(`receiver answered ${status}`);
    await recordDelivery(pool, deliveryId, null);
  } catch (error) {
    const reason = (error as Error).message;
    await recordDelivery(pool, deliveryId, reason);
    log.info({ delivery: deliveryId, reason }, 'webhook not delivered');
    if (!(error instanceof EgressRefused)) throw error;
  }
}
