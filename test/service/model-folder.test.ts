import test from 'ava';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFiles } from '../../service/model-description.js';
import { ArtifactDamaged, ensureFolder, folderOf, tableOf } from '../../service/model-folder.js';

const modelId = `0x${'ab'.repeat(32)}`;

/** A model folder with made-up files, and its table. */
async function madeUp() {
  const home = await mkdtemp(join(tmpdir(), 'verinfer-folder-'));
  const folder = folderOf(home, modelId);
  await mkdir(folder);
  for (const [i, name] of modelFiles.entries())
    await writeFile(join(folder, name), Buffer.alloc(3000 + i, i));
  return { home, folder, files: await tableOf(folder) };
}

async function withOrigin(
  answer: (response: ServerResponse, path: string) => void,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server: Server = createServer((request, response) => answer(response, request.url ?? ''));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

test('F11 a file of a model that was altered, cut, lengthened or removed is refused on every load', async (t) => {
  const { home, folder, files } = await madeUp();
  try {
    await t.notThrowsAsync(ensureFolder(home, modelId, files, null));
    for (const name of modelFiles) {
      const path = join(folder, name);
      const whole = await readFile(path);
      const flipped = Buffer.from(whole);
      flipped[flipped.length >> 1]! ^= 1;
      for (const bytes of [flipped, whole.subarray(0, -1), Buffer.concat([whole, Buffer.of(0)]), null]) {
        if (bytes === null) await rm(path);
        else await writeFile(path, bytes);
        const error = await t.throwsAsync(ensureFolder(home, modelId, files, null), {
          instanceOf: ArtifactDamaged,
        });
        t.regex(error.message, new RegExp(`artifact ${name}`));
      }
      await writeFile(path, whole);
    }
  } finally {
    await rm(home, { recursive: true });
  }
});

test('A16 an origin that lies, swells, redirects, fails or hangs up leaves no file behind', async (t) => {
  const { home, folder, files } = await madeUp();
  const empty = await mkdtemp(join(tmpdir(), 'verinfer-fetch-'));
  const hostile: ((response: ServerResponse) => void)[] = [
    (response) => response.end(Buffer.alloc(3000, 9)),
    (response) => response.end(''),
    (response) => response.end(Buffer.alloc(5_000_000, 9)),
    (response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    (response) => response.writeHead(500).end('no'),
    (response) =>
      response.writeHead(200, { 'content-length': '3000' }).write('half', () => response.destroy()),
  ];
  try {
    for (const answer of hostile) {
      await withOrigin(answer, async (url) => {
        await t.throwsAsync(ensureFolder(empty, modelId, files, async () => [{ url, key: undefined }]));
        t.deepEqual(await readdir(folderOf(empty, modelId)), []);
      });
    }
    // The honest origin, by hash: the same folder again.
    const byHash = new Map(
      Object.entries(files).map(([name, { sha256 }]) => [`/v1/artifacts/${sha256}`, name]),
    );
    await withOrigin(
      (response, path) => void readFile(join(folder, byHash.get(path)!)).then((bytes) => response.end(bytes)),
      async (url) => {
        await ensureFolder(empty, modelId, files, async () => [{ url, key: undefined }]);
        t.deepEqual(await tableOf(folderOf(empty, modelId)), files);
        await cp(join(folder, modelFiles[0]), join(folderOf(empty, modelId), modelFiles[1]));
        await ensureFolder(empty, modelId, files, async () => [{ url, key: undefined }]);
        t.deepEqual(await tableOf(folderOf(empty, modelId)), files, 'a damaged file is fetched again');
      },
    );
  } finally {
    await rm(home, { recursive: true });
    await rm(empty, { recursive: true });
  }
});
