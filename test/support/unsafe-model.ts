/** Installed models with keys that anyone can forge for: all files agree, only the key is what it must not be. */
import { bn254 } from '@noble/curves/bn254.js';
import { cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { modelId as hashIdentity, type ModelIdentity } from '../../circuits/model-id.js';
import { verifyingKeyToJson, vkHash } from '../../prover/codec.js';
import { g1Generator } from '../../prover/curve.js';
import { memorySource } from '../../prover/files/container.js';
import { encodeG1 } from '../../prover/files/points.js';
import { readZkey } from '../../prover/files/zkey.js';
import type { Proof, VerifyingKey } from '../../prover/keys.js';
import type { InstalledModel } from '../../service/install.js';
import type { FileTable, ModelDescription } from '../../service/model-description.js';
import { tableOf } from '../../service/model-folder.js';

export interface UnsafeModel {
  readonly folder: string;
  readonly modelId: string;
  readonly identity: ModelIdentity;
  readonly description: ModelDescription;
  readonly key: VerifyingKey;
  readonly files: FileTable;
}

/** Offsets in a `.zkey`'s header section: two moduli and three counts, then α₁ β₁ β₂ γ₂ δ₁ δ₂. */
const gamma2At = 4 + 32 + 4 + 32 + 12 + 64 + 64 + 128;
const delta1At = gamma2At + 128;
const delta2At = delta1At + 64;

/** T01: the model with δ = γ = 1, the state of every phase-2 key before its first contribution. */
export async function withoutContribution(
  { folder, description }: InstalledModel,
  modelsFolder: string,
): Promise<UnsafeModel> {
  const partial = join(modelsFolder, 'unsafe');
  await mkdir(modelsFolder, { recursive: true });
  await cp(folder, partial, { recursive: true });
  const zkey = new Uint8Array(await readFile(join(folder, 'key.zkey')));
  const header = headerStart(zkey);
  // Our development setup has γ = 1, as snarkjs's format has it.
  const gamma2 = zkey.slice(header + gamma2At, header + gamma2At + 128);
  zkey.set(encodeG1(g1Generator), header + delta1At);
  zkey.set(gamma2, header + delta2At);
  const { verifyingKey: key } = readZkey(memorySource(zkey));
  const stored = JSON.parse(await readFile(join(folder, 'identity.json'), 'utf8')) as ModelIdentity;
  const identity = { ...stored, vkHash: vkHash(key) as `0x${string}` };
  const modelId = hashIdentity(identity);
  const changed = {
    ...description,
    modelId,
    identity: { ...description.identity, vkHash: identity.vkHash },
  };
  await writeFile(join(partial, 'key.zkey'), zkey);
  for (const [name, value] of [
    ['vk.json', verifyingKeyToJson(key)],
    ['identity.json', identity],
    ['description.json', changed],
  ] as const)
    await writeFile(join(partial, name), JSON.stringify(value));
  const home = join(modelsFolder, modelId);
  await rename(partial, home);
  return { folder: home, modelId, identity, description: changed, key, files: await tableOf(home) };
}

function headerStart(zkey: Uint8Array): number {
  const words = new DataView(zkey.buffer, zkey.byteOffset, zkey.byteLength);
  for (let at = 12; at < zkey.length; at += 12 + Number(words.getBigUint64(at + 4, true)))
    if (words.getUint32(at, true) === 2) return at + 12;
  throw new RangeError('zkey: must have a header, got none');
}

/** With γ = δ the equation holds for any signals: A = α, B = β, C = −Σ xᵢ·ICᵢ. No witness, no secret. */
export function forgeFor({ alpha, beta, ic }: VerifyingKey, signals: readonly bigint[]): Proof {
  const sum = ic
    .map(([x, y], i) => bn254.G1.Point.fromAffine({ x, y }).multiply(i === 0 ? 1n : signals[i - 1]!))
    .reduce((a, b) => a.add(b));
  const { x, y } = sum.negate().toAffine();
  return { a: alpha, b: beta, c: [x, y] };
}
