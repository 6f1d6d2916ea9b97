/**
 * `verinfer/client`: ask a service and believe only what is proven. `infer` gives the answer at once and the proof as a
 * promise; the receipt behind it is verified here, against the model you pinned and the input you sent.
 */
import type { Manifest } from '../../circuits/manifest.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ChainReader } from '../verifier/chain.js';
import { encodeReceipt } from '../verifier/receipt.js';
import type { Opening, Receipt, Tensor } from '../verifier/schema.js';
import type { Expectations } from '../verifier/expectations.js';
import { type Verdict, verifyReceipt } from '../verifier/verify-receipt.js';
import { MissingChain, MissingPin, UnprovenAnswer } from './errors.js';
import { Http, type HttpOptions, pause } from './http.js';
import type { Quote, QuoteOptions } from './quote.js';
import { type Input, isSingle, openingOf } from './opening.js';
import { upload, type UploadedModel, type UploadOptions } from './upload.js';

export { MissingChain, MissingPin, UnprovenAnswer } from './errors.js';
export { ApiProblem, type FieldIssue } from './http.js';
export type { Quote, QuoteOptions } from './quote.js';
export { type Input, openingOf } from './opening.js';
export { type InstallState, type UploadedModel, type UploadOptions, UploadRefused } from './upload.js';
export type { Verdict } from '../verifier/verify-receipt.js';

export interface ClientOptions extends HttpOptions {
  /** Model ids by the names you use: learned elsewhere, not from the service. */
  readonly pins?: Readonly<Record<string, string>>;
  /** For settlements: your own node and the contracts you trust. */
  readonly chain?: ChainPins;
}

export interface ChainPins {
  readonly chainId: number;
  readonly settlement: string;
  readonly registry?: string;
  readonly reader?: ChainReader;
}

export interface InferOptions {
  readonly settlement?: 'none' | 'onchain' | 'batched';
  readonly minimumSetupClass?: 'dev-single-party' | 'ceremony';
  /** Instead of the client's. */
  readonly chain?: ChainPins;
  /** 31 bytes of hex; drawn here when left out, so that the service cannot know it beforehand. */
  readonly salt?: string;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  readonly onState?: (state: InferenceState) => void;
  /** Default true. Off, `proof` is the service's word. */
  readonly verify?: boolean;
}

export type InferenceState = 'answered' | 'proving' | 'proven' | 'submitted' | 'settled' | 'failed';

export interface OutputTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
  /** The integers that the proof speaks about; false for what was computed from them outside it. */
  readonly proven: boolean;
}

export interface Inference {
  readonly id: string;
  readonly modelId: string;
  readonly outputs: readonly OutputTensor[];
  /** Resolves when the proof is made and verified here; rejects with UnprovenAnswer otherwise. */
  readonly proof: Promise<ProvenAnswer>;
  cancel(): Promise<void>;
}

export interface ProvenAnswer {
  /** The canonical text, for anyone. */
  readonly receipt: string;
  /** The same with the opening in it: your own copy, for your records and for audits. */
  readonly ownReceipt: string;
  /** What opens the input commitment: yours alone. */
  readonly opening: Opening;
  /** undefined with `verify: false`. */
  readonly verdict: Verdict | undefined;
}

interface InferenceReply {
  readonly id: string;
  readonly modelId: string;
  readonly state: InferenceState;
  readonly outputs: readonly OutputTensor[];
  readonly statement: { readonly requestId: string };
  readonly error: { readonly code: string; readonly detail: string } | null;
}

interface ModelReply {
  readonly id: string;
  readonly manifest: Manifest;
}

export class Client {
  private readonly http: Http;
  constructor(private readonly options: ClientOptions) {
    this.http = new Http(options);
  }

  /** Models this key may use, as the service describes them. */
  async models(): Promise<readonly { readonly id: string; readonly name: string }[]> {
    const { data } = (await this.http.json({ method: 'GET', path: '/v1/models' })) as {
      data: { id: string; name: string }[];
    };
    return data;
  }

  async model(name: string): Promise<ModelReply> {
    return (await this.http.json({
      method: 'GET',
      path: `/v1/models/${encodeURIComponent(name)}`,
    })) as ModelReply;
  }

  /** Installs a model with a development key, and waits until it is served. */
  async upload(onnx: Uint8Array, options: UploadOptions): Promise<UploadedModel> {
    return upload(this.http, onnx, options);
  }

  /** What it will cost, before any work. */
  async quote(model: string, { count = 1, settlement = 'none' }: QuoteOptions = {}): Promise<Quote> {
    const body = { model, count, settlement };
    // Asking twice costs nothing, so this POST may be repeated without a key.
    return (await this.http.json({ method: 'POST', path: '/v1/quotes', body, isRepeatable: true })) as Quote;
  }

  async trust(): Promise<unknown> {
    return this.http.json({ method: 'GET', path: '/v1/trust' });
  }

