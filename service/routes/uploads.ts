/** Models from outside: streamed to disk and hashed on the way, never parsed in this process. */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { uploadPath } from '../installs.js';
import { operation, type Operation } from '../operation.js';
import { hex32 } from '../schemas.js';
import { addInstall, openInstalls, readInstall, type InstallRow } from '../store/installs.js';

const installId = z.string().regex(/^ins_[0-9a-f]{24}$/, 'must be an install id');
const install = z
  .object({
    id: installId,
    name: z.string(),
    state: z.enum(['queued', 'compiling', 'setting-up', 'registering', 'ready', 'failed']),
    modelHash: hex32,
    modelId: hex32.nullable(),
    error: z.object({ detail: z.string(), issues: z.array(z.record(z.string(), z.unknown())) }).nullable(),
    createdAt: z.string(),
  })
  .meta({ id: 'Install' });

const openAtATime = 4;

export function uploadRoutes({ pool, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'uploadModel',
      method: 'post',
      path: '/v1/models',
      summary: 'Upload an ONNX file: compiled and set up behind, with development keys',
      scope: 'upload',
      rawBody: 'application/octet-stream',
      query: z.strictObject({
        name: z
          .string()
          .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be lower-case letters, digits, dots and dashes'),
        inputMode: z.enum(['committed', 'public']).default('committed'),
        outputMode: z.enum(['packed', 'commitment']).default('packed'),
        acceptsDrift: z
          .enum(['true', 'false'])
          .default('false')
          .describe('take a model that agrees too little with the float one it was quantized from'),
      }),
      problems: ['body-too-large', 'unsupported-encoding', 'queue-full'],
      replies: { 202: { description: 'Follow the install', schema: install } },
      handle: async ({ query: { name, acceptsDrift, ...modes }, caller, request }) => {
        if ((await openInstalls(pool, caller.tenantId)) >= openAtATime)
          throw new Problem('queue-full', `at most ${openAtATime} installs at a time`, [], {
            'Retry-After': '30',
          });
        const id = `ins_${randomBytes(12).toString('hex')}`;
        const path = uploadPath(config.modelsFolder, id);
        const { modelHash, sizeBytes } = await store(request, path, config.maxModelBytes);
        const row = await addInstall(pool, {
          id,
          tenantId: caller.tenantId,
          name,
          modelHash,
          sizeBytes,
          options: { ...modes, ...(acceptsDrift === 'true' && { acceptsDrift: true }) },
        });
        return { status: 202, body: installJson(row), headers: { Location: `/v1/installs/${row.id}` } };
      },
    }),
    operation({
      id: 'getInstall',
      method: 'get',
      path: '/v1/installs/{installId}',
      summary: 'How far an upload is',
      scope: 'read',
      params: z.strictObject({ installId }),
      problems: ['not-found'],
      replies: { 200: { description: 'Its state', schema: install } },
      handle: async ({ params: { installId: id }, caller }) => {
        const row = await readInstall(pool, id, caller.tenantId);
        if (!row) throw new Problem('not-found', 'no such install');
        return { status: 200, body: installJson(row) };
      },
    }),
  ];
}

function installJson({ id, name, state, modelHash, modelId, error, createdAt }: InstallRow): object {
  return { id, name, state, modelHash: `0x${modelHash}`, modelId, error, createdAt: createdAt.toISOString() };
}

async function store(
  request: IncomingMessage,
  path: string,
  limit: number,
): Promise<{ modelHash: string; sizeBytes: number }> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new Problem('unsupported-encoding', 'send the file uncompressed');
  if (!/^application\/(octet-stream|onnx)$/.test(request.headers['content-type'] ?? ''))
    throw new Problem('unsupported-encoding', 'Content-Type must be application/octet-stream');
  const tooLarge = new Problem('body-too-large', `at most ${limit} bytes`, [], { Connection: 'close' });
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge;
  const partial = join(dirname(path), `partial-${basename(path)}`);
  await mkdir(dirname(partial), { recursive: true });
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    await pipeline(
      request,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          sizeBytes += chunk.length;
          if (sizeBytes > limit) throw tooLarge;
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(partial, { mode: 0o600 }),
    );
    if (sizeBytes === 0)
      throw new Problem('invalid-request', 'the body must be an ONNX file', [
        { field: 'body', expected: 'an ONNX file', got: 'nothing' },
      ]);
    const modelHash = hash.digest('hex');
    await rename(partial, path);
    return { modelHash, sizeBytes };
  } finally {
    await rm(partial, { force: true });
  }
}
