import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { operation, type Operation } from '../operation.js';
import { modelRef, page } from '../schemas.js';

const sample = z
  .object({ label: z.string(), data: z.array(z.number()) })
  .meta({ id: 'Sample', description: 'A real input that the model was not trained on, and what it is.' });

const committed = z.object({
  samples: z.array(z.object({ label: z.union([z.number(), z.string()]), x: z.array(z.number()) })),
});

export function sampleRoutes({ models }: ApiParts): Operation[] {
  return [
    operation({
      id: 'listSamples',
      method: 'get',
      path: '/v1/models/{modelId}/samples',
      summary: 'Real inputs to try, for the models of this repository; none for others',
      scope: 'read',
      params: z.strictObject({ modelId: modelRef }),
      problems: ['not-found'],
      replies: { 200: { description: 'All of them', schema: page(sample) } },
      handle: async ({ params: { modelId }, caller }) => {
        const row = await models.find(caller.tenantId, modelId);
        return {
          status: 200,
          body: { data: row.tenantId === null ? await committedSamples(row.name) : [], nextCursor: null },
        };
      },
    }),
  ];
}

/** `name` is one of modelRef's names, so it cannot leave the folder. */
async function committedSamples(name: string): Promise<{ label: string; data: number[] }[]> {
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(name)) return [];
  const path = fileURLToPath(new URL(`../../../models/${name}/samples.json`, import.meta.url));
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return [];
  return committed.parse(JSON.parse(text)).samples.map(({ label, x }) => ({ label: String(label), data: x }));
}
