import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { checkUrl } from '../egress.js';
import { Problem } from '../errors.js';
import { operation, type Operation } from '../operation.js';
import { page } from '../schemas.js';
import { addWebhook, listWebhooks, removeWebhook, rotateWebhook } from '../store/webhooks.js';
import { newSecret } from '../webhooks.js';

const webhookId = z.string().regex(/^wh_[0-9a-f]{24}$/, 'must be a webhook id');
const webhook = z.object({ id: webhookId, url: z.string(), createdAt: z.string() }).meta({ id: 'Webhook' });
const withSecret = webhook.extend({ secret: z.string() }).meta({ id: 'WebhookWithSecret' });
const params = z.strictObject({ webhookId });

export function webhookRoutes({ pool, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'createWebhook',
      method: 'post',
      path: '/v1/webhooks',
      summary: 'Be told when an inference is proven, settled or failed',
      scope: 'infer',
      body: z.strictObject({ url: z.string().max(2048) }),
      problems: ['webhook-refused'],
      replies: { 201: { description: 'The secret is shown once', schema: withSecret } },
      handle: async ({ body, caller }) => {
        try {
          checkUrl(body.url, config.webhookPrivate);
        } catch (error) {
          throw new Problem('webhook-refused', (error as Error).message, [
            { field: 'body.url', expected: (error as Error).message },
          ]);
        }
        if ((await listWebhooks(pool, caller.tenantId)).length >= 16)
          throw new Problem('webhook-refused', 'at most 16 webhooks', [
            { field: 'body', expected: 'at most 16 webhooks' },
          ]);
        const secret = newSecret();
        const row = await addWebhook(
          pool,
          caller.tenantId,
          `wh_${randomBytes(12).toString('hex')}`,
          body.url,
          secret,
        );
        return {
          status: 201,
          body: { id: row.id, url: row.url, createdAt: row.createdAt.toISOString(), secret },
        };
      },
    }),
    operation({
      id: 'listWebhooks',
      method: 'get',
      path: '/v1/webhooks',
      summary: 'Your webhooks',
      scope: 'infer',
      replies: { 200: { description: 'Without their secrets', schema: page(webhook) } },
      handle: async ({ caller }) => {
        const rows = await listWebhooks(pool, caller.tenantId);
        return {
          status: 200,
          body: {
            data: rows.map(({ id, url, createdAt }) => ({ id, url, createdAt: createdAt.toISOString() })),
            nextCursor: null,
          },
        };
      },
    }),
    operation({
      id: 'deleteWebhook',
      method: 'delete',
      path: '/v1/webhooks/{webhookId}',
      summary: 'Stop it',
      scope: 'infer',
      params,
      problems: ['not-found'],
      replies: { 204: { description: 'Gone' } },
      handle: async ({ params: { webhookId: id }, caller }) => {
        if (!(await removeWebhook(pool, caller.tenantId, id)))
          throw new Problem('not-found', 'no such webhook');
        return { status: 204 };
      },
    }),
    operation({
      id: 'rotateWebhook',
      method: 'post',
      path: '/v1/webhooks/{webhookId}/rotate',
      summary: 'A new secret; the old one signs too for a day',
      scope: 'infer',
      params,
      problems: ['not-found'],
      replies: {
        200: {
          description: 'The new secret, shown once',
          schema: z.object({ id: webhookId, secret: z.string() }),
        },
      },
      handle: async ({ params: { webhookId: id }, caller }) => {
        const secret = newSecret();
        if (!(await rotateWebhook(pool, caller.tenantId, id, secret)))
          throw new Problem('not-found', 'no such webhook');
        return { status: 200, body: { id, secret } };
      },
    }),
  ];
}
