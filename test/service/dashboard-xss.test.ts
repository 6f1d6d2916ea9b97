/** A19 in a real browser: a hostile service, or hostile data in an honest one, puts markup wherever text can stand. */
import test from 'ava';
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { browserPath, launch } from '../support/browser.js';
import { alarm, xssPayloads } from '../support/xss.js';

const browserTest = browserPath === undefined ? test.serial.skip : test.serial;

let server: Server;
let origin: string;
let browser: Browser;
/** What every string of the next reply is. */
let poison = '';

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const model = () => ({
  ...{ id: poison, name: poison, owned: true, frozen: false, createdAt: poison, rowCount: 3, units: 1 },
  setup: { class: poison, contributorCount: 1, warning: poison },
  inputs: [{ name: poison, dtype: poison, shape: [1, 2] }],
  outputs: [{ name: poison, dtype: poison, shape: [1, 2] }],
});
const inference = () => ({
  ...{ id: poison, modelId: poison, state: poison, settlement: 'onchain', createdAt: poison },
  outputs: [{ name: poison, dtype: poison, shape: [2], data: [1, 2], proven: true }],
  statement: { requestId: poison, [poison]: poison },
  timings: { [poison]: 1, answer: 1 },
  settled: { blockNumber: poison, [poison]: poison },
  error: { code: poison, detail: poison },
});

function reply(path: string): object {
  if (/^\/v1\/models\/./.test(path))
    return {
      ...model(),
      identity: { modelHash: poison, [poison]: poison },
      layers: [{ name: poison, type: poison, rows: 1, wires: 1 }],
      manifest: { inputMode: 'committed', inputs: [{ name: poison, dtype: 'int8', shape: [1, 2] }] },
      agreement: null,
      samples: [{ label: poison, values: [1, 2] }],
      files: {},
    };
  if (path.startsWith('/v1/models')) return { data: [model()], nextCursor: poison };
  if (/^\/v1\/inferences\/./.test(path)) return inference();
  if (path.startsWith('/v1/inferences')) return { data: [inference()], nextCursor: poison };
  if (path.startsWith('/v1/trust')) return { statements: [{ id: poison, sentence: poison, applies: false }] };
  if (path.startsWith('/v1/ceremonies'))
    return {
      data: [
        {
          ...{ id: poison, state: poison, circuitHash: poison, transcriptDigest: poison },
          ...{ beacon: poison, vkHash: poison },
          contributions: [{ name: poison, hash: poison, at: poison, attested: true }],
        },
      ],
    };
  return {
    ...{ now: poison, engine: poison, rssBytes: 1, queue: { queued: poison, proving: 1, oldestMs: 1 } },
    minutes: [{ t: '2026-01-01T00:00:00Z', answered: 1, proven: 1, settled: 1 }],
    chain: { chainId: poison, settlement: poison },
    hosts: [{ kind: poison, state: poison, engine: poison }],
  };
}

test.before(async () => {
  if (browserPath === undefined) return;
  // Without the service's content policy: the page must not need it.
  server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    if (path.startsWith('/v1/')) {
      const isRefused = decodeURIComponent(path).includes('refuse');
      response.writeHead(isRefused ? 404 : 200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(isRefused ? { title: poison, detail: poison } : reply(path)));
      return;
    }
    const file = path === '/' ? 'index.html' : path.slice(1);
    const bytes = await readFile(join('dist/dashboard', file)).catch(() => null);
    response.writeHead(bytes ? 200 : 404, { 'Content-Type': types[extname(file)] ?? 'text/plain' });
    response.end(bytes ?? '');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await launch();
});

test.after.always(async () => {
  await browser?.close();
  server?.close();
  server?.closeAllConnections();
});

const views = [
  ...['playground', 'models', 'models/x', 'proofs', 'proofs/x', 'queue', 'ceremonies', 'trust'],
  ...['models/refuse', 'proofs/refuse'],
];

/** One page, led through the views without a reload: fast enough for hundreds of payloads. */
async function watched(fired: string[]): Promise<Page> {
  const page = await browser.newPage();
  await page.exposeFunction(alarm, () => fired.push(poison));
  page.on('dialog', (dialog) => (fired.push(`dialog: ${poison}`), void dialog.dismiss()));
  page.on('popup', () => fired.push(`popup: ${poison}`));
  page.on('framenavigated', (frame) => {
    if (!frame.url().startsWith(origin) && frame.url() !== 'about:blank') fired.push(`navigation: ${poison}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) fired.push(`request ${request.url().slice(0, 60)}: ${poison}`);
  });
  await page.goto(origin);
  return page;
}

browserTest(
  'A19 more than 200 payloads in every text of the API and in the address: none fires',
  async (t) => {
    t.timeout(280_000);
    t.true(xssPayloads.length >= 200, `${xssPayloads.length} payloads`);
    const fired: string[] = [];
    let drawn = 0;
    const page = await watched(fired);
    for (const [index, payload] of xssPayloads.entries()) {
      poison = payload;
      // Each payload on two of the views, so that all views see dozens, and as part of an address.
      for (const view of [views[index % views.length]!, views[(index * 3 + 1) % views.length]!]) {
        drawn += await page.evaluate(
          async ([hash, wait]) => {
            location.hash = '#/trust';
            await new Promise((done) => requestAnimationFrame(done));
            location.hash = `#/${hash}`;
            const end = Date.now() + Number(wait);
            while (document.querySelector('main [role=status]') && Date.now() < end)
              await new Promise((done) => setTimeout(done, 5));
            await new Promise((done) => requestAnimationFrame(done));
            return document.querySelector('main')!.textContent!.length > 0 ? 1 : 0;
          },
          [view, '2000'],
        );
      }
      await page.evaluate((hash) => (location.hash = hash), `#/proofs/${payload}`);
      await page.evaluate((hash) => (location.hash = hash), `#/${payload}`);
    }
    t.is(drawn, 2 * xssPayloads.length);
    const foreign = await page.$$eval(
      'script',
      (scripts) => scripts.filter(({ src }) => !src.startsWith(location.origin)).length,
    );
    t.is(foreign, 0);
    await page.close();
    t.deepEqual(fired, []);
    t.log(`${xssPayloads.length} payloads, ${drawn} views drawn`);
  },
);

browserTest('A19 the alarm works: the same payloads set as HTML do fire', async (t) => {
  const fired: string[] = [];
  const page = await watched(fired);
  for (const payload of xssPayloads.slice(0, 40)) {
    poison = payload;
    await page.evaluate((markup) => (document.getElementById('app')!.innerHTML = markup), payload);
    await page.waitForTimeout(15);
  }
  t.true(fired.length >= 5, `${fired.length} fired`);
  await page.close();
});
