/**
 * The coordinator over HTTP, a process of its own: it reads keys that strangers made, so nothing else lives in it.
 *
 *   GET  /                 state, queue length, head, limits
 *   GET  /transcript       the entries
 *   GET  /keys/{sha256}    a key file; /circuit and /phase1 what it was made from
 *   POST /queue            { name, publicKey } → { token, position }
 *   GET  /turn             with the token: { position, turnEnds, head }
 *   POST /contributions    with the token: the new key file; `Attestation: <base64 signature>` if signed
 */
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import helmet from 'helmet';
import { z } from 'zod';
import { MalformedFile } from '../../circuits/errors.js';
import { CeremonyRefused, InvalidCeremony } from '../../prover/ceremony-error.js';
import { UnsafeVerifyingKey } from '../../prover/key-check.js';
import type { Ceremony } from './ceremony.js';
import { ceremonyPaths } from './folder.js';
import { participantKey, participantName } from './transcript.js';

export interface CoordinatorOptions {
  readonly host?: string;
  readonly port?: number;
  /** How often late turns are looked for. */
  readonly sweepMs?: number;
}

export interface Coordinator {
  readonly url: string;
  close(): Promise<void>;
}

const joinBody = z.strictObject({ name: participantName, publicKey: participantKey });

export async function serveCeremony(
  ceremony: Ceremony,
  { host = '127.0.0.1', port = 0, sweepMs = 1000 }: CoordinatorOptions = {},
): Promise<Coordinator> {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: ceremony.limits.turnMs },
    application(ceremony),
  );
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  // A beacon that is due and a turn that ran out are both noticed here; a chain that does not answer is asked again.
  const sweep = setInterval(() => {
    void ceremony
      .expire()
      .then(() => ceremony.finaliseIfDue())
      .catch(() => undefined);
  }, sweepMs);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    async close() {
      clearInterval(sweep);
      await stop(server);
      await ceremony.close();
    },
  };
}

const stop = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

function application(ceremony: Ceremony): express.Express {
  const paths = ceremonyPaths(ceremony.folder);
  const app = express();
  app.disable('x-powered-by');
  app.use(helmet());
  app.get('/', (_request, response) => void response.json(stateOf(ceremony)));
  app.get('/transcript', (_request, response) => void response.json(ceremony.transcript.entries));
  app.get('/circuit', (_request, response) => sendFile(response, paths.r1cs));
  app.get('/phase1', (_request, response) => sendFile(response, paths.phase1));
  app.get('/keys/:hash', async (request, response) => {
    const { opened, contributions, final } = ceremony.transcript;
    const known = [opened.initialKey, ...contributions.map(({ key }) => key), final?.key];
    if (!known.includes(request.params.hash)) return void problem(response, 404, 'no such key');
    await sendFile(response, paths.key(request.params.hash));
  });
  app.post('/queue', express.json({ limit: '4kb' }), async (request, response) => {
    const body = joinBody.safeParse(request.body);
    if (!body.success) return void problem(response, 400, 'body must be { name, publicKey }');
    const { token } = await ceremony.join(body.data);
    response.status(201).json({ token, ...turnOf(ceremony, token) });
  });
  app.get('/turn', async (request, response) => {
    await ceremony.expire();
    const token = bearer(request);
    if (!ceremony.queue.find(token)) return void problem(response, 404, 'no such participant in the queue');
    response.json(turnOf(ceremony, token));
  });
  app.post('/contributions', async (request, response) => {
    const token = bearer(request);
    const { publicKey } = ceremony.queue.requireTurn(token);
    const signature = request.get('attestation');
    const path = join(paths.incoming, randomBytes(16).toString('hex'));
    try {
      await receive(request, path, await ceremony.maxUploadBytes());
      const accepted = await ceremony.submit(
        token,
        path,
        signature === undefined ? null : { publicKey, signature },
      );
      response.status(201).json(accepted);
    } finally {
      await rm(path, { force: true });
    }
  });
  app.use((_request, response) => void problem(response, 404, 'no such path'));
  app.use(refused);
  return app;
}

function stateOf(ceremony: Ceremony): object {
  const { transcript, queue, limits } = ceremony;
  return {
    state: transcript.final ? 'final' : transcript.announcement ? 'closing' : 'open',
    head: transcript.head,
    circuitDigest: transcript.opened.circuitDigest,
    contributions: transcript.contributions.length,
    waiting: queue.waiting.length,
    transcriptDigest: transcript.digest,
    beacon: transcript.announcement ?? null,
    limits,
  };
}

function turnOf(
  ceremony: Ceremony,
  token: string,
): { position: number; turnEnds: string | null; head: string } {
  const position = ceremony.queue.waiting.findIndex((other) => other.token === token);
  const ends = ceremony.queue.waiting[position].turnEnds;
  return {
    position,
    turnEnds: ends === null ? null : new Date(ends).toISOString(),
    head: ceremony.transcript.head,
  };
}

const bearer = (request: Request): string =>
  /^Bearer ([0-9a-f]{64})$/.exec(request.get('authorization') ?? '')?.[1] ?? '';

/** Cut off at the first byte too many. */
async function receive(request: IncomingMessage, path: string, limit: number): Promise<void> {
  if (Number(request.headers['content-length'] ?? 0) > limit) tooLarge(limit);
  await pipeline(
    request,
    async function* (source: AsyncIterable<Buffer>) {
      let size = 0;
      for await (const chunk of source) {
        size += chunk.length;
        if (size > limit) tooLarge(limit);
        yield chunk;
      }
    },
    createWriteStream(path, { mode: 0o600 }),
  );
}

function tooLarge(limit: number): never {
  throw new CeremonyRefused('upload', 'size', `at most ${limit} bytes`, 'more');
}

async function sendFile(response: ServerResponse, path: string): Promise<void> {
  response.setHeader('Content-Type', 'application/octet-stream');
  await pipeline(createReadStream(path), response).catch(() => response.destroy());
}

const problem = (response: Response, status: number, detail: string): Response =>
  response.status(status).type('application/problem+json').json({ type: 'about:blank', status, detail });

const refused: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) return next(error);
  if (error instanceof CeremonyRefused) return void problem(response, 409, error.message);
  const isBad =
    error instanceof InvalidCeremony || error instanceof MalformedFile || error instanceof UnsafeVerifyingKey;
  // Paths on this machine stay here.
  if (isBad)
    return void problem(response, 422, `${(error as Error).name}: ${(error as InvalidCeremony).what}`);
  problem(response, error instanceof SyntaxError ? 400 : 500, 'the request could not be handled');
};
