/** Evidence from an API host. It is trusted with nothing: what comes is compared with the hash it was asked for by. */
import { createHash } from 'node:crypto';
import { parseJson } from '../json.js';
import type { Receipt } from '../verifier/schema.js';

const maxOnnxBytes = 512 * 2 ** 20;
const maxModelBytes = 16 * 2 ** 20;

/** The ONNX file by its hash; other bytes than asked for are as good as none. */
export async function fetchOnnx(
  serverUrl: string | undefined,
  modelHash: string | undefined,
  sources: string[],
): Promise<Uint8Array | undefined> {
  if (serverUrl === undefined || modelHash === undefined) return undefined;
  const bytes = await get(new URL(`/v1/artifacts/${modelHash.slice(2)}`, serverUrl), maxOnnxBytes);
  if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== modelHash.slice(2))
    return undefined;
  if (!sources.includes(serverUrl)) sources.push(serverUrl);
  return bytes;
}

export interface FetchedModel {
  readonly identity: Record<string, unknown>;
  readonly manifest: Receipt['manifest'];
  readonly verifyingKeyJson: unknown;
}

/** What the server says a model id stands for; the audit recomputes the id from it. */
export async function fetchModel(serverUrl: string, modelId: string): Promise<FetchedModel | undefined> {
  const bytes = await get(new URL(`/v1/models/${modelId}`, serverUrl), maxModelBytes);
  if (bytes === undefined) return undefined;
  try {
    const { identity, manifest, verifyingKey } = parseJson(bytes) as Record<string, unknown>;
    if (typeof identity !== 'object' || identity === null || typeof manifest !== 'object') return undefined;
    return {
      identity: identity as Record<string, unknown>,
      manifest: manifest as Receipt['manifest'],
      verifyingKeyJson: verifyingKey,
    };
  } catch {
    return undefined;
  }
}

/** The body of a 200 answer of at most `limit` bytes, whatever length it claims. */
async function get(url: URL, limit: number): Promise<Uint8Array | undefined> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(60_000) }).catch(
    () => null,
  );
  if (!response?.ok || !response.body) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
