import { z } from 'zod';
import { openApiDocument } from '../openapi.js';
import { operation, type Operation } from '../operation.js';
import { referencePage, referenceStyle } from '../reference-page.js';
import { version } from '../version.js';

/** Describes `others` and itself. */
export function referenceRoutes(others: readonly Operation[]): Operation[] {
  let document: object | undefined;
  let page: Buffer | undefined;
  const read = (): object => (document ??= openApiDocument([...others, ...own], version));
  const own: Operation[] = [
    operation({
      id: 'getOpenApi',
      method: 'get',
      path: '/openapi.json',
      summary: 'This API as OpenAPI 3.1',
      scope: null,
      replies: { 200: { description: 'The document', schema: z.record(z.string(), z.unknown()) } },
      handle: async () => ({ status: 200, body: read() }),
    }),
    operation({
      id: 'getReference',
      method: 'get',
      path: '/docs',
      summary: 'This API as a page',
      scope: null,
      replies: { 200: { description: 'HTML', type: 'text/html' } },
      handle: async () => ({
        status: 200,
        bytes: (page ??= Buffer.from(referencePage(read()))),
        type: 'text/html; charset=utf-8',
      }),
    }),
    operation({
      id: 'getReferenceStyle',
      method: 'get',
      path: '/docs.css',
      summary: 'Style of the page',
      scope: null,
      replies: { 200: { description: 'CSS', type: 'text/css' } },
      handle: async () => ({
        status: 200,
        bytes: Buffer.from(referenceStyle),
        type: 'text/css; charset=utf-8',
      }),
    }),
  ];
  return own;
}
