/**
 * From an ONNX file to a model that can be served: compile, setup, identity, folder. Deterministic but for the setup,
 * whose result is kept: the same file with the same options is set up once a models folder.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import canonicalizeModule from 'canonicalize';
import { ModelRefused } from '../circuits/errors.js';
import type { Manifest } from '../circuits/manifest.js';
import { compile, type CompiledModel, type InputMode, type OutputMode } from '../circuits/index.js';
import {
  COMPILER_VERSION,
  compilerVersionHash,
  modelId as hashIdentity,
  type ModelIdentity,
  SETUP_CLASS,
} from '../circuits/model-id.js';
import { measureAgreement, uniformSamples, type Agreement } from '../circuits/import/agreement.js';
import { loadGraph } from '../circuits/onnx/load.js';
import { r1csDigest, writeR1cs } from '../circuits/r1cs/file.js';
import { requireUnique } from '../circuits/r1cs/uniqueness.js';
import { vkHash, verifyingKeyToJson } from '../prover/codec.js';
import { derivedPathOf, setupDevelopment } from '../prover/index.js';
import { executedModelOf } from './executed-model.js';
import { openSession } from './inference/session.js';
import type { TensorDtype } from './inference/tensors.js';
import type { FileTable, ModelDescription } from './model-description.js';
import { checkFile, folderOf, publishFolder, readDescription, tableOf, writeJson } from './model-folder.js';
import { manifestDigest } from './verifier/receipt.js';

export interface InstallOptions {
  readonly name: string;
  readonly modelsFolder: string;
  readonly inputMode?: InputMode;
  readonly outputMode?: OutputMode;
  /** Whose model it will be: two owners of the same bytes get a key, and a model id, each. */
  readonly owner?: string;
  /** Serve a model that agrees with its float original on fewer samples than LEAST_AGREEMENT. */
  readonly acceptsDrift?: boolean;
  readonly onProgress?: (stage: 'compile' | 'setup' | 'identity', share: number) => void;
}

export interface InstalledModel {
  readonly folder: string;
  readonly description: ModelDescription;
  readonly files: FileTable;
  /** It was there already; nothing was computed. */
  readonly reused: boolean;
}

// The package's types say default export where its CommonJS gives the function itself.
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string;

const zeroDigest = `0x${'00'.repeat(32)}`;

