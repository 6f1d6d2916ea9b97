import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { inferenceJson } from '../inference-json.js';
import { runnableModel, submitBatch } from '../inferences.js';
import { operation, type Operation } from '../operation.js';
import { idempotencyOf } from './idempotency.js';
import { batchId, batchRequest, inference, modelRef } from '../schemas.js';
import { readBatch } from '../store/inferences.js';

const batch = z.object({ id: batchId, inferences: z.array(inference) }).meta({ id: 'Batch' });

export function batchRoutes(parts: ApiParts): Operation[] {
  const { pool } = parts;
  return [
    operation({
      id: 'createBatch',
      method: 'post',
      path: '/v1/models/{modelId}/batches',
      summary: 'Many inputs at once: a job for each, settled together',
      scope: 'infer',
      params: z.strictObject({ modelId: modelRef }),
      body: batchRequest,
      acceptsIdempotencyKey: true,
      problems: [
        'not-found',
        'invalid-input',
        'setup-too-weak',
        'settlement-unavailable',
        'idempotency-mismatch',
        'quota-exhausted',
        'queue-full',
        'model-busy',
        'not-ready',
      ],
      replies: { 202: { description: 'All answered; their proofs are queued', schema: batch } },
      handle: async ({ params: { modelId }, body, caller, idempotencyKey, bodyDigest }) => {
        const model = await runnableModel(parts.inference, caller, modelId);
        const { items, ...choices } = body;
        const accepted = await submitBatch(
          parts.inference,
          `bat_${randomBytes(16).toString('hex')}`,
          items.map((item) => ({ caller, model, request: { ...choices, ...item } })),
          idempotencyOf('batch', model.id, idempotencyKey, bodyDigest),
        );
        const id = accepted[0]!.row.batchId!;
        return {
          status: 202,
          body: { id, inferences: accepted.map(({ row, salt }) => inferenceJson(row, salt)) },
          headers: {
            Location: `/v1/batches/${id}`,
            ...(accepted[0]!.replayed ? { 'Idempotency-Replayed': 'true' } : {}),
          },
        };
      },
    }),
    operation({
      id: 'getBatch',
      method: 'get',
      path: '/v1/batches/{batchId}',
      summary: 'All inferences of a batch',
      scope: 'read',
      params: z.strictObject({ batchId }),
      problems: ['not-found'],
      replies: { 200: { description: 'In the order of the items', schema: batch } },
      handle: async ({ params: { batchId: id }, caller }) => {
        const rows = await readBatch(pool, caller.tenantId, id);
        if (rows.length === 0) throw new Problem('not-found', 'no such batch');
        return { status: 200, body: { id, inferences: rows.map((row) => inferenceJson(row)) } };
      },
    }),
  ];
}
