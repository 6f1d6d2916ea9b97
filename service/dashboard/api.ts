import type { Manifest } from '../../circuits/manifest.js';

/** The public API, as the dashboard sees it: nothing private, nothing a curl user could not call. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface Setup {
  readonly class: 'dev-single-party' | 'ceremony';
  readonly contributorCount: number;
  /** The trust sentence that applies. */
  readonly warning: string;
}

export interface ModelSummary {
  readonly id: string;
  readonly name: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly setup: Setup;
  readonly rowCount: number;
  readonly frozen: boolean;
}

export interface LayerCost {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
  readonly wires: number;
}

export interface ModelDetail extends ModelSummary {
  readonly identity: Readonly<Record<string, string | number>>;
  readonly layers: readonly LayerCost[];
  readonly agreement: Readonly<Record<string, unknown>> | null;
  readonly manifest: Manifest;
  /** Real inputs to try, for the models of this repository. */
  readonly samples: readonly Sample[] | null;
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly sizeBytes: number }>>;
}

/** A real input to try, and what it is. */
export interface Sample {
  readonly label: number;
  readonly values: readonly number[];
}

export interface OutputTensor extends TensorInfo {
  readonly data: readonly number[];
  /** true: the integers the proof speaks about; false: computed from them outside the proof. */
  readonly proven: boolean;
}

export interface Inference {
  readonly id: string;
  readonly modelId: string;
  readonly state: string;
  readonly createdAt: string;
  readonly outputs: readonly OutputTensor[];
  /** The fields of ctx, as the operator promised to bind them when it accepted the request. */
  readonly statement: Readonly<Record<string, string>>;
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
  readonly settlement: 'none' | 'onchain' | 'batched';
  readonly settled: Readonly<Record<string, unknown>> | null;
  readonly error: { readonly code: string; readonly detail: string } | null;
  /** Blinds the input commitment; only in the reply that created the inference. */
  readonly salt?: string;
}

export interface Stats {
  readonly now: string;
  readonly queue: { readonly queued: number; readonly proving: number; readonly oldestMs: number };
  readonly hosts: readonly {
    readonly kind: string;
    readonly state: string;
    readonly engine: string | null;
  }[];
  readonly minutes: readonly {
    readonly t: string;
    readonly answered: number;
    readonly proven: number;
    readonly settled: number;
  }[];
  readonly engine: string | null;
  readonly chain: { readonly chainId: number; readonly settlement: string } | null;
  readonly rssBytes: number;
}

export interface TrustStatement {
  readonly id: string;
  readonly sentence: string;
  readonly applies?: boolean;
}

export interface Ceremony {
  readonly id: string;
  readonly state: string;
  readonly circuitHash: string;
  readonly transcriptDigest: string;
  readonly contributions: readonly {
    readonly name: string;
    readonly hash: string;
    readonly at: string;
    readonly attested: boolean;
  }[];
  readonly beacon: string | null;
  readonly vkHash: string | null;
}

/** A problem document (RFC 9457), thrown. */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail === '' ? title : `${title}: ${detail}`);
    this.name = 'ApiProblem';
  }
}

/** The key lives as long as this tab; a service in development mode asks for none. */
export const storedKey = (): string => sessionStorage.getItem('apiKey') ?? '';
export function storeKey(key: string): void {
  if (key === '') sessionStorage.removeItem('apiKey');
  else sessionStorage.setItem('apiKey', key);
}

async function send(path: string, init: RequestInit = {}): Promise<string> {
  const headers = new Headers(init.headers);
  headers.set('accept', 'application/json');
  if (storedKey() !== '') headers.set('authorization', `Bearer ${storedKey()}`);
  const response = await fetch(path, { ...init, headers });
  const text = await response.text();
  if (response.ok) return text;
  let title = `${response.status} ${response.statusText}`;
  let detail = '';
  try {
    const problem = JSON.parse(text) as { title?: string; detail?: string };
    title = problem.title ?? title;
    detail = problem.detail ?? '';
  } catch {
    // Not a problem document: the status line says what there is to say.
  }
  throw new ApiProblem(response.status, title, detail);
}

const call = async <T>(path: string, init?: RequestInit): Promise<T> =>
  JSON.parse(await send(path, init)) as T;

export const listModels = async (): Promise<readonly ModelSummary[]> =>
  (await call<{ data: readonly ModelSummary[] }>('/v1/models')).data;

export const getModel = (modelId: string): Promise<ModelDetail> =>
  call(`/v1/models/${encodeURIComponent(modelId)}`);

/** One call to infer; the idempotency key makes a retried click the same inference. */
export const infer = (modelId: string, input: readonly number[], settlement: string): Promise<Inference> =>
  call(`/v1/models/${encodeURIComponent(modelId)}/inferences`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify({ input: { data: input }, settlement }),
  });

export const listInferences = (
  cursor?: string,
): Promise<{ data: readonly Inference[]; nextCursor: string | null }> =>
  call(`/v1/inferences?limit=25${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);

export const getInference = (id: string): Promise<Inference> =>
  call(`/v1/inferences/${encodeURIComponent(id)}`);

export const getStats = (): Promise<Stats> => call('/v1/stats');

export const getTrust = async (modelId?: string): Promise<readonly TrustStatement[]> =>
  (
    await call<{ statements: readonly TrustStatement[] }>(
      modelId === undefined ? '/v1/trust' : `/v1/trust?model=${encodeURIComponent(modelId)}`,
    )
  ).statements;

export const listCeremonies = async (): Promise<readonly Ceremony[]> =>
  (await call<{ data: readonly Ceremony[] }>('/v1/ceremonies')).data;

/** The receipt's canonical bytes, as text: what is verified and what is saved are the same bytes. */
export const getReceipt = (id: string): Promise<string> => send(`/v1/receipts/${encodeURIComponent(id)}`);

/** Nothing more will come. */
export const isOver = ({ state, settlement }: Inference): boolean =>
  state === 'settled' || state === 'failed' || (state === 'proven' && settlement === 'none');

/** Follows an inference until its last state; falls back to polling where the stream breaks. */
export function follow(id: string, onUpdate: (inference: Inference) => void): () => void {
  let stopped = false;
  const refresh = async (): Promise<void> => {
    if (stopped) return;
    try {
      const inference = await getInference(id);
      onUpdate(inference);
      if (isOver(inference)) stop();
    } catch {
      // The next event or poll tries again.
    }
  };
  // An EventSource cannot send a key: with one, polling has to do.
  const source =
    storedKey() === '' ? new EventSource(`/v1/inferences/${encodeURIComponent(id)}/events`) : null;
  source?.addEventListener('state', () => void refresh());
  source?.addEventListener('stage', () => void refresh());
  const timer = setInterval(() => void refresh(), source ? 2000 : 400);
  function stop(): void {
    stopped = true;
    source?.close();
    clearInterval(timer);
  }
  void refresh();
  return stop;
}
