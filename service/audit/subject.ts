/** What is audited, and the evidence at hand: a receipt, a bundle or a model, read from files and, if asked, a server. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { verifyingKeyFromJson } from '../../prover/codec.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { maxReceiptBytes, parseReceipt } from '../verifier/receipt.js';
import type { Receipt } from '../verifier/schema.js';
import { parseBundle, UnreadableSubject } from './bundle.js';

export interface AuditSubject {
  readonly kind: 'receipt' | 'bundle' | 'model';
  /** The receipt's own bytes: their form is part of what is checked. */
  readonly receiptText?: string;
  /** The model's identity and manifest where there is no receipt. */
  readonly model?: Pick<Receipt, 'model' | 'manifest'> & { readonly modelId: string };
  readonly onnx?: Uint8Array;
  readonly verifyingKey?: VerifyingKey;
  readonly zkeyPath?: string;
  /** Where the evidence came from, for the report. */
  readonly sources: readonly string[];
}

export interface EvidencePlaces {
  /** Folder of model folders named by modelId. */
  readonly modelsFolder?: string;
  readonly onnxPath?: string;
  readonly zkeyPath?: string;
  /** An API host that serves artifacts by SHA-256. */
  readonly serverUrl?: string;
}

const maxBundleBytes = 256 * 2 ** 20;
const maxOnnxBytes = 512 * 2 ** 20;

/** @throws UnreadableSubject when there is nothing to audit */
export async function readSubject(source: string, places: EvidencePlaces): Promise<AuditSubject> {
  if (/^0x[0-9a-f]{64}$/i.test(source)) return modelSubject(source.toLowerCase(), places);
  const info = await stat(source).catch(() => null);
  if (info?.isDirectory()) {
    const folder = path.resolve(source);
    return modelSubject(path.basename(folder), { ...places, modelsFolder: path.dirname(folder) });
  }
  if (!info?.isFile()) throw new UnreadableSubject(source, 'a file, a model folder or a model id', 'nothing');
  if (info.size > maxBundleBytes)
    throw new UnreadableSubject(source, 'at most 256 MiB', `${info.size} bytes`);
  const text = await readFile(source, 'utf8');
  // Canonical order puts a bundle's version last.
  const isBundle = text.length > maxReceiptBytes || /"version":\s*"verinfer-bundle\//.test(text.slice(-200));
  if (isBundle) {
    const bundle = parseBundle(text);
    return evidence(
      { kind: 'bundle', receiptText: bundle.receiptText, onnx: bundle.onnx, sources: ['bundle'] },
      places,
    );
  }
  return evidence({ kind: 'receipt', receiptText: text, sources: [] }, places);
}

async function modelSubject(modelId: string, places: EvidencePlaces): Promise<AuditSubject> {
  if (places.modelsFolder === undefined)
    throw new UnreadableSubject(modelId, 'in a models folder', 'no folder given');
  const folder = path.join(places.modelsFolder, modelId);
  const json = async (name: string): Promise<Record<string, unknown>> => {
    const text = await readFile(path.join(folder, name), 'utf8').catch(() => undefined);
    if (text === undefined) throw new UnreadableSubject(path.join(folder, name), 'a file', 'nothing');
    return JSON.parse(text) as Record<string, unknown>;
  };
  const { setupClass, contributorCount, transcriptDigest, ...hashes } = await json('identity.json');
  const model = {
    ...hashes,
    proofSystem: 'groth16-bn254-v1',
    setup: { class: setupClass === 2 ? 'ceremony' : 'dev-single-party', contributorCount, transcriptDigest },
  } as unknown as Receipt['model'];
  const manifest = (await json('manifest.json')) as Receipt['manifest'];
  return evidence({ kind: 'model', model: { model, manifest, modelId }, sources: [] }, places);
}

/** Adds whatever evidence can be found. Nothing found is trusted: every piece is checked against its hash. */
async function evidence(subject: AuditSubject, places: EvidencePlaces): Promise<AuditSubject> {
  const named = subject.model ?? quietly(() => namedBy(parseReceipt(subject.receiptText ?? '')));
  const folder = places.modelsFolder && named && path.join(places.modelsFolder, named.modelId);
  const sources = [...subject.sources];
  const read = async (where: string | undefined, label: string) => {
    const bytes = where === undefined ? undefined : await readFile(where).catch(() => undefined);
    if (bytes) sources.push(label);
    return bytes;
  };
  const onnx =
    subject.onnx ??
    (await read(places.onnxPath, 'the given ONNX file')) ??
    (await read(folder && path.join(folder, 'model.onnx'), 'the models folder')) ??
    (await download(places.serverUrl, named?.model.modelHash, sources));
  const vkJson = await read(folder && path.join(folder, 'vk.json'), 'its vk.json');
  const verifyingKey = vkJson && quietly(() => verifyingKeyFromJson(JSON.parse(vkJson.toString('utf8'))));
  const stored = folder && path.join(folder, 'key.zkey');
  const zkeyPath = places.zkeyPath ?? (stored && (await stat(stored).catch(() => null)) ? stored : undefined);
  return {
    ...subject,
    ...(onnx && { onnx }),
    ...(verifyingKey && { verifyingKey }),
    ...(zkeyPath && { zkeyPath }),
    sources,
  };
}

const namedBy = ({ model, manifest, statement }: Receipt) => ({
  model,
  manifest,
  modelId: statement.modelId,
});

/** The ONNX file by its hash; other bytes than asked for are as good as none. */
async function download(
  serverUrl: string | undefined,
  modelHash: string | undefined,
  sources: string[],
): Promise<Uint8Array | undefined> {
  if (serverUrl === undefined || modelHash === undefined) return undefined;
  const url = new URL(`/v1/artifacts/${modelHash.slice(2)}`, serverUrl);
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(60_000) }).catch(
    () => null,
  );
  if (!response?.ok || Number(response.headers.get('content-length') ?? 0) > maxOnnxBytes) return undefined;
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (createHash('sha256').update(bytes).digest('hex') !== modelHash.slice(2)) return undefined;
  sources.push(serverUrl);
  return bytes;
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // The check of the same bytes reports why; evidence is merely not looked for.
    return undefined;
  }
}
