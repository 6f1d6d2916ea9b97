/**
 * A model on disk: <models>/<modelId>/, written beside and renamed into place, so a folder that exists is whole.
 * Every file is checked against its SHA-256 when it is loaded; a file that lies is as good as absent.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { modelFiles, type FileTable, type ModelDescription, type ModelFile } from './model-description.js';

/** A stored file is missing or is not the bytes its hash names. */
export class ArtifactDamaged extends Error {
  override name = 'ArtifactDamaged';
}

export const folderOf = (modelsFolder: string, modelId: string): string => join(modelsFolder, modelId);

export async function sha256File(path: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

export async function tableOf(folder: string): Promise<FileTable> {
  const table: Record<string, { sha256: string; sizeBytes: number }> = {};
  for (const name of modelFiles) table[name] = await sha256File(join(folder, name));
  return table;
}

/** Moves a finished folder to its place. When another process was first, its folder stays: the contents are the same. */
export async function publishFolder(partial: string, modelsFolder: string, modelId: string): Promise<string> {
  for (const name of await readdir(partial)) {
    const file = await open(join(partial, name), 'r');
    await file.sync();
    await file.close();
  }
  const folder = folderOf(modelsFolder, modelId);
  await mkdir(modelsFolder, { recursive: true });
  await rename(partial, folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(partial, { recursive: true, force: true });
  });
  return folder;
}

export async function readDescription(folder: string): Promise<ModelDescription> {
  return JSON.parse(await readFile(join(folder, 'description.json'), 'utf8')) as ModelDescription;
}

export async function checkFile(folder: string, name: ModelFile, files: FileTable): Promise<string> {
  const path = join(folder, name);
  const expected = files[name];
  const got = await sha256File(path).catch(() => null);
  if (!expected || !got || got.sha256 !== expected.sha256)
    throw new ArtifactDamaged(
      `artifact ${name}: sha256 must be ${expected?.sha256 ?? 'recorded'}, got ${got?.sha256 ?? 'no file'}`,
    );
  return path;
}

export interface ArtifactOrigin {
  readonly url: string;
  readonly key: string | undefined;
}

/** Asked only when a file is missing or damaged. */
export type Origins = () => Promise<readonly ArtifactOrigin[]>;

/**
 * Makes sure every file of the model is here and true, fetching what is missing or damaged from another host.
 * Returns the folder. Throws ArtifactDamaged when a file can neither be trusted nor fetched.
 */
export async function ensureFolder(
  modelsFolder: string,
  modelId: string,
  files: FileTable,
  origins: Origins | null,
): Promise<string> {
  const folder = folderOf(modelsFolder, modelId);
  for (const name of modelFiles) {
    try {
      await checkFile(folder, name, files);
    } catch (error) {
      if (!origins || !files[name]) throw error;
      await fetchFromPeers(join(folder, name), files[name], origins);
    }
  }
  return folder;
}

/** Fetches one file from the first peer that has it whole. */
export async function fetchFromPeers(
  path: string,
  expected: { readonly sha256: string; readonly sizeBytes: number },
  origins: Origins,
): Promise<void> {
  const reasons: string[] = [];
  for (const origin of await origins()) {
    try {
      await fetchArtifact(path, expected, origin);
      return;
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new ArtifactDamaged(
    `artifact ${expected.sha256}: must be on this host or a peer, got ${reasons.join('; ') || 'no peer'}`,
  );
}

async function fetchArtifact(
  path: string,
  expected: { sha256: string; sizeBytes: number },
  origin: ArtifactOrigin,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  try {
    const response = await fetch(new URL(`/v1/artifacts/${expected.sha256}`, origin.url), {
      headers: origin.key ? { Authorization: `Bearer ${origin.key}` } : {},
      redirect: 'error',
      signal: AbortSignal.timeout(600_000),
    });
    if (!response.ok || !response.body)
      throw new ArtifactDamaged(
        `artifact ${expected.sha256}: origin must answer 200, got ${response.status}`,
      );
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const counted = async function* (source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
      for await (const chunk of source) {
        sizeBytes += chunk.length;
        if (sizeBytes > expected.sizeBytes)
          throw new ArtifactDamaged(
            `artifact ${expected.sha256}: size must be ${expected.sizeBytes}, got more`,
          );
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(Readable.fromWeb(response.body as never), counted, createWriteStream(partial));
    const got = hash.digest('hex');
    if (got !== expected.sha256)
      throw new ArtifactDamaged(`artifact: sha256 must be ${expected.sha256}, got ${got}`);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Folders of models under `modelsFolder`, and uploads, that nothing in `named` names and nobody has touched for a while. */
export async function unnamedArtifacts(
  modelsFolder: string,
  named: { readonly modelIds: ReadonlySet<string>; readonly uploads: ReadonlySet<string> },
  untouchedMs: number,
): Promise<{ path: string; sizeBytes: number }[]> {
  const found: { path: string; sizeBytes: number }[] = [];
  const consider = async (path: string): Promise<void> => {
    const files = (await stat(path)).isDirectory() ? await readdir(path) : [''];
    const stats = await Promise.all(files.map((file) => stat(join(path, file))));
    const touched = Math.max((await stat(path)).mtimeMs, ...stats.map(({ mtimeMs }) => mtimeMs));
    // A folder that is being written, or whose row is about to be, is young.
    if (Date.now() - touched < untouchedMs) return;
    found.push({ path, sizeBytes: stats.reduce((sum, { size }) => sum + size, 0) });
  };
  for (const name of await readdir(modelsFolder).catch(() => []))
    if (/^(0x[0-9a-f]{64}|partial-.*)$/.test(name) && !named.modelIds.has(name))
      await consider(join(modelsFolder, name));
  const uploads = join(modelsFolder, 'uploads');
  for (const name of await readdir(uploads).catch(() => []))
    if (!named.uploads.has(name.replace(/\.onnx$/, ''))) await consider(join(uploads, name));
  return found;
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
