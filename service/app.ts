/** Express wiring: limits → parse → authenticate → route → one error handler. Knows no domain. */
import { createHash, randomBytes } from 'node:crypto';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import type { z } from 'zod';
import type { Config } from './config.js';
import { Problem, problemDocument, problems, toProblem, type FieldIssue } from './errors.js';
import { parseJson } from './json.js';
import type { Logger } from './log.js';
import type { Caller, Operation, Reply, Scope } from './operation.js';

export interface AppParts {
  readonly config: Config;
  readonly log: Logger;
  readonly operations: readonly Operation[];
  /** Resolves the caller of an Authorization header, or throws Problem 'unauthorized'. */
  readonly authenticate: (authorization: string | undefined) => Promise<Caller>;
  readonly observe: (operationId: string, status: number, seconds: number) => void;
  /** Mounted last, before the 404: the dashboard and /mcp. */
  readonly extend?: (app: Express) => void;
}

export function createApp(parts: AppParts): Express {
  const { config, operations } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'", 'data:'],
          connectSrc: ["'self'"],
          fontSrc: ["'self'"],
          workerSrc: ["'self'"],
          manifestSrc: ["'self'"],
          frameAncestors: ["'none'"],
          baseUri: ["'none'"],
          formAction: ["'none'"],
        },
      },
      frameguard: { action: 'deny' },
      hsts: false,
    }),
  );
  app.use(stamp(parts.log));
  app.use(cors(config.corsOrigins));
  app.use(
    rateLimit({
      windowMs: 60_000,
      limit: config.ratePerMinute,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      handler: (_request, _response, next) =>
        next(new Problem('rate-limited', 'slow down', [], { 'Retry-After': '10' })),
    }),
  );
  for (const operation of operations)
    app[operation.method](expressPath(operation.path), route(operation, parts));
  for (const [path, allow] of allowedMethods(operations)) {
    app.all(expressPath(path), (request, _response, next) => {
      next(
        new Problem('method-not-allowed', `${request.method} is not one of ${allow}`, [], { Allow: allow }),
      );
    });
  }
  parts.extend?.(app);
  app.use((_request, _response, next) => next(new Problem('not-found', 'no such path')));
  app.use(errorHandler(parts.log));
  return app;
}

const expressPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

function allowedMethods(operations: readonly Operation[]): Map<string, string> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of operations)
    methods.set(path, [...(methods.get(path) ?? []), method.toUpperCase()]);
  return new Map(
    [...methods].map(([path, list]) => [
      path,
      [...list, ...(list.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', '),
    ]),
  );
}

function stamp(log: Logger): RequestHandler {
  return (_request, response, next) => {
    const requestId = randomBytes(8).toString('hex');
    response.locals['requestId'] = requestId;
    response.locals['log'] = log.child({ requestId });
    response.setHeader('Request-Id', requestId);
    response.setHeader('Cache-Control', 'no-store');
    next();
  };
}

function cors(origins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    const origin = request.headers.origin;
    response.vary('Origin');
    if (origin !== undefined && origins.includes(origin)) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader(
        'Access-Control-Expose-Headers',
        'Request-Id, Retry-After, Location, Idempotency-Replayed',
      );
      if (request.method === 'OPTIONS') {
        response.setHeader('Access-Control-Allow-Methods', 'GET, POST, DELETE');
        response.setHeader(
          'Access-Control-Allow-Headers',
          'Authorization, Content-Type, Idempotency-Key, Last-Event-ID',
        );
        response.setHeader('Access-Control-Max-Age', '600');
      }
    }
    if (request.method === 'OPTIONS') response.status(204).end();
    else next();
  };
}

function route(operation: Operation, parts: AppParts): RequestHandler {
  return async (request, response) => {
    const started = performance.now();
    response.once('close', () =>
      parts.observe(operation.id, response.statusCode, (performance.now() - started) / 1000),
    );
    const caller = await admit(operation, request, parts);
    const params = check(operation.params, request.params, 'path', 'not-found');
    const query = check(operation.query, { ...request.query }, 'query', 'invalid-request');
    const { body, digest } = operation.rawBody
      ? { body: undefined, digest: '' }
      : await readBody(operation, request, parts.config.maxBodyBytes);
    const reply = await operation.handle({
      params,
      query,
      body: body as never,
      caller,
      bodyDigest: digest,
      requestId: response.locals['requestId'] as string,
      log: response.locals['log'] as Logger,
      idempotencyKey: idempotencyKey(operation, request),
      request,
      response,
    });
    if (reply) send(response, reply);
  };
}

