/** Puts the committed example models, or any list of ONNX files, at the service's disposal: installed, known to PostgreSQL, registered on chain. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import { SETUP_CLASS } from '../circuits/model-id.js';
import { verifyingKeyBytes, verifyingKeyFromJson } from '../prover/codec.js';
import { registerModel } from './chain/registry.js';
import type { DevelopmentChain } from './development-chain.js';
import { installModel, type InstalledModel } from './install.js';
import type { Logger } from './log.js';
import { addModel, retireNamesakes } from './store/models.js';

export interface ModelSource {
  readonly name: string;
  readonly path: string;
}

const here = (path: string): string => fileURLToPath(new URL(`../../models/${path}`, import.meta.url));

/** The models of this repository. */
export const bundledModels: readonly ModelSource[] = [
  { name: 'digits8x8', path: here('digits8x8/model.onnx') },
  { name: 'lenet5', path: here('lenet5/model.onnx') },
];

export interface ProvideOptions {
  readonly pool: Pool;
  readonly chain: DevelopmentChain | null;
  readonly modelsFolder: string;
  readonly log: Logger;
  readonly onProgress?: (model: string, stage: string, share: number) => void;
}

export async function provideModels(
  sources: readonly ModelSource[],
  options: ProvideOptions,
): Promise<InstalledModel[]> {
  const installed: InstalledModel[] = [];
  for (const { name, path } of sources) {
    const model = await installModel(await readFile(path), {
      name,
      modelsFolder: options.modelsFolder,
      onProgress: (stage, share) => options.onProgress?.(name, stage, share),
    });
    await addModel(options.pool, null, model.description, model.files);
    await retireNamesakes(options.pool, name, model.description.modelId);
    if (options.chain) await register(options.chain, model, options.log);
    options.log.info(
      {
        name,
        modelId: model.description.modelId,
        rows: model.description.rowCount,
        reused: model.reused,
        setup: model.description.identity.setupClass,
      },
      'model installed',
    );
    installed.push(model);
  }
  return installed;
}

async function register(
  chain: DevelopmentChain,
  { folder, description }: InstalledModel,
  log: Logger,
): Promise<void> {
  const key = verifyingKeyFromJson(JSON.parse(await readFile(`${folder}/vk.json`, 'utf8')));
  const { identity } = description;
  const done = await registerModel(
    chain.wallet,
    chain.deployment,
    { ...identity, setupClass: SETUP_CLASS[identity.setupClass] },
    verifyingKeyBytes(key),
  );
  if (!done.already)
    log.info({ modelId: done.modelId, gasUsed: Number(done.gasUsed) }, 'model registered on chain');
}

/** Inputs to try a bundled model with; null for any other model, whatever its name. */
export async function samplesOf(modelHash: string): Promise<{ label: number; values: number[] }[] | null> {
  for (const { path } of bundledModels) {
    const hash = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    if (`0x${hash}` !== modelHash) continue;
    const text = await readFile(path.replace('model.onnx', 'samples.json'), 'utf8');
    const { samples } = JSON.parse(text) as { samples: { label: number; x: number[] }[] };
    return samples.slice(0, 30).map(({ label, x }) => ({ label, values: x }));
  }
  return null;
}