/** Throws ModelRefused for a file that cannot be served, UnsoundCircuit when no sound key exists. */
export async function installModel(bytes: Uint8Array, options: InstallOptions): Promise<InstalledModel> {
  const { modelsFolder, name, onProgress = () => undefined } = options;
  const modes = {
    inputMode: options.inputMode ?? 'committed',
    outputMode: options.outputMode ?? 'packed',
  } as const;
  const modelHash = createHash('sha256').update(bytes).digest('hex');
  onProgress('compile', 0);
  const { compiled, executed, notes: importNotes } = compileUpload(bytes, modes);
  requireAgreement(compiled.manifest, options.acceptsDrift ?? false);
  const manifest = manifestDigest(
    JSON.parse(JSON.stringify(compiled.manifest)) as Parameters<typeof manifestDigest>[0],
  );
  // Keys are reused only for the very circuit and manifest that today's compiler makes of the file.
  const recipe = createHash('sha256')
    .update(
      JSON.stringify([
        ...[modelHash, modes, name, r1csDigest(compiled.r1cs), manifest, COMPILER_VERSION],
        ...(options.owner === undefined ? [] : [options.owner]),
      ]),
    )
    .digest('hex');
  const pointer = join(modelsFolder, 'recipes', recipe);
  const known = await reuse(pointer, modelsFolder);
  if (known) return known;

  await requireRuntime(executed);
  const isChecked = requireUnique(compiled.r1cs, compiled.givenWires);
  const notes = isChecked
    ? importNotes
    : [...importNotes, 'too large for the uniqueness check at registration: run verinfer uniqueness'];
  const partial = join(modelsFolder, `partial-${randomBytes(8).toString('hex')}`);
  await mkdir(partial, { recursive: true });
  try {
    await writeFile(join(partial, 'model.onnx'), bytes);
    await writeFile(join(partial, 'executed.onnx'), executed);
    await writeFile(join(partial, 'manifest.json'), canonicalize(compiled.manifest));
    const circuitHash = withPrefix(await writeR1cs(join(partial, 'circuit.r1cs'), compiled.r1cs));
    onProgress('setup', 0);
    const zkeyPath = join(partial, 'key.zkey');
    const verifyingKey = await setupDevelopment(compiled.r1cs, zkeyPath, {
      derivedPath: derivedPathOf(zkeyPath),
      onProgress: (share) => onProgress('setup', share),
    });
    onProgress('identity', 0);
    await writeJson(join(partial, 'vk.json'), verifyingKeyToJson(verifyingKey));
    const identity: ModelIdentity = {
      modelHash: `0x${modelHash}`,
      circuitHash,
      vkHash: vkHash(verifyingKey),
      setupClass: SETUP_CLASS['dev-single-party'],
      contributorCount: 1,
      transcriptDigest: zeroDigest,
      compilerVersion: compilerVersionHash(),
      manifestDigest: manifest,
    };
    const modelId = hashIdentity(identity);
    await writeJson(join(partial, 'identity.json'), identity);
    const agreement = await agreementWithUpload(bytes, executed);
    const description = { ...describe(name, modelId, identity, compiled, executed, notes), agreement };
    await writeJson(join(partial, 'description.json'), description);
    const folder = await publishFolder(partial, modelsFolder, modelId);
    const files = await tableOf(folder);
    await mkdir(join(modelsFolder, 'recipes'), { recursive: true });
    await writeFile(`${pointer}.${process.pid}`, JSON.stringify({ modelId, files }));
    await rename(`${pointer}.${process.pid}`, pointer);
    return { folder, description, files, reused: false };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** A graph that ONNX Runtime does not take (types that its operators do not mix) would be set up and never answered. */
export async function requireRuntime(executed: Uint8Array): Promise<void> {
  const session = await openSession(executed, []).catch((error: unknown) => {
    throw new ModelRefused({
      where: 'executed graph',
      what: 'operators and types',
      expected: 'those of ONNX Runtime',
      got: (error as Error).message.replace(/\p{C}/gu, ' ').slice(0, 300),
    });
  });
  await session.close();
}

/** In millionths. Below it a quantization is worth a second look before anyone pays for its answers. */
export const LEAST_AGREEMENT = 950_000;

function requireAgreement({ quantizedFrom }: Manifest, acceptsDrift: boolean): void {
  if (!quantizedFrom || acceptsDrift || quantizedFrom.agreementPpm >= LEAST_AGREEMENT) return;
  const percent = (ppm: number): string => `${(ppm / 10_000).toFixed(2)} %`;
  throw new ModelRefused({
    where: 'model',
    what: `agreement with the float model it was quantized from (${quantizedFrom.samples} samples)`,
    expected: `at least ${percent(LEAST_AGREEMENT)}, or accepted explicitly (acceptsDrift, --accept-drift)`,
    got: percent(quantizedFrom.agreementPpm),
  });
}

/** Samples of the first measurement of drift; its cost is that of so many answers. */
const AGREEMENT_SAMPLES = 16;

/** Null where the upload cannot run beside the executed graph: no range to draw inputs from, or no kernel for its types. */
async function agreementWithUpload(uploaded: Uint8Array, executed: Uint8Array): Promise<Agreement | null> {
  const samples = uniformSamples(loadGraph(executed), AGREEMENT_SAMPLES);
  return samples ? await measureAgreement(uploaded, executed, samples).catch(() => null) : null;
}

/** What both the installer and every prover make of the same bytes. */
export function compileUpload(
  bytes: Uint8Array,
  modes: { inputMode: InputMode; outputMode: OutputMode },
): { compiled: CompiledModel; executed: Uint8Array; notes: readonly string[] } {
  let compiled: CompiledModel | undefined;
  const { executed, notes } = executedModelOf(bytes, (graph) => {
    compiled = compile(graph, modes);
    return compiled.manifest.outputs.map(({ name }) => name);
  });
  return { compiled: compiled!, executed, notes };
}

async function reuse(pointer: string, modelsFolder: string): Promise<InstalledModel | null> {
  const text = await readFile(pointer, 'utf8').catch(() => null);
  if (text === null) return null;
  const { modelId, files } = JSON.parse(text) as { modelId: string; files: FileTable };
  const folder = folderOf(modelsFolder, modelId);
  try {
    for (const name of Object.keys(files)) await checkFile(folder, name as never, files);
  } catch {
    return null;
  }
  return { folder, files, description: await readDescription(folder), reused: true };
}

export function describe(
  name: string,
  modelId: string,
  identity: ModelIdentity,
  compiled: CompiledModel,
  executed: Uint8Array,
  notes: readonly string[],
): ModelDescription {
  const { manifest, r1cs, layers } = compiled;
  return {
    modelId,
    name,
    identity: { ...identity, setupClass: identity.setupClass === 1 ? 'dev-single-party' : 'ceremony' },
    manifest: JSON.parse(JSON.stringify(manifest)) as Record<string, unknown>,
    inputs: manifest.inputs.map(({ name: input, given, shape }) => ({
      name: input,
      dtype: given as TensorDtype,
      shape,
    })),
    outputs: manifest.outputs.map(({ name: output, dtype, shape }) => ({
      name: output,
      dtype: dtype as TensorDtype,
      shape,
    })),
    inputMode: manifest.inputMode,
    outputMode: manifest.outputMode,
    rowCount: r1cs.constraintCount,
    wireCount: r1cs.wireCount,
    publicCount: r1cs.publicCount,
    layers: layers.map(({ name: layer, type, rows, wires }) => ({ name: layer, type, rows, wires })),
    executedHash: `0x${createHash('sha256').update(executed).digest('hex')}`,
    agreement: null,
    notes,
  };
}

const withPrefix = (hex: string): string => (hex.startsWith('0x') ? hex : `0x${hex}`);
