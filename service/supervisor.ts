/**
 * `verinfer serve`: the embedded PostgreSQL and chain where none are named, and the service's processes over them. A
 * process that dies is started again, its lease ended at once; when the supervisor dies, every child goes with it.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import type { Config } from './config.js';
import { startDevelopmentChain, type DevelopmentChain } from './development-chain.js';
import type { Logger } from './log.js';
import { startPostgres, type EmbeddedPostgres } from './postgres.js';
import { reapHosts } from './store/hosts.js';
import { migrate } from './store/migrations.js';
import { openPool } from './store/pool.js';

export type PartName = 'api' | 'prover' | 'settler';

const entries: Record<PartName, string> = {
  api: './main.js',
  prover: './prover-main.js',
  settler: './settler-main.js',
};

export interface Service {
  /** Of the API. */
  readonly url: string;
  readonly databaseUrl: string;
  readonly pool: Pool;
  /** Process ids by part, for tests that kill them. */
  pidOf(part: PartName): number | undefined;
  readonly postgres: EmbeddedPostgres | null;
  stop(): Promise<void>;
}

/** Another supervisor owns this data folder. */
export class AlreadyRunning extends Error {
  override name = 'AlreadyRunning';
}

export interface SupervisorOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Runs when the database is there, before the processes start: installs models. */
  readonly prepare?: (parts: {
    readonly pool: Pool;
    readonly chain: DevelopmentChain | null;
  }) => Promise<void>;
  readonly parts?: readonly PartName[];
  /** Of the processes, from which they read their configuration; default: ours. */
  readonly environment?: NodeJS.ProcessEnv;
  /** File descriptor for the children's output; default: ours. */
  readonly output?: number;
}

export async function startService({
  config,
  log,
  prepare,
  output,
  parts = ['prover', 'settler', 'api'],
  environment: surroundings = process.env,
}: SupervisorOptions): Promise<Service> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o711 });
  const release = await lockFolder(config.dataFolder);
  const stops: (() => Promise<void>)[] = [release];
  const stopAll = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse())
      await stop().catch((error: unknown) => log.warn({ err: error }, 'a part did not stop in order'));
  };
  try {
    let postgres: EmbeddedPostgres | null = null;
    let databaseUrl = config.databaseUrl;
    if (databaseUrl === undefined) {
      postgres = await startPostgres(config.dataFolder);
      databaseUrl = postgres.url;
      stops.push(() => postgres!.stop());
      log.info({ attached: !postgres.started }, 'embedded PostgreSQL answers');
    }
    const pool = openPool(databaseUrl, log, 4);
    stops.push(() => pool.end());
    await migrate(pool);
    const chain =
      config.rpcUrl === undefined && parts.includes('settler')
        ? await startDevelopmentChain(config.dataFolder, pool, log)
        : null;
    if (chain) stops.push(() => chain.stop());
    await prepare?.({ pool, chain });
    const environment: NodeJS.ProcessEnv = {
      ...surroundings,
      DATABASE_URL: databaseUrl,
      ...(chain ? chain.environment : {}),
    };
    const children = new Map<PartName, Child>();
    stops.push(async () => {
      await Promise.all([...children.values()].map((child) => child.stop()));
    });
    const starting = parts.map(async (name) => {
      const child = new Child(name, environment, pool, log, config.leaseMs, output ?? 'inherit');
      children.set(name, child);
      return child.up;
    });
    const news = await Promise.all(starting);
    const url = String(news[parts.indexOf('api')]?.['url'] ?? '');
    await writeFile(
      join(config.dataFolder, 'service.json'),
      `${JSON.stringify({ pid: process.pid, url })}\n`,
    );
    return {
      url,
      databaseUrl,
      pool,
      pidOf: (part) => children.get(part)?.pid,
      postgres,
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** One process of the service, kept running. */
class Child {
  readonly up: Promise<Record<string, unknown>>;
  private process: ChildProcess | null = null;
  private stopping = false;
  private readonly ended: Promise<void>;

  constructor(
    private readonly name: PartName,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly pool: Pool,
    private readonly log: Logger,
    private readonly leaseMs: number,
    private readonly output: number | 'inherit',
  ) {
    let tell: (news: Record<string, unknown>) => void = () => undefined;
    let refuse: (error: Error) => void = () => undefined;
    this.up = new Promise((done, fail) => {
      tell = done;
      refuse = fail;
    });
    this.ended = this.keepRunning(tell, refuse);
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  private async keepRunning(
    tell: (news: Record<string, unknown>) => void,
    refuse: (error: Error) => void,
  ): Promise<void> {
    let port = this.environment['VERINFER_PORT'];
    for (let failures = 0; !this.stopping;) {
      const hostId = `${this.name}-${randomBytes(8).toString('hex')}`;
      const started = Date.now();
      const child = fork(fileURLToPath(new URL(entries[this.name], import.meta.url)), [], {
        env: { ...this.environment, VERINFER_HOST_ID: hostId, ...(port ? { VERINFER_PORT: port } : {}) },
        stdio: ['ignore', this.output, this.output, 'ipc'],
      });
      this.process = child;
      let wasUp = false;
      child.on('message', (message: Record<string, unknown>) => {
        if (message['type'] !== 'up') return;
        wasUp = true;
        // A restarted API comes back on the port that its clients know.
        if (typeof message['url'] === 'string') port = new URL(message['url']).port;
        tell(message);
      });
      const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done) =>
        child.once('exit', (c, s) => done([c, s])),
      );
      this.process = null;
      if (this.stopping) return;
      this.log.warn({ part: this.name, code, signal }, 'process ended; starting it again');
      failures = wasUp || Date.now() - started > 30_000 ? 0 : failures + 1;
      if (failures > 20) refuse(new Error(`${this.name}: must start, ended ${failures} times`));
      void this.reap(hostId);
      await sleep(Math.min(5_000, failures * 250));
    }
  }

  /** Its jobs need not wait for the lease to run out: we saw it end. */
  private async reap(hostId: string): Promise<void> {
    for (let i = 0; i < 40 && !this.stopping; i++) {
      try {
        await reapHosts(this.pool, this.leaseMs, hostId);
        return;
      } catch {
        await sleep(250);
      }
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.process?.kill('SIGTERM');
    const timer = setTimeout(() => this.process?.kill('SIGKILL'), 35_000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** One supervisor a data folder. A lock whose owner is gone is taken over. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'supervisor.lock');
  for (let attempt = 0; attempt < 5; attempt++) {
    const handle = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      return null;
    });
    if (handle) {
      await handle.write(`${process.pid} ${await startTime(process.pid)}`);
      await handle.close();
      return () => rm(path, { force: true });
    }
    const [pid, since] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
    if (pid && since && (await startTime(Number(pid))) === since)
      throw new AlreadyRunning(
        `data folder: must be free, got a service with pid ${pid}; stop it or set VERINFER_DATA`,
      );
    if (!pid) await sleep(200);
    await rm(path, { force: true });
  }
  throw new AlreadyRunning('data folder: lock could not be taken');
}

/** Field 22 of /proc/<pid>/stat: tells a process from a later one with the same number. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