  /**
   * The answer now, its proof behind it.
   * @param model a model id, or a name that `pins` turns into one
   * @throws MissingPin, MissingChain, ApiProblem
   */
  async infer(model: string, input: Input, options: InferOptions = {}): Promise<Inference> {
    const modelId = this.pinned(model, options);
    if ((options.settlement ?? 'none') !== 'none' && options.verify !== false && !this.chainOf(options))
      throw new MissingChain();
    const nonce = randomHex(32);
    const salt = options.salt ?? randomHex(31);
    const { settlement = 'none', minimumSetupClass, signal } = options;
    const reply = (await this.http.json({
      method: 'POST',
      path: `/v1/models/${encodeURIComponent(modelId ?? model)}/inferences`,
      body: {
        ...bodyOf(input),
        ...(settlement === 'none' ? { nonce } : { settlement }),
        ...{ salt, minimumSetupClass },
      },
      idempotencyKey: options.idempotencyKey ?? crypto.randomUUID(),
      signal,
    })) as InferenceReply;
    const proof = this.proven(
      reply,
      { modelId, nonce: settlement === 'none' ? nonce : undefined, salt, input },
      options,
    );
    // Whoever only wants the answer need not handle the proof's failure.
    proof.catch(() => undefined);
    return {
      id: reply.id,
      modelId: reply.modelId,
      outputs: reply.outputs,
      proof,
      cancel: async () => {
        await this.http.send({ method: 'POST', path: `/v1/inferences/${reply.id}/cancel`, signal });
      },
    };
  }

  private chainOf(options: InferOptions): ChainPins | undefined {
    return options.chain ?? this.options.chain;
  }

  private pinned(model: string, options: InferOptions): string | undefined {
    if (/^0x[0-9a-f]{64}$/.test(model)) return model;
    const pin = this.options.pins?.[model];
    if (pin === undefined && options.verify !== false) throw new MissingPin(model);
    return pin;
  }

  private async proven(reply: InferenceReply, asked: Asked, options: InferOptions): Promise<ProvenAnswer> {
    await this.untilProven(reply, options);
    const path = `/v1/receipts/${reply.id}`;
    const text = await this.http.text({ method: 'GET', path, signal: options.signal });
    const receipt = JSON.parse(text) as Receipt;
    const opening = openingOf(receipt.manifest as unknown as Manifest, asked.input, asked.salt);
    const own = { receipt: text, ownReceipt: encodeReceipt({ ...receipt, opening }), opening };
    if (options.verify === false) return { ...own, verdict: undefined };
    const chain = this.chainOf(options);
    const verdict = await verifyReceipt(text, this.expectations(reply, asked, opening, options), {
      ...(chain?.reader && { chain: chain.reader }),
      ...(chain?.registry && { registry: chain.registry }),
    });
    if (!verdict.valid) throw new UnprovenAnswer(reply.id, failureOf(verdict), verdict);
    return { ...own, verdict };
  }

  private expectations(
    reply: InferenceReply,
    asked: Asked,
    input: Opening,
    options: InferOptions,
  ): Expectations {
    const chain = this.chainOf(options);
    return {
      modelId: asked.modelId,
      requestId: asked.nonce ?? reply.statement.requestId,
      input,
      outputs: reply.outputs.filter(({ proven }) => proven).map(tensorOf),
      ...(asked.nonce === undefined && { chainId: chain?.chainId, contract: chain?.settlement }),
      ...(options.minimumSetupClass === 'ceremony' && { minimumSetupClass: 'ceremony' }),
    };
  }

  private async untilProven(
    { id, state: first }: InferenceReply,
    { signal, onState }: InferOptions,
  ): Promise<void> {
    let state: InferenceState = first;
    onState?.(state);
    for (let waitMs = 50; ; waitMs = Math.min(1000, waitMs * 1.5)) {
      if (state === 'proven' || state === 'submitted' || state === 'settled') return;
      await pause(waitMs, signal);
      const now = (await this.http.json({
        method: 'GET',
        path: `/v1/inferences/${id}`,
        signal,
      })) as InferenceReply;
      if (now.state !== state) onState?.(now.state);
      state = now.state;
      if (state === 'failed') throw new UnprovenAnswer(id, `${now.error?.code}: ${now.error?.detail}`);
    }
  }
}

interface Asked {
  readonly modelId: string | undefined;
  readonly nonce: string | undefined;
  readonly salt: string;
  readonly input: Input;
}

function bodyOf(input: Input): object {
  if (isSingle(input)) return { input: { data: Array.from(input) } };
  return {
    inputs: Object.fromEntries(
      Object.entries(input).map(([name, values]) => [name, { data: Array.from(values) }]),
    ),
  };
}

function tensorOf({ name, dtype, shape, data }: OutputTensor): Tensor {
  return { name, dtype: dtype as Tensor['dtype'], shape: [...shape], values: [...data] };
}

function failureOf({ checks }: Verdict): string {
  return checks
    .filter(({ status }) => status === 'fail')
    .map(({ claim, detail }) => `not so that it ${claim}${detail && ` (${detail})`}`)
    .join('; ');
}

function randomHex(byteCount: number): string {
  return `0x${bytesToHex(crypto.getRandomValues(new Uint8Array(byteCount)))}`;
}
