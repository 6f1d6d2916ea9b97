import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { inferenceJson, readInputs, submitInference, type Accepted } from '../inferences.js';
import { operation, type Operation } from '../operation.js';
import { batchId, batchRequest, inference, modelRef } from '../schemas.js';
import { readBatch } from '../store/inferences.js';

const batch = z.object({ id: batchId, inferences: z.array(inference) }).meta({ id: 'Batch' });

export function batchRoutes(parts: ApiParts): Operation[] {
  const { pool, models } = parts;
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
        const model = await models.find(caller.tenantId, modelId);
        if (model.frozenAt) throw new Problem('model-busy', 'this model is frozen');
        await models.requireProvable(model);
        const { items, ...choices } = body;
        // All inputs are checked before the first is queued.
        items.forEach((item, i) => {
          try {
            readInputs(model.description, item);
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
            throw new Problem(
              error.code,
              `items.${i}: ${error.detail}`,
              error.issues.map((issue) => ({
                ...issue,
                field: issue.field.replace(/^body/, `body.items.${i}`),
              })),
            );
          }
        });
        // With a key the ids follow from it, so that a retry finds the same batch.
        const id = `bat_${idempotencyKey ? digest(caller.tenantId, idempotencyKey) : randomBytes(16).toString('hex')}`;
        const accepted: Accepted[] = [];
        for (const [i, item] of items.entries())
          accepted.push(
            await submitInference(parts.inference, {
              caller,
              model,
              request: { ...choices, ...item },
              batchId: id,
              ...(idempotencyKey
                ? { idempotencyKey: `batch:${digest(caller.tenantId, idempotencyKey)}:${i}` }
                : {}),
              bodyDigest: createHash('sha256').update(`${model.id}:${bodyDigest}:${i}`).digest('hex'),
            }),
          );
        const replayed = accepted.some((entry) => entry.replayed);
        return {
          status: 202,
          body: { id, inferences: accepted.map(({ row, salt }) => inferenceJson(row, salt)) },
          headers: { Location: `/v1/batches/${id}`, ...(replayed ? { 'Idempotency-Replayed': 'true' } : {}) },
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

const digest = (...parts: string[]): string =>
  createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
