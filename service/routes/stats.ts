import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { operation, type Operation } from '../operation.js';
import { listHosts } from '../store/hosts.js';
import { minutes, queueStatus } from '../store/status.js';

const stats = z
  .object({
    now: z.string(),
    queue: z.object({ queued: z.number().int(), proving: z.number().int(), oldestMs: z.number() }),
    minutes: z.array(
      z.object({
        t: z.string(),
        answered: z.number().int(),
        proven: z.number().int(),
        settled: z.number().int(),
      }),
    ),
    engine: z.string().nullable(),
    rssBytes: z.number().int(),
    chain: z
      .object({
        chainId: z.number().int(),
        settlement: z.string(),
        registry: z.string(),
        verifier: z.string(),
        operator: z.string(),
      })
      .nullable(),
    hosts: z.array(z.object({ kind: z.string(), state: z.string(), engine: z.string().nullable() })),
  })
  .meta({ id: 'Stats' });

export function statsRoutes({ pool, config, inference }: ApiParts): Operation[] {
  return [
    operation({
      id: 'getStats',
      method: 'get',
      path: '/v1/stats',
      summary: 'Queue, throughput of the last hour, hosts, chain',
      scope: 'read',
      replies: { 200: { description: 'As of now', schema: stats } },
      handle: async () => {
        const [status, perMinute, hosts, chain] = await Promise.all([
          queueStatus(pool, config.leaseMs),
          minutes(pool),
          listHosts(pool, config.leaseMs),
          inference.statements.chainFacts(),
        ]);
        const engineOf = (detail: Record<string, unknown>): string | null =>
          typeof detail['engine'] === 'string' ? detail['engine'] : null;
        return {
          status: 200,
          body: {
            now: new Date().toISOString(),
            queue: {
              queued: status.depths.answered,
              proving: status.depths.proving,
              oldestMs: Math.round(status.oldestSeconds * 1000),
            },
            minutes: perMinute,
            engine: hosts.map(({ detail }) => engineOf(detail)).find((engine) => engine !== null) ?? null,
            rssBytes:
              process.memoryUsage.rss() +
              hosts.reduce((sum, { detail }) => sum + Number(detail['residentBytes'] ?? 0), 0),
            chain: chain && {
              chainId: chain.chainId,
              settlement: chain.settlement,
              registry: chain.registry,
              verifier: chain.verifier,
              operator: chain.operator,
            },
            hosts: hosts.map(({ kind, state, detail }) => ({ kind, state, engine: engineOf(detail) })),
          },
        };
      },
    }),
  ];
}
