/** The OpenAPI 3.1 document, made from the operations that the router is made from. */
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import { problems, type ProblemCode } from './errors.js';
import type { Operation } from './operation.js';
import { problem } from './schemas.js';

export function openApiDocument(operations: readonly Operation[], version: string): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'verinfer',
      version,
      description: 'Run a quantized ONNX model; get the answer and a proof anyone can check.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key of `verinfer keys create`. Development mode asks for none.',
        },
      },
    },
  });
}

function describe(operation: Operation): ZodOpenApiOperationObject {
  const { id, summary, scope, params, query, body, rawBody, replies, acceptsIdempotencyKey } = operation;
  const codes = [
    ...(operation.problems ?? []),
    // Any operation refuses a parameter, a body or an Idempotency-Key that it does not take.
    'invalid-request' as const,
    ...(body ? (['invalid-json', 'body-too-large', 'unsupported-encoding'] as const) : []),
    ...(scope === null ? [] : (['unauthorized', 'forbidden'] as const)),
    'rate-limited' as const,
  ];
  const byStatus = new Map<number, string[]>();
  for (const code of codes)
    byStatus.set(problems[code].status, [...new Set([...(byStatus.get(problems[code].status) ?? []), code])]);
  return {
    operationId: id,
    summary,
    ...(scope === null ? { security: [] } : { description: `Scope: \`${scope}\`.` }),
    ...(params || query
      ? {
          requestParams: {
            ...(params ? { path: params as never } : {}),
            ...(query ? { query: query as never } : {}),
          },
        }
      : {}),
    ...(acceptsIdempotencyKey
      ? {
          parameters: [
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: false,
              schema: { type: 'string', minLength: 1, maxLength: 128 },
              description: 'The same key with the same body gives the same inference for 24 hours.',
            },
          ],
        }
      : {}),
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    ...(rawBody
      ? {
          requestBody: {
            required: true,
            content: { [rawBody]: { schema: { type: 'string', format: 'binary' } } },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(replies).map(([status, { description, schema, type }]) => [
          status,
          {
            description,
            ...(schema
              ? { content: { 'application/json': { schema } } }
              : type
                ? { content: { [type]: { schema: { type: /\bjson\b/.test(type) ? 'object' : 'string' } } } }
                : {}),
          },
        ]),
      ),
      ...Object.fromEntries(
        [...byStatus].map(([status, list]) => [
          String(status),
          {
            description: list.map((code) => `\`${code}\`: ${problems[code as ProblemCode].title}`).join('; '),
            content: { 'application/problem+json': { schema: problem } },
          },
        ]),
      ),
    } as ZodOpenApiResponsesObject,
  };
}
