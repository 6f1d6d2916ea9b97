import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { unitsOf } from '../answer.js';
import { operation, type Operation } from '../operation.js';
import { modelRef, settlementChoice } from '../schemas.js';
import { proofStatistics } from '../store/status.js';

/** Measured on the embedded chain (test/bench): a settlement alone, and its share of a batch of sixteen. */
const gasAlone = 276_000;
const gasShared = 75_000;
/** Before the first proof of a model is measured: rows a second and thread of the native engine. */
const rowsPerSecond = 60_000;

const quote = z
  .object({
    modelId: z.string(),
    count: z.number().int(),
    rows: z.number().int(),
    units: z.number().int(),
    proveSeconds: z.number().meta({
      description: 'Of one proof on one thread: the median of recent ones, or an estimate from the rows',
    }),
    waitSeconds: z.number().meta({
      description: 'Until the last of them is proven, with the queue and the provers as they are now',
    }),
    memoryBytes: z.number().int(),
    gas: z.number().int(),
    measured: z.boolean(),
    price: z.object({ units: z.number().int(), gas: z.number().int() }),
  })
  .meta({ id: 'Quote' });

export function quoteRoutes({ pool, models, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'createQuote',
      method: 'post',
      path: '/v1/quotes',
      summary: 'What it will cost, before any work',
      scope: 'read',
      body: z.strictObject({
        model: modelRef,
        count: z.number().int().min(1).max(10_000).default(1),
        settlement: settlementChoice.default('none'),
      }),
      problems: ['not-found'],
      replies: { 200: { description: 'The quote', schema: quote } },
      handle: async ({ body, caller }) => {
        const row = await models.find(caller.tenantId, body.model);
        const { description } = row;
        const { medianProveMs, openCount, threads } = await proofStatistics(pool, row.id, config.leaseMs);
        const proveSeconds =
          medianProveMs === null ? description.rowCount / rowsPerSecond + 0.05 : medianProveMs / 1000;
        const units = unitsOf(description) * body.count;
        const gas =
          body.settlement === 'none'
            ? 0
            : (body.settlement === 'onchain' ? gasAlone : gasShared) * body.count;
        return {
          status: 200,
          body: {
            modelId: row.id,
            count: body.count,
            rows: description.rowCount,
            units,
            proveSeconds: Math.round(proveSeconds * 1000) / 1000,
            waitSeconds:
              Math.round(((proveSeconds * (openCount + body.count)) / Math.max(1, threads)) * 1000) / 1000,
            memoryBytes: (row.files['key.zkey']?.sizeBytes ?? 0) * 2 + description.wireCount * 32,
            gas,
            measured: medianProveMs !== null,
            price: { units, gas },
          },
        };
      },
    }),
  ];
}
