/** A model of your own, installed by a service: what comes back is checked against the bytes that went out. */
import { modelId as hashIdentity, type ModelIdentity, SETUP_CLASS } from '../../circuits/model-id.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { type Http, pause } from './http.js';

export interface UploadOptions {
  /** Lower-case letters, digits, dots and dashes. */
  readonly name: string;
  readonly inputMode?: 'committed' | 'public';
  readonly outputMode?: 'packed' | 'commitment';
  readonly signal?: AbortSignal;
  readonly onState?: (state: InstallState) => void;
}

export type InstallState = 'queued' | 'compiling' | 'setting-up' | 'registering' | 'ready' | 'failed';

export interface UploadedModel {
  /** Pin this: it is the hash of the identity, and the identity names the bytes that you sent. */
  readonly modelId: string;
  readonly identity: Readonly<Record<string, unknown>>;
  readonly rowCount: number;
  readonly setup: { readonly class: string; readonly warning: string };
}

interface InstallReply {
  readonly id: string;
  readonly state: InstallState;
  readonly modelId: string | null;
  readonly error: { readonly detail: string } | null;
}

/** @throws UploadRefused, ApiProblem */
export async function upload(http: Http, onnx: Uint8Array, options: UploadOptions): Promise<UploadedModel> {
  const { name, inputMode, outputMode, signal, onState } = options;
  const query = new URLSearchParams({
    name,
    ...(inputMode && { inputMode }),
    ...(outputMode && { outputMode }),
  });
  let install = (await http.json({
    method: 'POST',
    path: `/v1/models?${query}`,
    bytes: onnx,
    signal,
  })) as InstallReply;
  let state: InstallState | undefined;
  for (;;) {
    if (install.state !== state) {
      ({ state } = install);
      onState?.(state);
    }
    if (state === 'failed') throw new UploadRefused(name, install.error?.detail ?? 'no reason was given');
    if (state === 'ready') break;
    await pause(200, signal);
    install = (await http.json({
      method: 'GET',
      path: `/v1/installs/${install.id}`,
      signal,
    })) as InstallReply;
  }
  const model = (await http.json({
    method: 'GET',
    path: `/v1/models/${install.modelId}`,
    signal,
  })) as UploadedModel;
  requireOwnBytes(name, install.modelId, model.identity, onnx);
  return { ...model, modelId: install.modelId! };
}

/** The circuit and key behind the id are still the service's word: `verinfer audit` compiles the model again. */
function requireOwnBytes(
  name: string,
  modelId: string | null,
  identity: UploadedModel['identity'],
  onnx: Uint8Array,
): void {
  const sent = `0x${bytesToHex(sha256(onnx))}`;
  if (identity['modelHash'] !== sent)
    throw new UploadRefused(name, `modelHash must be ${sent}, the file's, got ${identity['modelHash']}`);
  const setupClass = SETUP_CLASS[identity['setupClass'] as keyof typeof SETUP_CLASS];
  const recomputed = hashIdentity({ ...identity, setupClass } as unknown as ModelIdentity);
  if (recomputed !== modelId)
    throw new UploadRefused(name, `the id must be ${recomputed}, the hash of the identity, got ${modelId}`);
}

/** The service could not make this file a model, or made another file one. */
export class UploadRefused extends Error {
  constructor(
    readonly model: string,
    readonly reason: string,
  ) {
    super(`model "${model}": ${reason}`);
    this.name = 'UploadRefused';
  }
}
