/** A finished ceremony becomes a model that can be served: class `ceremony`, its digest in the model id. */
import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InputMode, OutputMode } from '../../circuits/index.js';
import {
  compilerVersionHash,
  modelId as hashIdentity,
  type ModelIdentity,
  SETUP_CLASS,
} from '../../circuits/model-id.js';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { InvalidCeremony } from '../../prover/ceremony-error.js';
import { verifyingKeyFromJson, verifyingKeyToJson } from '../../prover/codec.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { compileUpload, describe, type InstalledModel, requireRuntime } from '../install.js';
import { publishFolder, tableOf, writeJson } from '../model-folder.js';
import { canonicalText, manifestDigest } from '../verifier/receipt.js';
import { ceremonyPaths } from './folder.js';
import { verifyCeremony, type VerifyCeremonyOptions } from './verify.js';

export interface CeremonyInstall extends VerifyCeremonyOptions {
  readonly name: string;
  readonly modelsFolder: string;
  readonly inputMode?: InputMode;
  readonly outputMode?: OutputMode;
}

/**
 * Verifies the whole ceremony and that `onnx` compiles to its circuit; then publishes the folder, the transcript in
 * it. Throws InvalidCeremony: one changed weight is another circuit (T11).
 */
export async function installCeremonyModel(
  onnx: Uint8Array,
  ceremonyFolder: string,
  options: CeremonyInstall,
): Promise<InstalledModel> {
  const { name, modelsFolder, inputMode = 'committed', outputMode = 'packed' } = options;
  const { compiled, executed, notes } = compileUpload(onnx, { inputMode, outputMode });
  await requireRuntime(executed);
  const partial = join(modelsFolder, `partial-${randomBytes(8).toString('hex')}`);
  await mkdir(partial, { recursive: true });
  try {
    const circuitHash = `0x${(await writeR1cs(join(partial, 'circuit.r1cs'), compiled.r1cs)).replace(/^0x/, '')}`;
    const report = await verifyCeremony(ceremonyFolder, options);
    if (report.circuitHash !== circuitHash) {
      throw new InvalidCeremony(
        ceremonyFolder,
        'circuit',
        `${circuitHash}, what this model compiles to`,
        report.circuitHash,
      );
    }
    await refuseSharedDelta(modelsFolder, report.verifyingKey, circuitHash);
    const manifest = JSON.parse(JSON.stringify(compiled.manifest)) as Parameters<typeof manifestDigest>[0];
    await writeFile(join(partial, 'model.onnx'), onnx);
    await writeFile(join(partial, 'executed.onnx'), executed);
    await writeFile(join(partial, 'manifest.json'), canonicalText(manifest));
    await copyFile(report.keyPath, join(partial, 'key.zkey'));
    await copyFile(ceremonyPaths(ceremonyFolder).transcript, join(partial, 'transcript.json'));
    await writeJson(join(partial, 'vk.json'), verifyingKeyToJson(report.verifyingKey));
    const identity: ModelIdentity = {
      modelHash: `0x${createHash('sha256').update(onnx).digest('hex')}`,
      ...{ circuitHash: circuitHash as `0x${string}`, vkHash: report.vkHash as `0x${string}` },
      setupClass: SETUP_CLASS.ceremony,
      contributorCount: report.contributorCount,
      transcriptDigest: report.transcriptDigest as `0x${string}`,
      compilerVersion: compilerVersionHash(),
      manifestDigest: manifestDigest(manifest) as `0x${string}`,
    };
    const modelId = hashIdentity(identity);
    await writeJson(join(partial, 'identity.json'), identity);
    const description = describe(name, modelId, identity, compiled, executed, notes);
    await writeJson(join(partial, 'description.json'), description);
    const folder = await publishFolder(partial, modelsFolder, modelId);
    return { folder, description, files: await tableOf(folder), reused: false };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/**
 * T12: a δ that another circuit's key has too. Whoever learned it for one could forge for both, so neither may count on
 * its own ceremony. Throws InvalidCeremony.
 */
export async function refuseSharedDelta(
  modelsFolder: string,
  key: VerifyingKey,
  circuitHash: string,
): Promise<void> {
  const delta = String(key.delta);
  for (const id of await readdir(modelsFolder).catch(() => [])) {
    if (!/^0x[0-9a-f]{64}$/.test(id)) continue;
    const read = async (name: string): Promise<unknown> =>
      JSON.parse(await readFile(join(modelsFolder, id, name), 'utf8')) as unknown;
    const other = verifyingKeyFromJson(await read('vk.json'));
    const identity = (await read('identity.json')) as { circuitHash: string };
    if (String(other.delta) === delta && identity.circuitHash !== circuitHash) {
      throw new InvalidCeremony('verifying key', 'delta', 'of this model alone', `that of model ${id}`);
    }
  }
}
