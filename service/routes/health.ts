import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { operation, type Operation } from '../operation.js';

const check = z.object({ ok: z.boolean(), detail: z.string() });

export function healthRoutes({ readiness, metrics }: ApiParts): Operation[] {
  return [
    operation({
      id: 'alive',
      method: 'get',
      path: '/healthz',
      summary: 'The process answers',
      scope: null,
      replies: { 200: { description: 'Alive', schema: z.object({ status: z.literal('ok') }) } },
      handle: async () => ({ status: 200, body: { status: 'ok' } }),
    }),
    operation({
      id: 'ready',
      method: 'get',
      path: '/readyz',
      summary: 'Keys are loaded, the self-test passed, a prover has warmed up',
      scope: null,
      replies: {
        200: {
          description: 'Ready',
          schema: z.object({ ready: z.boolean(), checks: z.record(z.string(), check) }),
        },
        503: {
          description: 'Not yet; the checks say why',
          schema: z.object({ ready: z.boolean(), checks: z.record(z.string(), check) }),
        },
      },
      handle: async () => {
        const state = await readiness();
        return {
          status: state.ready ? 200 : 503,
          body: state,
          ...(state.ready ? {} : { headers: { 'Retry-After': '1' } }),
        };
      },
    }),
    operation({
      id: 'metrics',
      method: 'get',
      path: '/metrics',
      summary: 'Prometheus metrics',
      scope: null,
      replies: { 200: { description: 'Text format', type: 'text/plain' } },
      handle: async () => {
        return {
          status: 200,
          bytes: Buffer.from(await metrics.text()),
          type: metrics.contentType,
        };
      },
    }),
  ];
}
