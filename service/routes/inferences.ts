import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { inferenceJson } from '../inference-json.js';
import { runnableModel, submitInference } from '../inferences.js';
import { operation, type Operation } from '../operation.js';
import { idempotencyOf } from './idempotency.js';
import { inference, inferenceId, inferenceRequest, inferenceState, modelRef, page } from '../schemas.js';
import { listInferences, readInference } from '../store/inferences.js';
import { failInference } from '../store/proofs.js';

const params = z.strictObject({ inferenceId });

export function inferenceRoutes(parts: ApiParts): Operation[] {
  const { pool, models } = parts;
  return [
    operation({
      id: 'createInference',
      method: 'post',
      path: '/v1/models/{modelId}/inferences',
      summary: 'Run the model: the answer now, the proof behind it',
      scope: 'infer',
      params: z.strictObject({ modelId: modelRef }),
      body: inferenceRequest,
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
      replies: { 202: { description: 'Answered; the proof is queued', schema: inference } },
      handle: async ({ params: { modelId }, body, caller, idempotencyKey, bodyDigest }) => {
        const model = await runnableModel(parts.inference, caller, modelId);
        const { row, salt, replayed } = await submitInference(
          parts.inference,
          { caller, model, request: body },
          idempotencyOf('inference', model.id, idempotencyKey, bodyDigest),
        );
        return {
          status: 202,
          body: inferenceJson(row, salt),
          headers: {
            Location: `/v1/inferences/${row.id}`,
            ...(replayed ? { 'Idempotency-Replayed': 'true' } : {}),
          },
        };
      },
    }),
    operation({
      id: 'getInference',
      method: 'get',
      path: '/v1/inferences/{inferenceId}',
      summary: 'State, answer and timings',
      scope: 'read',
      params,
      problems: ['not-found'],
      replies: { 200: { description: 'The inference', schema: inference } },
      handle: async ({ params: { inferenceId }, caller }) => {
        const row = await readInference(pool, caller.tenantId, inferenceId);
        if (!row) throw new Problem('not-found', 'no such inference');
        return { status: 200, body: inferenceJson(row) };
      },
    }),
    operation({
      id: 'listInferences',
      method: 'get',
      path: '/v1/inferences',
      summary: 'Newest first, by pages',
      scope: 'read',
      query: z.strictObject({
        limit: z.coerce.number().int().min(1).max(200).default(50),
        cursor: z.string().max(200).optional(),
        model: modelRef.optional(),
        state: inferenceState.optional(),
      }),
      problems: ['not-found'],
      replies: { 200: { description: 'One page', schema: page(inference) } },
      handle: async ({ query, caller }) => {
        const after = query.cursor === undefined ? undefined : readCursor(query.cursor);
        const modelId =
          query.model === undefined ? undefined : (await models.find(caller.tenantId, query.model)).id;
        const rows = await listInferences(pool, caller.tenantId, {
          limit: query.limit,
          after,
          modelId,
          state: query.state,
        });
        const last = rows.length === query.limit ? rows.at(-1)! : null;
        return {
          status: 200,
          body: {
            data: rows.map((row) => inferenceJson(row)),
            nextCursor: last && Buffer.from(`${last.cursorTime}|${last.id}`).toString('base64url'),
          },
        };
      },
    }),
    operation({
      id: 'cancelInference',
      method: 'post',
      path: '/v1/inferences/{inferenceId}/cancel',
      summary: 'Stop an unproven inference and erase its input',
      scope: 'infer',
      params,
      problems: ['not-found', 'not-cancellable'],
      replies: { 200: { description: 'Failed, with the code cancelled', schema: inference } },
      handle: async ({ params: { inferenceId }, caller }) => {
        const row = await readInference(pool, caller.tenantId, inferenceId);
        if (!row) throw new Problem('not-found', 'no such inference');
        const open = row.state === 'answered' || row.state === 'proving';
        if (!open || !(await failInference(pool, row.id, null, 'cancelled', 'cancelled by its owner')))
          throw new Problem('not-cancellable', `it is ${row.state}`);
        return {
          status: 200,
          body: inferenceJson((await readInference(pool, caller.tenantId, inferenceId))!),
        };
      },
    }),
  ];
}

function readCursor(text: string): { createdAt: string; id: string } {
  const [createdAt, id] = Buffer.from(text, 'base64url').toString().split('|');
  if (
    !createdAt ||
    !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d)?$/.test(createdAt) ||
    !inferenceId.safeParse(id).success
  )
    throw new Problem('invalid-request', 'query.cursor is not one of ours', [
      { field: 'query.cursor', expected: 'nextCursor of a previous page' },
    ]);
  return { createdAt, id: id! };
}
