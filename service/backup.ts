/**
 * Backup and restore of a data folder with the embedded PostgreSQL: the cluster, its password, the embedded chain,
 * ceremonies and model artifacts, in a folder with the SHA-256 of every file. The service stands still meanwhile: a
 * copy of a cluster at work is none. With DATABASE_URL the database is backed up with its own tools.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { clusterPlace, startPostgres } from './postgres.js';
import { lockFolder } from './supervisor.js';

interface BackupFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mode: number;
}

interface BackupTable {
  readonly format: 'verinfer-backup/1';
  readonly createdAt: string;
  /** Empty folders count: PostgreSQL does not start without its own. */
  readonly folders: readonly { readonly path: string; readonly mode: number }[];
  readonly files: readonly BackupFile[];
}

export class BackupRefused extends Error {
  override name = 'BackupRefused';
}

const tableName = 'backup.json';
/** In the data folder; the cluster lies where `clusterPlace` says, models where the configuration says. */
const kept = ['postgres.password', 'chain', 'ceremonies'];

export async function backUp(dataFolder: string, modelsFolder: string, to: string): Promise<BackupTable> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  if ((await readdir(to)).length > 0)
    throw new BackupRefused(`${to}: must be an empty folder, got one with files`);
  const unlock = await lockFolder(dataFolder);
  try {
    // A server that outlived its service is attached to; either way it ends with a checkpoint.
    await (await startPostgres(dataFolder, { keep: false })).stop();
    const { folder } = await clusterPlace(dataFolder);
    const folders: { path: string; mode: number }[] = [];
    const files: BackupFile[] = [];
    const take = async (from: string, path: string): Promise<void> => {
      const facts = await stat(from).catch(() => null);
      if (facts?.isDirectory()) {
        folders.push({ path, mode: facts.mode & 0o777 });
        await mkdir(join(to, path), { recursive: true, mode: 0o700 });
        for (const name of (await readdir(from)).sort()) await take(join(from, name), join(path, name));
      } else if (facts) {
        await copyFile(from, join(to, path));
        files.push({ path, mode: facts.mode & 0o777, ...(await digest(join(to, path))) });
      }
    };
    await take(folder, 'postgres');
    for (const name of kept) await take(join(dataFolder, name), name);
    await take(modelsFolder, 'models');
    const table: BackupTable = {
      format: 'verinfer-backup/1',
      createdAt: new Date().toISOString(),
      folders,
      files,
    };
    await writeFile(join(to, tableName), `${JSON.stringify(table, null, 1)}\n`, { mode: 0o600 });
    return table;
  } finally {
    await unlock();
  }
}

/** Into a data folder without a cluster. Every file is checked before the first is written. */
export async function restore(from: string, dataFolder: string, modelsFolder: string): Promise<BackupTable> {
  const table = JSON.parse(await readFile(join(from, tableName), 'utf8')) as BackupTable;
  if (table.format !== 'verinfer-backup/1')
    throw new BackupRefused(`${tableName}: format must be verinfer-backup/1, got ${String(table.format)}`);
  for (const { path } of [...table.folders, ...table.files])
    if (path.startsWith('/') || path.split('/').includes('..'))
      throw new BackupRefused(`${tableName}: paths must lie inside the backup, got "${path}"`);
  for (const { path, sha256 } of table.files) {
    const found = await digest(join(from, path)).catch(() => null);
    if (found?.sha256 !== sha256)
      throw new BackupRefused(`${path}: SHA-256 must be ${sha256}, got ${found?.sha256 ?? 'no file'}`);
  }
  await mkdir(dataFolder, { recursive: true, mode: 0o711 });
  const unlock = await lockFolder(dataFolder);
  try {
    const present = (await readdir(dataFolder)).filter((name) => kept.includes(name) || name === 'postgres');
    if (present.length > 0)
      throw new BackupRefused(
        `${dataFolder}: must be a data folder without a database, got ${present.join(', ')}; move it away first`,
      );
    await copyFile(join(from, 'postgres.password'), join(dataFolder, 'postgres.password'));
    await chmod(join(dataFolder, 'postgres.password'), 0o600);
    const { folder, account } = await clusterPlace(dataFolder);
    const placeOf = (path: string): string => {
      const [top, ...rest] = path.split('/');
      if (top === 'postgres') return join(folder, ...rest);
      if (top === 'models') return join(modelsFolder, ...rest);
      return join(dataFolder, path);
    };
    const settle = async (path: string, mode: number): Promise<void> => {
      await chmod(placeOf(path), mode);
      if (account && path.split('/')[0] === 'postgres') await chown(placeOf(path), account.uid, account.gid);
    };
    for (const { path } of table.folders) await mkdir(placeOf(path), { recursive: true });
    for (const { path, mode } of table.files) {
      await mkdir(dirname(placeOf(path)), { recursive: true });
      await copyFile(join(from, path), placeOf(path));
      await settle(path, mode);
    }
    for (const { path, mode } of table.folders) await settle(path, mode);
    return table;
  } finally {
    await unlock();
  }
}

async function digest(path: string): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { sizeBytes: (await stat(path)).size, sha256: hash.digest('hex') };
}
