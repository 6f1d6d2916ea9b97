/** What is audited, and the evidence at hand: a receipt, a bundle or a model, read from files and, if asked, a server. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { verifyingKeyFromJson } from '../../prover/codec.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { ceremonyPaths } from '../ceremony/folder.js';
import { readTranscript } from '../ceremony/transcript.js';
import { maxReceiptBytes, parseReceipt } from '../verifier/receipt.js';
import type { Receipt } from '../verifier/schema.js';
import { parseBundle, UnreadableSubject } from './bundle.js';
import { fetchModel, fetchOnnx } from './download.js';

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
  /** An API host that serves artifacts by SHA-256, and what a model id stands for. */
  readonly serverUrl?: string;
  /** The public folder of the model's ceremony; the key it ended in is there. */
  readonly ceremonyFolder?: string;
}

const maxBundleBytes = 256 * 2 ** 20;

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
  const { modelsFolder, serverUrl } = places;
  const folder = modelsFolder && path.join(modelsFolder, modelId);
  const isHere = folder && (await stat(path.join(folder, 'identity.json')).catch(() => null));
  if (!isHere && serverUrl !== undefined) {
    const fetched = await fetchModel(serverUrl, modelId);
    if (fetched === undefined)
      throw new UnreadableSubject(modelId, 'a model of the server', 'another answer');
    const { identity, manifest, verifyingKeyJson } = fetched;
    const verifyingKey = quietly(() => verifyingKeyFromJson(verifyingKeyJson));
    const setup = {
      class: identity['setupClass'],
      contributorCount: identity['contributorCount'],
      transcriptDigest: identity['transcriptDigest'],
    };
    const model = { ...identity, setup } as unknown as Receipt['model'];
    const subject = { kind: 'model', model: { model, manifest, modelId }, sources: [serverUrl] } as const;
    return evidence({ ...subject, ...(verifyingKey && { verifyingKey }) }, places);
  }
  if (folder === undefined) throw new UnreadableSubject(modelId, 'in a models folder', 'no folder given');
  const json = async (name: string): Promise<Record<string, unknown>> => {
    const where = path.join(folder, name);
    const text = await readFile(where, 'utf8').catch(() => undefined);
    if (text === undefined) throw new UnreadableSubject(where, 'a file (or give --server)', 'nothing');
    const value = quietly(() => JSON.parse(text) as unknown);
    if (typeof value !== 'object' || value === null)
      throw new UnreadableSubject(where, 'JSON', 'something else');
    return value as Record<string, unknown>;
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
    (await fetchOnnx(places.serverUrl, named?.model.modelHash, sources));
  const vkJson = await read(folder && path.join(folder, 'vk.json'), 'its vk.json');
  const verifyingKey =
    subject.verifyingKey ??
    (vkJson && quietly(() => verifyingKeyFromJson(JSON.parse(vkJson.toString('utf8')))));
  const zkeyPath = places.zkeyPath ?? (await provingKeyAt(folder, places.ceremonyFolder));
  return {
    ...subject,
    ...(onnx && { onnx }),
    ...(verifyingKey && { verifyingKey }),
    ...(zkeyPath && { zkeyPath }),
    sources,
  };
}

/** The key in the models folder, else the one the ceremony ended in. */
async function provingKeyAt(
  folder: string | undefined,
  ceremonyFolder: string | undefined,
): Promise<string | undefined> {
  const candidates = folder === undefined ? [] : [path.join(folder, 'key.zkey')];
  if (ceremonyFolder !== undefined) {
    const { transcript, key } = ceremonyPaths(ceremonyFolder);
    const head = await readTranscript(transcript).then(
      ({ final }) => final?.key,
      () => undefined,
    );
    if (head !== undefined) candidates.push(key(head));
  }
  for (const candidate of candidates) if (await stat(candidate).catch(() => null)) return candidate;
  return undefined;
}

const namedBy = ({ model, manifest, statement }: Receipt) => ({
  model,
  manifest,
  modelId: statement.modelId,
});

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // The check of the same bytes reports why; evidence is merely not looked for.
    return undefined;
  }
}
