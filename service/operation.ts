/**
 * One HTTP operation as a value: the router, the OpenAPI document and the tests' fuzzers are all made from the same
 * list, so that no route is undocumented and no document is without a route.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Logger } from './log.js';
import type { ProblemCode } from './errors.js';

/** `host` lets the operator's own hosts fetch every tenant's artifacts; give it to no tenant. */
export const scopes = ['read', 'infer', 'upload', 'host'] as const;
export type Scope = (typeof scopes)[number];

/** Who calls: the tenant of the API key, or 'development' where keys are not required. */
export interface Caller {
  readonly tenantId: string;
  readonly keyId: string | null;
  readonly scopes: readonly Scope[];
  readonly unitsPerDay: number | null;
}

export interface Call<Params = Record<string, string>, Query = unknown, Body = unknown> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly requestId: string;
  readonly idempotencyKey: string | undefined;
  /** SHA-256 of the body as received, hex. */
  readonly bodyDigest: string;
  readonly log: Logger;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  /** Bytes to send as they are, with their own type. */
  readonly bytes?: Uint8Array;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `null`: the handler has written the response itself (events, artifacts). */
export type Handler<Params, Query, Body> = (call: Call<Params, Query, Body>) => Promise<Reply | null>;

interface OperationFacts {
  readonly id: string;
  readonly method: 'get' | 'post' | 'delete';
  /** OpenAPI style: /v1/models/{modelId} */
  readonly path: string;
  readonly summary: string;
  /** null: open to all. */
  readonly scope: Scope | null;
  /** Media type of an upload: the handler reads the request stream itself. */
  readonly rawBody?: string;
  readonly acceptsIdempotencyKey?: boolean;
  readonly replies: Readonly<
    Record<number, { readonly description: string; readonly schema?: z.ZodType; readonly type?: string }>
  >;
  readonly problems?: readonly ProblemCode[];
}

/** With the types of its schemas forgotten; what `handle` gets was checked against them. */
export interface Operation extends OperationFacts {
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly handle: Handler<never, never, never>;
}

interface TypedOperation<Params, Query, Body> extends OperationFacts {
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  readonly handle: Handler<Params, Query, Body>;
}

/** Ties a handler's types to its schemas; returns its argument. */
export function operation<Params = Record<string, never>, Query = Record<string, never>, Body = undefined>(
  value: TypedOperation<Params, Query, Body>,
): Operation {
  return value;
}
