import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { operation, type Operation } from '../operation.js';
import { inferenceId } from '../schemas.js';
import { readInference } from '../store/inferences.js';
import { readReceipt } from '../store/receipts.js';

export function receiptRoutes({ pool }: ApiParts): Operation[] {
  return [
    operation({
      id: 'getReceipt',
      method: 'get',
      path: '/v1/receipts/{inferenceId}',
      summary: 'The receipt: canonical JSON, the same bytes each time',
      scope: 'read',
      params: z.strictObject({ inferenceId }),
      problems: ['not-found', 'receipt-pending'],
      replies: {
        200: { description: 'Check it with `verinfer verify`, or in a browser', type: 'application/json' },
      },
      handle: async ({ params: { inferenceId: id }, caller }) => {
        const receipt = await readReceipt(pool, caller.tenantId, id);
        if (receipt)
          return {
            status: 200,
            bytes: receipt.body,
            type: 'application/json',
            headers: { Digest: `sha-256=${receipt.digest.toString('base64')}` },
          };
        const row = await readInference(pool, caller.tenantId, id);
        if (!row) throw new Problem('not-found', 'no such inference');
        throw new Problem(
          'receipt-pending',
          row.state === 'failed'
            ? 'the inference failed; it has no receipt'
            : `the inference is ${row.state}`,
        );
      },
    }),
  ];
}
