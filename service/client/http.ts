/** Requests with a deadline, retried where a retry cannot do a thing twice. */
export interface HttpOptions {
  readonly url: string;
  /** API key; development services need none. */
  readonly key?: string;
  readonly fetch?: typeof fetch;
  /** For one attempt. Default 30 s. */
  readonly timeoutMs?: number;
  /** Further attempts after a lost connection, 429, 502, 503 or 504. Default 4. */
  readonly retries?: number;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** A file, sent as it is. */
  readonly bytes?: Uint8Array;
  /** A POST is retried only with one: the service answers the second as it answered the first. */
  readonly idempotencyKey?: string;
  /** A POST that changes nothing. */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const retried = new Set([429, 502, 503, 504]);

export class Http {
  constructor(private readonly options: HttpOptions) {}

  async json(request: HttpRequest): Promise<unknown> {
    return (await this.send(request)).json();
  }

  async text(request: HttpRequest): Promise<string> {
    return (await this.send(request)).text();
  }

  /** @throws ApiProblem for any reply but 2xx */
  async send(request: HttpRequest): Promise<Response> {
    const { retries = 4 } = this.options;
    const isRepeatable =
      request.method === 'GET' || request.isRepeatable === true || request.idempotencyKey !== undefined;
    for (let attempt = 0; ; attempt++) {
      const isLast = !isRepeatable || attempt >= retries;
      const response = await this.attempt(request).catch((error: unknown) => {
        if (isLast || request.signal?.aborted) throw error;
        return undefined;
      });
      if (response?.ok) return response;
      if (response && (isLast || !retried.has(response.status))) throw await problemOf(response);
      await pause(waitMs(response, attempt), request.signal);
    }
  }

  private attempt({ method, path, body, bytes, idempotencyKey, signal }: HttpRequest): Promise<Response> {
    const { url, key, timeoutMs = 30_000 } = this.options;
    const deadline = AbortSignal.timeout(timeoutMs);
    return (this.options.fetch ?? fetch)(new URL(path, url), {
      method,
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      headers: {
        ...(body && { 'Content-Type': 'application/json' }),
        ...(bytes && { 'Content-Type': 'application/octet-stream' }),
        ...(key && { Authorization: `Bearer ${key}` }),
        ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }),
      },
      ...(body && { body: JSON.stringify(body) }),
      ...(bytes && { body: bytes as Uint8Array<ArrayBuffer> }),
    });
  }
}

/** What the service asks for, else doubling from 100 ms to 5 s, jittered so that clients part. */
function waitMs(response: Response | undefined, attempt: number): number {
  const asked = Number(response?.headers.get('retry-after'));
  if (response?.headers.has('retry-after') && asked >= 0 && asked <= 60) return asked * 1000;
  const jitter = crypto.getRandomValues(new Uint8Array(1))[0] / 255;
  return Math.min(5000, 100 * 2 ** attempt) * (0.5 + jitter / 2);
}

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      done();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text().catch(() => '');
  try {
    const { code, detail, issues } = JSON.parse(text) as {
      code?: string;
      detail?: string;
      issues?: FieldIssue[];
    };
    return new ApiProblem(response.status, String(code ?? 'unknown'), String(detail ?? ''), issues ?? []);
  } catch {
    return new ApiProblem(response.status, 'unknown', text.slice(0, 200), []);
  }
}

export interface FieldIssue {
  readonly field: string;
  readonly expected: string;
  readonly got?: string;
}

/** The service refused: an RFC 9457 problem document as an error. */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly issues: readonly FieldIssue[],
  ) {
    super(`${code} (${status}): ${detail}`);
    this.name = 'ApiProblem';
  }
}
