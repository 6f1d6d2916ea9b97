/**
 * One JSON-RPC endpoint that may be slow, gone, lying or huge. Every call ends within timeoutMs and reads at most
 * maxBytes; what it returns is checked for shape by the caller and believed by nobody alone (quorum.ts).
 */
export interface Endpoint {
  readonly url: string;
  call(method: string, params: readonly unknown[]): Promise<unknown>;
}

export interface EndpointOptions {
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

/** The endpoint answered with a JSON-RPC error. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data: unknown,
  ) {
    super(message);
    this.name = 'RpcError';
  }
}

/** No usable answer: timeout, refused connection, HTTP error, not JSON, too large. */
export class RpcUnavailable extends Error {
  constructor(what: string) {
    super(`rpc: ${what}`);
    this.name = 'RpcUnavailable';
  }
}

const jsonRpcError = (error: { code?: unknown; message?: unknown; data?: unknown }): RpcError =>
  new RpcError(Number(error.code ?? 0), String(error.message ?? 'unknown error').slice(0, 500), error.data);

export function endpoint(
  url: string,
  { timeoutMs = 3_000, maxBytes = 4 << 20 }: EndpointOptions = {},
): Endpoint {
  let id = 0;
  return {
    url,
    async call(method, params) {
      const body = JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params });
      let text: string;
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          redirect: 'error',
          signal: AbortSignal.timeout(timeoutMs),
        });
        if (!response.ok) throw new RpcUnavailable(`${method}: HTTP status ${response.status}`);
        text = await boundedText(response, maxBytes, method);
      } catch (error) {
        if (error instanceof RpcUnavailable) throw error;
        throw new RpcUnavailable(`${method}: ${(error as Error).name}`);
      }
      let answer: { result?: unknown; error?: Record<string, unknown> };
      try {
        answer = JSON.parse(text) as typeof answer;
      } catch {
        throw new RpcUnavailable(`${method}: not JSON`);
      }
      if (typeof answer !== 'object' || answer === null) throw new RpcUnavailable(`${method}: not an object`);
      if (answer.error) throw jsonRpcError(answer.error);
      return answer.result;
    },
  };
}

async function boundedText(response: Response, maxBytes: number, method: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).length;
    if (size > maxBytes) throw new RpcUnavailable(`${method}: more than ${maxBytes} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}
