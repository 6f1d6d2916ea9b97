/** Uploads become models: each in a process of its own, killed when it takes too long or too much. */
import { fork } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import { COMPILE_FLAGS } from '../circuits/node-flags.js';
import type { Config } from './config.js';
import type { Logger } from './log.js';
import type { FileTable, ModelDescription } from './model-description.js';
import { fetchFromPeers, sha256File, type Origins } from './model-folder.js';
import {
  markInstall,
  queueRegistration,
  readInstall,
  type InstallOptionsRecord,
  type InstallRow,
} from './store/installs.js';
import { addModel, readFact } from './store/models.js';

export interface InstallOrder {
  readonly path: string;
  readonly name: string;
  readonly modelsFolder: string;
  /** The tenant. */
  readonly owner: string;
  readonly options: InstallOptionsRecord;
}

export type InstallReport =
  | { readonly type: 'progress'; readonly stage: 'compile' | 'setup' | 'identity'; readonly share: number }
  | { readonly type: 'installed'; readonly description: ModelDescription; readonly files: FileTable }
  | { readonly type: 'refused'; readonly detail: string; readonly issues: readonly object[] };

const deadlineMs = 30 * 60_000;
const memoryBytes = 4 * 1024 ** 3;

/** A file for each install: another one of the same bytes may still need its own when this one ends. */
export const uploadPath = (modelsFolder: string, installId: string): string =>
  join(modelsFolder, 'uploads', `${installId}.onnx`);

export interface InstallParts {
  readonly pool: Pool;
  readonly config: Pick<Config, 'modelsFolder'>;
  readonly log: Logger;
  readonly peers: Origins;
}

export async function runInstall(
  { pool, config, log, peers }: InstallParts,
  installId: string,
): Promise<void> {
  const install = await readInstall(pool, installId, null);
  if (!install || install.state === 'ready' || install.state === 'failed') return;
  const path = uploadPath(config.modelsFolder, install.id);
  // Any API host may have taken the job; the bytes are where they were uploaded to.
  const here = await sha256File(path).catch(() => null);
  if (here?.sha256 !== install.modelHash)
    await fetchFromPeers(path, { sha256: install.modelHash, sizeBytes: install.sizeBytes }, peers);
  const result = await inProcess(
    {
      ...{ path, name: install.name, modelsFolder: config.modelsFolder },
      ...{ owner: install.tenantId, options: install.options },
    },
    (stage) =>
      void markInstall(pool, installId, stage === 'compile' ? 'compiling' : 'setting-up').catch(
        () => undefined,
      ),
  );
  await record(pool, install, result);
  await rm(path, { force: true });
  log.info(
    {
      install: installId,
      outcome: result.type,
      modelId: result.type === 'installed' ? result.description.modelId : null,
    },
    'install ended',
  );
}

async function record(
  pool: Pool,
  install: InstallRow,
  result: Exclude<InstallReport, { type: 'progress' }>,
): Promise<void> {
  if (result.type === 'refused') {
    await markInstall(pool, install.id, 'failed', null, { detail: result.detail, issues: result.issues });
    return;
  }
  const { description, files } = result;
  await addModel(pool, install.tenantId, description, files);
  const chain = await readFact(pool, 'chain');
  await markInstall(pool, install.id, chain ? 'registering' : 'ready', description.modelId);
  if (chain) await queueRegistration(pool, install.id, description.modelId);
}

function inProcess(
  order: InstallOrder,
  onStage: (stage: string) => void,
): Promise<Exclude<InstallReport, { type: 'progress' }>> {
  return new Promise((done) => {
    const child = fork(fileURLToPath(new URL('./install-process.js', import.meta.url)), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...COMPILE_FLAGS, '--max-old-space-size=3072'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    });
    let result: Exclude<InstallReport, { type: 'progress' }> | null = null;
    let killed = '';
    const kill = (why: string): void => {
      killed = why;
      child.kill('SIGKILL');
    };
    const deadline = setTimeout(() => kill('it took longer than allowed'), deadlineMs);
    const watch = setInterval(async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      if (1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) > memoryBytes)
        kill('it took more memory than allowed');
    }, 500);
    child.on('message', (report: InstallReport) => {
      if (report.type === 'progress') onStage(report.stage);
      else result = report;
    });
    child.once('exit', () => {
      clearTimeout(deadline);
      clearInterval(watch);
      done(
        result ?? {
          type: 'refused',
          detail: `the compiler process ended: ${killed || 'it crashed'}`,
          issues: [],
        },
      );
    });
    child.send(order);
  });
}
