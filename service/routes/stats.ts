import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { operation, type Operation } from '../operation.js';
import { queueStatus } from '../store/status.js';
import { throughput } from '../store/throughput.js';

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
    provers: z.array(z.string()).meta({ description: 'Engine of each prover host that is alive.' }),
    rssBytes: z.number().int().meta({ description: 'Resident memory of the API process.' }),
  })
  .meta({ id: 'Stats' });

export function statsRoutes({ pool, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'getStats',
      method: 'get',
      path: '/v1/stats',
      summary: 'Queue now, throughput of the last hour: counts only, of all tenants together',
      scope: 'read',
      replies: { 200: { description: 'Counts', schema: stats } },
      handle: async () => {
        const [status, minutes] = await Promise.all([queueStatus(pool, config.leaseMs), throughput(pool)]);
        return {
          status: 200,
          body: {
            now: new Date().toISOString(),
            queue: {
              queued: status.depths.answered,
              proving: status.depths.proving,
              oldestMs: Math.round(status.oldestSeconds * 1000),
            },
            minutes,
            provers: status.hosts.filter(({ kind }) => kind === 'prover').map(({ engine }) => engine),
            rssBytes: process.memoryUsage.rss(),
          },
        };
      },
    }),
  ];
}
