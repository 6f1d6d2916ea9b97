/** The part of autocannon 9 that bench-load uses; the package ships no types. */
declare module 'autocannon' {
  interface Request {
    readonly method: string;
    readonly path: string;
    readonly headers?: Record<string, string>;
    readonly body?: string;
    readonly setupRequest?: (request: Request) => Request;
  }
  interface Result {
    readonly '2xx': number;
    readonly non2xx: number;
    readonly errors: number;
    readonly duration: number;
    readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  }
  export default function autocannon(options: {
    readonly url: string;
    readonly connections: number;
    readonly amount?: number;
    readonly overallRate?: number;
    readonly requests: readonly Request[];
  }): Promise<Result>;
}
