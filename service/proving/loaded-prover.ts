/** One model ready to prove in this thread: recompiled from its bytes, its key loaded, both checked against modelId. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompiledModel, InputMode, OutputMode } from '../../circuits/index.js';
import { modelId as hashIdentity, type ModelIdentity } from '../../circuits/model-id.js';
import { r1csDigest } from '../../circuits/r1cs/file.js';
import { verifyingKeyBytes, vkHash } from '../../prover/codec.js';
import { checkVerifyingKey, selectEngine, type Engine, type LoadedKey } from '../../prover/index.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { compileUpload } from '../install.js';
import type { FileTable, ModelDescription } from '../model-description.js';
import { ArtifactDamaged, checkFile } from '../model-folder.js';
import { manifestDigest } from '../verifier/receipt.js';

/** A model's circuit as today's compiler makes it, checked against modelId. */
export interface RecompiledModel {
  readonly compiled: CompiledModel;
  readonly identity: ModelIdentity;
  readonly description: ModelDescription;
}

export interface LoadedProver extends RecompiledModel {
  readonly key: LoadedKey;
  readonly verifyingKey: Uint8Array;
  readonly engine: Engine;
  readonly reason: string;
}

export async function chooseEngine(
  choice: 'auto' | 'native' | 'snarkjs',
): Promise<{ engine: Engine; reason: string }> {
  if (choice === 'snarkjs') return { engine: snarkjsEngine, reason: 'snarkjs: asked for by VERINFER_ENGINE' };
  const selected = await selectEngine();
  if (choice === 'native' && selected.engine.name !== 'native')
    throw new Error(`engine: must be native, got ${selected.reason}`);
  return selected;
}

export async function recompile(folder: string, modelId: string, files: FileTable): Promise<RecompiledModel> {
  for (const name of ['model.onnx', 'identity.json', 'description.json'] as const)
    await checkFile(folder, name, files);
  const identity = JSON.parse(await readFile(join(folder, 'identity.json'), 'utf8')) as ModelIdentity;
  expect('modelId', modelId, hashIdentity(identity));
  const description = JSON.parse(
    await readFile(join(folder, 'description.json'), 'utf8'),
  ) as ModelDescription;
  const bytes = await readFile(join(folder, 'model.onnx'));
  const { compiled } = compileUpload(bytes, {
    inputMode: description.inputMode as InputMode,
    outputMode: description.outputMode as OutputMode,
  });
  expect('circuitHash', identity.circuitHash.slice(-64), r1csDigest(compiled.r1cs).slice(-64));
  expect(
    'manifestDigest',
    identity.manifestDigest,
    manifestDigest(JSON.parse(JSON.stringify(compiled.manifest)) as never),
  );
  return { compiled, identity, description };
}

export async function loadProver(
  folder: string,
  modelId: string,
  files: FileTable,
  choice: 'auto' | 'native' | 'snarkjs',
): Promise<LoadedProver> {
  await checkFile(folder, 'key.zkey', files);
  const { compiled, identity, description } = await recompile(folder, modelId, files);
  const { engine, reason } = await chooseEngine(choice);
  const key = await engine.loadKey(join(folder, 'key.zkey'));
  expect('vkHash', identity.vkHash, vkHash(key.verifyingKey));
  checkVerifyingKey(key.verifyingKey, compiled.r1cs.publicCount);
  const verifyingKey = verifyingKeyBytes(key.verifyingKey);
  return { compiled, key, verifyingKey, engine, reason, identity, description };
}

function expect(what: string, expected: string, got: string): void {
  if (expected.toLowerCase() !== got.toLowerCase())
    throw new ArtifactDamaged(`model artifacts: ${what} must be ${expected}, got ${got}`);
}
