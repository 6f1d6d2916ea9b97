import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { ceremonyPaths } from '../ceremony/folder.js';
import { readTranscript, type Transcript } from '../ceremony/transcript.js';
import { operation, type Operation } from '../operation.js';
import { page } from '../schemas.js';

const ceremony = z.object({
  id: z.string().describe('Folder name under <data>/ceremonies'),
  state: z.enum(['open', 'closing', 'final']),
  circuitHash: z.string(),
  modelHash: z.string().nullable(),
  transcriptDigest: z.string(),
  contributions: z.array(
    z.object({ name: z.string(), hash: z.string(), at: z.string(), attested: z.boolean() }),
  ),
  beacon: z.string().nullable(),
  vkHash: z.string().nullable(),
});

/** Read-only: a ceremony is coordinated by a process of its own (`verinfer ceremony serve`). */
export function ceremonyRoutes({ config }: ApiParts): Operation[] {
  const home = join(config.dataFolder, 'ceremonies');
  return [
    operation({
      id: 'listCeremonies',
      method: 'get',
      path: '/v1/ceremonies',
      summary: 'Setup ceremonies held here, and who contributed: keys, not people',
      scope: null,
      replies: { 200: { description: 'The ceremonies', schema: page(ceremony) } },
      handle: async () => {
        const data: object[] = [];
        for (const id of (await readdir(home).catch(() => [])).sort().slice(0, 100)) {
          const transcript = await readTranscript(ceremonyPaths(join(home, id)).transcript).catch(() => null);
          if (transcript !== null) data.push(summary(id, transcript));
        }
        return { status: 200, body: { data, nextCursor: null } };
      },
    }),
  ];
}

function summary(id: string, transcript: Transcript): z.infer<typeof ceremony> {
  const { opened, contributions, announcement, final } = transcript;
  return {
    id,
    state: final ? 'final' : announcement ? 'closing' : 'open',
    circuitHash: opened.circuitHash,
    modelHash: opened.modelHash,
    transcriptDigest: transcript.digest,
    contributions: contributions.map(({ name, contributionHash, at, attestation }) => ({
      name,
      hash: contributionHash,
      at,
      attested: attestation !== null,
    })),
    beacon: final?.beacon ?? null,
    vkHash: final?.vkHash ?? null,
  };
}
