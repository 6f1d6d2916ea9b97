/** Server-sent events of one inference: its state on connecting, every change after, the end when nothing more will come. */
import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { Problem } from '../errors.js';
import { inferenceJson, isOver } from '../inference-json.js';
import { operation, type Operation } from '../operation.js';
import { inferenceId } from '../schemas.js';
import { readInference } from '../store/inferences.js';

export function eventRoutes({ pool, events, closing }: ApiParts): Operation[] {
  return [
    operation({
      id: 'followInference',
      method: 'get',
      path: '/v1/inferences/{inferenceId}/events',
      summary: 'Follow it: events `state` and `stage`',
      scope: 'read',
      params: z.strictObject({ inferenceId }),
      problems: ['not-found'],
      replies: { 200: { description: 'text/event-stream', type: 'text/event-stream' } },
      handle: async ({ params: { inferenceId: id }, caller, response }) => {
        if (!(await readInference(pool, caller.tenantId, id)))
          throw new Problem('not-found', 'no such inference');
        response.writeHead(200, {
          'Content-Type': 'text/event-stream; charset=utf-8',
          'X-Accel-Buffering': 'no',
        });
        await new Promise<void>((done) => {
          let lastState = '';
          let working: Promise<void> = Promise.resolve();
          const write = (event: string, data: object): void =>
            void response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
          const refresh = async (): Promise<void> => {
            const row = await readInference(pool, caller.tenantId, id).catch(() => null);
            if (!row || response.writableEnded) return;
            const state = `${row.state}`;
            if (state !== lastState) write('state', inferenceJson(row));
            lastState = state;
            if (isOver(row)) end();
          };
          const enqueue = (): void => void (working = working.then(refresh));
          const unsubscribe = events.subscribe(id, (event) => {
            if (event.event === 'stage') write('stage', { stage: event['stage'], wallMs: event['wallMs'] });
            else enqueue();
          });
          // Also keeps proxies from closing an idle stream, and catches what a lost database connection swallowed.
          const timer = setInterval(() => {
            response.write(': still here\n\n');
            enqueue();
          }, 3_000);
          const end = (): void => {
            clearInterval(timer);
            unsubscribe();
            closing.removeEventListener('abort', end);
            response.end();
            done();
          };
          response.once('close', end);
          closing.addEventListener('abort', end, { once: true });
          // Whoever left while we looked, or came as we close, is not told so again.
          if (response.closed || closing.aborted) end();
          else enqueue();
        });
        return null;
      },
    }),
  ];
}