async function admit(operation: Operation, request: Request, parts: AppParts): Promise<Caller> {
  if (operation.scope === null)
    return { tenantId: 'development', keyId: null, scopes: [], unitsPerDay: null };
  const caller = await parts.authenticate(request.headers.authorization);
  if (!caller.scopes.includes(operation.scope satisfies Scope))
    throw new Problem('forbidden', `this needs the scope "${operation.scope}"`);
  return caller;
}

function check(
  schema: z.ZodType | undefined,
  value: unknown,
  place: string,
  code: 'not-found' | 'invalid-request',
): never {
  if (!schema) {
    const extra = place === 'path' ? undefined : Object.keys(value as object)[0];
    if (extra !== undefined)
      throw new Problem(code, `${place}: unknown field "${extra.slice(0, 64)}"`, [
        { field: `${place}.${extra.slice(0, 64)}`, expected: 'no such field' },
      ]);
    return value as never;
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issues = issuesOf(result.error, place);
    throw new Problem(code, `${issues[0]!.field}: ${issues[0]!.expected}`, issues);
  }
  return result.data as never;
}

function issuesOf(error: z.ZodError, place: string): FieldIssue[] {
  return error.issues.slice(0, 20).map((issue) => {
    const field = [place, ...issue.path.map(String)].join('.').slice(0, 200);
    if (issue.code === 'unrecognized_keys')
      return { field: `${field}.${issue.keys[0]?.slice(0, 64)}`, expected: 'no such field' };
    return { field, expected: issue.message.slice(0, 300) };
  });
}

function idempotencyKey(operation: Operation, request: Request): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (!operation.acceptsIdempotencyKey || typeof key !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(key))
    throw new Problem(
      'invalid-request',
      'Idempotency-Key must be 1 to 128 printable characters, on an operation that takes one',
      [{ field: 'header.Idempotency-Key', expected: '1 to 128 printable ASCII characters' }],
    );
  return key;
}

async function readBody(
  operation: Operation,
  request: Request,
  limit: number,
): Promise<{ body: unknown; digest: string }> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new Problem('unsupported-encoding', 'send the body uncompressed');
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > limit)
    throw new Problem('body-too-large', `at most ${limit} bytes`, [], { Connection: 'close' });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit)
      throw new Problem('body-too-large', `at most ${limit} bytes`, [], { Connection: 'close' });
    chunks.push(chunk);
  }
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  if (!operation.body) {
    if (size > 0)
      throw new Problem('invalid-request', 'this operation takes no body', [
        { field: 'body', expected: 'nothing' },
      ]);
    return { body: undefined, digest: '' };
  }
  if (!/^application\/json(;|$)/i.test(request.headers['content-type'] ?? ''))
    throw new Problem('unsupported-encoding', 'Content-Type must be application/json');
  return {
    body: check(operation.body, parseJson(bytes), 'body', 'invalid-request'),
    digest: createHash('sha256').update(bytes).digest('hex'),
  };
}

function send(response: Response, reply: Reply): void {
  response.status(reply.status);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.bytes) {
    response.setHeader('Content-Type', reply.type ?? 'application/octet-stream');
    response.end(reply.bytes);
  } else if (reply.body === undefined) response.end();
  else {
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(JSON.stringify(reply.body));
  }
}

function errorHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    // Express itself refuses paths with a bad percent escape.
    const problem = error instanceof URIError ? new Problem('not-found', 'no such path') : toProblem(error);
    const requestId = (response.locals['requestId'] as string | undefined) ?? 'none';
    const { status } = problems[problem.code];
    if (status >= 500) log.error({ requestId, path: request.path.slice(0, 200), err: error }, problem.code);
    else log.debug({ requestId, code: problem.code }, 'refused');
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    response.status(status).setHeader('Content-Type', 'application/problem+json; charset=utf-8');
    response.end(JSON.stringify(problemDocument(problem, requestId)));
  };
}
