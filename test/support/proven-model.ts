import { Wallet } from 'ethers';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { compile, type CompiledModel, type IntegerTensors, type Manifest } from '../../circuits/index.js';
import { type ImportedModel, importModel } from '../../circuits/import/import.js';
import { compilerVersionHash, modelId as hashIdentity } from '../../circuits/model-id.js';
import { contextSignal } from '../../circuits/public-signals.js';
import { r1csDigest } from '../../circuits/r1cs/file.js';
import { verifyingKeyFromJson, verifyingKeyToJson, vkHash } from '../../prover/codec.js';
import { selectEngine, setupDevelopment } from '../../prover/index.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { executedModelOf } from '../../service/executed-model.js';
import { buildReceipt, type ReceiptContent, signReceipt } from '../../service/receipt.js';
import { manifestDigest } from '../../service/verifier/receipt.js';
import type { Opening, Receipt } from '../../service/verifier/schema.js';
import type { Random } from './random.js';

/** A real model with a development key, in a folder named by its id as the service keeps it. */
export interface ProvenModel {
  readonly onnx: Uint8Array;
  readonly imported: ImportedModel;
  readonly compiled: CompiledModel;
  readonly key: VerifyingKey;
  readonly identity: ReceiptContent['model'];
  readonly modelId: string;
  readonly modelsFolder: string;
  readonly folder: string;
}

export async function proveModel(onnxPath: string, modelsFolder: string): Promise<ProvenModel> {
  const onnx = await readFile(onnxPath);
  const imported = importModel(onnx);
  const compiled = compile(imported.graph);
  const zkeyPath = path.join(modelsFolder, 'partial.zkey');
  await mkdir(modelsFolder, { recursive: true });
  const key = await setupDevelopment(compiled.r1cs, zkeyPath);
  const identity = {
    modelHash: `0x${createHash('sha256').update(onnx).digest('hex')}`,
    circuitHash: r1csDigest(compiled.r1cs),
    vkHash: vkHash(key),
    setupClass: 'dev-single-party' as const,
    contributorCount: 1,
    transcriptDigest: `0x${'0'.repeat(64)}`,
    compilerVersion: compilerVersionHash(),
    manifestDigest: manifestDigest(plain(compiled.manifest)),
  };
  const modelId = hashIdentity({ ...identity, setupClass: 1 });
  const folder = path.join(modelsFolder, modelId);
  await mkdir(folder, { recursive: true });
  const files = {
    'model.onnx': onnx,
    'key.zkey': await readFile(zkeyPath),
    'vk.json': JSON.stringify(verifyingKeyToJson(key)),
    'manifest.json': JSON.stringify(compiled.manifest),
    'identity.json': JSON.stringify({ ...identity, setupClass: 1 }),
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(path.join(folder, name), bytes);
  return { onnx, imported, compiled, key, identity, modelId, modelsFolder, folder };
}

export interface ProvenReceipt {
  readonly receipt: Receipt;
  readonly opening: Opening;
  readonly content: ReceiptContent;
  readonly operator: Wallet;
}

/** A model that is installed already, whatever its setup. */
export async function openProvenModel(folder: string): Promise<ProvenModel> {
  const read = (name: string) => readFile(path.join(folder, name), 'utf8');
  const onnx = await readFile(path.join(folder, 'model.onnx'));
  const imported = importModel(onnx);
  const { setupClass, ...identity } = JSON.parse(await read('identity.json'));
  return {
    ...{ onnx, imported, folder, compiled: compile(imported.graph) },
    key: verifyingKeyFromJson(JSON.parse(await read('vk.json'))),
    identity: { ...identity, setupClass: setupClass === 2 ? 'ceremony' : 'dev-single-party' },
    modelId: path.basename(folder),
    modelsFolder: path.dirname(folder),
  };
}

export interface Wish {
  readonly inputs?: IntegerTensors;
  readonly salt?: string;
  readonly requestId?: string;
}

/** A real proof of a random input, or of the one wished for, in a signed receipt for no chain. */
export async function proveReceipt(
  model: ProvenModel,
  draw: Random,
  wish: Wish = {},
): Promise<ProvenReceipt> {
  const { compiled, identity, modelId, folder, key } = model;
  const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString('hex')}`;
  const operator = new Wallet(hex(draw.bytes(32)));
  const statement = {
    domainTag: 'verinfer/offline/v1' as const,
    chainId: '0',
    contract: `0x${'0'.repeat(40)}`,
    requestId: wish.requestId ?? hex(draw.bytes(32)),
    modelId,
    operator: operator.address,
    payee: operator.address,
    deadline: '0',
  };
  const ctx = contextSignal({
    ...statement,
    domain: statement.domainTag,
    vkHash: identity.vkHash,
    chainId: 0n,
    deadline: 0n,
  });
  const inputs = compiled.manifest.inputs.map(({ name, dtype, shape }) => ({
    ...{ name, dtype, shape },
    values: Array.from(
      wish.inputs?.get(name) ??
        Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw.below(256) - 128),
    ),
  }));
  const salt = wish.salt ?? hex(draw.bytes(31));
  const tensors = new Map(inputs.map(({ name, values }) => [name, Int32Array.from(values)]));
  const { witness, publicSignals, outputs } = compiled.computeWitness({
    inputs: tensors,
    ctx,
    salt: BigInt(salt),
  });
  const loaded = await (await selectEngine()).engine.loadKey(path.join(folder, 'key.zkey'));
  const proof = await loaded.prove(witness);
  await loaded.close();
  const content: ReceiptContent = {
    statement,
    model: identity,
    manifest: compiled.manifest,
    verifyingKey: key,
    proof,
    publicSignals,
    outputs: compiled.manifest.outputs.map(({ name, dtype, shape }) => ({
      ...{ name, dtype, shape },
      values: Array.from(outputs.get(name) ?? []),
    })),
    opening: { inputs, salt },
    agreement: null,
    executed: { graphHash: executedHash(model), onnxruntime: '1.30.0', selfTest: 'pass' },
    runtime: { verinfer: '0.1.0', engine: 'native', node: 'v20', platform: 'linux-x64', cpu: 'x86-64 avx2' },
    settlement: { state: 'none' },
  };
  const receipt = await signReceipt(await buildReceipt(content), operator);
  return { receipt, opening: receipt.opening as Opening, content, operator };
}

/** SHA-256 of the graph that ONNX Runtime runs for the model. */
export function executedHash({ onnx, compiled }: ProvenModel): string {
  const { executed } = executedModelOf(onnx, () => compiled.manifest.outputs.map(({ name }) => name));
  return `0x${createHash('sha256').update(executed).digest('hex')}`;
}

const plain = (manifest: Manifest): Receipt['manifest'] => JSON.parse(JSON.stringify(manifest));
