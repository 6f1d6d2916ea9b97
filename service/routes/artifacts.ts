/** Model files by their SHA-256, for hosts that lack them. The reader checks the hash, not us. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { folderOf } from '../model-folder.js';
import { operation, type Operation } from '../operation.js';
import { uploadPath } from '../installs.js';
import { findUpload } from '../store/installs.js';
import { findArtifact } from '../store/models.js';

export function artifactRoutes({ pool, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'getArtifact',
      method: 'get',
      path: '/v1/artifacts/{sha256}',
      summary: 'A file of a model, by its SHA-256',
      scope: 'read',
      params: z.strictObject({
        sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
      }),
      problems: ['not-found'],
      replies: { 200: { description: 'The bytes', type: 'application/octet-stream' } },
      handle: async ({ params: { sha256 }, caller, response }) => {
        const isHost = caller.scopes.includes('host');
        const found = await findArtifact(pool, isHost ? '*' : caller.tenantId, sha256);
        // An upload that waits to be compiled, for the host that has taken the job.
        const upload = found || !isHost ? null : await findUpload(pool, sha256);
        if (!found && !upload) throw new Problem('not-found', 'no such artifact');
        const path = found
          ? join(folderOf(config.modelsFolder, found.modelId), found.name)
          : uploadPath(config.modelsFolder, upload!.id);
        const { sizeBytes } = (found ?? upload)!;
        const file = await open(path).catch(() => null);
        // A file that was cut is refused here; one that lies is found out by its hash over there.
        if (!file || (await file.stat()).size !== sizeBytes) {
          await file?.close();
          throw new Problem('not-found', 'not on this host');
        }
        response.writeHead(200, {
          'Content-Type': 'application/octet-stream',
          'Content-Length': String(sizeBytes),
        });
        await pipeline(file.createReadStream(), response).catch(() => undefined);
        return null;
      },
    }),
  ];
}
