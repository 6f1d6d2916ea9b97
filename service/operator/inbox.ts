/** Where requesters hand over openings: one POST, one signed answer. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import type { Answer, Opening } from './openings.js';

const message = z.strictObject({
  requestId: z.string().regex(/^0x[0-9a-f]{64}$/),
  opening: z.strictObject({
    inputs: z.record(z.string().max(200), z.array(z.int()).max(1 << 20)),
    salt: z.string().regex(/^0x[0-9a-f]{1,62}$/),
  }),
});

const maxBytes = 4 << 20;

export interface Inbox {
  readonly url: string;
  stop(): Promise<void>;
}

/** `answer` returns null for a request that this operator does not know (yet): the sender tries again. */
export async function startInbox(
  host: string,
  port: number,
  answer: (requestId: string, opening: Opening) => Promise<Answer | null>,
  /** What is no fault of the sender, and not for the sender to read. */
  onError: (error: Error) => void,
): Promise<Inbox> {
  const server: Server = createServer((request, response) => {
    const reply = (status: number, body: unknown): void => {
      // A body may be left unread: the connection is of no further use.
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body));
    };
    if (request.method !== 'POST' || request.url !== '/openings')
      return reply(404, { reason: 'POST /openings' });
    read(request).then(
      async ({ requestId, opening }) => {
        try {
          const answered = await answer(requestId, opening);
          if (answered === null) return reply(404, { reason: 'request not seen on chain yet' });
          reply(answered.verdict === 'acknowledged' ? 200 : 422, answered);
        } catch (error) {
          onError(error as Error);
          reply(503, { reason: 'try again later' });
        }
      },
      (error: unknown) => reply(400, { reason: (error as Error).message.slice(0, 300) }),
    );
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.maxConnections = 200;
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${taken}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(request: IncomingMessage): Promise<z.infer<typeof message>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) throw new RangeError(`body: size must be at most ${maxBytes} bytes, got more`);
    chunks.push(chunk as Buffer);
  }
  return message.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
}
