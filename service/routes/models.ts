import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { samplesOf } from '../bundled-models.js';
import { Problem } from '../errors.js';
import { unitsOf } from '../answer.js';
import { folderOf } from '../model-folder.js';
import { operation, type Caller, type Operation } from '../operation.js';
import { model, modelDetail, modelRef, page } from '../schemas.js';
import { freezeModel, listModels, type ModelRow } from '../store/models.js';
import { trustStatements } from '../trust.js';

const params = z.strictObject({ modelId: modelRef });

export function modelRoutes({ pool, models, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'listModels',
      method: 'get',
      path: '/v1/models',
      summary: 'Models this key may use',
      scope: 'read',
      replies: { 200: { description: 'Newest first', schema: page(model) } },
      handle: async ({ caller }) => {
        const rows = await listModels(pool, caller.tenantId);
        return { status: 200, body: { data: rows.map((row) => summary(row, caller)), nextCursor: null } };
      },
    }),
    operation({
      id: 'getModel',
      method: 'get',
      path: '/v1/models/{modelId}',
      summary: 'One model: shapes, layers, costs, agreement, setup, digests',
      scope: 'read',
      params,
      problems: ['not-found'],
      replies: { 200: { description: 'The model', schema: modelDetail } },
      handle: async ({ params: { modelId }, caller }) => {
        const row = await models.find(caller.tenantId, modelId);
        const d = row.description;
        const vk = await readFile(join(folderOf(config.modelsFolder, row.id), 'vk.json'), 'utf8').catch(
          () => null,
        );
        return {
          status: 200,
          body: {
            ...summary(row, caller),
            identity: d.identity,
            manifest: d.manifest,
            wireCount: d.wireCount,
            publicCount: d.publicCount,
            layers: d.layers,
            executedHash: d.executedHash,
            agreement: d.agreement,
            notes: d.notes,
            files: row.files,
            ...(vk ? { verifyingKey: JSON.parse(vk) as object } : {}),
            samples: await samplesOf(d.identity.modelHash),
          },
        };
      },
    }),
    operation({
      id: 'freezeModel',
      method: 'post',
      path: '/v1/models/{modelId}/freeze',
      summary: 'Stop accepting inferences of this model, for good',
      scope: 'upload',
      params,
      problems: ['not-found'],
      replies: { 200: { description: 'Frozen', schema: model } },
      handle: async ({ params: { modelId }, caller }) => {
        const row = await models.find(caller.tenantId, modelId);
        if (!(await freezeModel(pool, caller.tenantId, row.id)))
          throw new Problem('not-found', 'no such model of yours');
        models.forget();
        return { status: 200, body: summary(await models.find(caller.tenantId, row.id), caller) };
      },
    }),
  ];
}

function summary(row: ModelRow, caller: Caller): object {
  const d = row.description;
  return {
    id: row.id,
    name: row.name,
    owned: row.tenantId === caller.tenantId,
    frozen: row.frozenAt !== null,
    createdAt: row.createdAt.toISOString(),
    setup: {
      class: d.identity.setupClass,
      contributorCount: d.identity.contributorCount,
      warning: trustStatements(d.identity).find(({ applies }) => applies)!.sentence,
    },
    inputs: d.inputs,
    outputs: d.outputs,
    inputMode: d.inputMode,
    outputMode: d.outputMode,
    rowCount: d.rowCount,
    units: unitsOf(d),
  };
}
