/** A folder that looks like a built clone, for commands of the documentation, with a service behind the address they use. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../service/postgres.js';

/** The address that the documentation writes. */
export const documentedUrl = 'http://127.0.0.1:8080';

export interface Workspace {
  readonly folder: string;
  readonly url: string;
  /** Runs shell text in the folder; `service` and `verinfer` are at hand. */
  shell(text: string, extra?: NodeJS.ProcessEnv): Promise<{ code: number; stdout: string; stderr: string }>;
  /** The service that the pages tell the reader to start. */
  serve(extra?: NodeJS.ProcessEnv): Promise<{ stop(): Promise<void> }>;
  remove(): Promise<void>;
}

const linked = [
  ...['circuits', 'prover', 'service', 'verifier-contracts', 'models', 'docs', 'test'],
  ...['dist', 'node_modules', 'Makefile', 'package.json', 'package-lock.json', 'tsconfig.json', 'README.md'],
];

export async function openWorkspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-docs-'));
  // As root, PostgreSQL runs as another user, who must be able to pass through.
  await chmod(folder, 0o711);
  const work = join(folder, 'work');
  await mkdir(join(folder, 'bin'));
  await mkdir(work, { mode: 0o755 });
  for (const name of linked) await symlink(join(process.cwd(), name), join(work, name));
  const shim = join(folder, 'bin', 'verinfer');
  await writeFile(shim, `#!/bin/sh\nexec node ${join(process.cwd(), 'dist/service/cli.js')} "$@"\n`);
  await chmod(shim, 0o755);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const shell: Workspace['shell'] = (text, extra = {}) =>
    new Promise((done) => {
      const child = spawn('bash', ['-euo', 'pipefail', '-c', text.replaceAll(documentedUrl, url)], {
        cwd: work,
        // Commands that would read what a person types must not wait for one.
        stdio: ['ignore', 'pipe', 'pipe'],
        // A group of its own: whatever a block left in the background ends with it.
        detached: true,
        env: {
          PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
          HOME: folder,
          NO_COLOR: '1',
          VERINFER_PORT: String(port),
          VERINFER_URL: url,
          VERINFER_PROVERS: '1',
          ...extra,
        },
      });
      const said = { stdout: '', stderr: '' };
      child.stdout.on('data', (chunk) => (said.stdout += String(chunk)));
      child.stderr.on('data', (chunk) => (said.stderr += String(chunk)));
      child.once('exit', (code) => {
        void endGroup(child.pid!).then(() => done({ code: code ?? 1, ...said }));
      });
    });
  const serve: Workspace['serve'] = async (extra = {}) => {
    const service = spawn(process.execPath, ['dist/service/cli.js', 'serve'], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        VERINFER_PORT: String(port),
        VERINFER_PROVERS: '1',
        VERINFER_LOG: 'silent',
        ...extra,
      },
    });
    const end = Date.now() + 200_000;
    while (!(await answers(`${url}/readyz`))) {
      if (Date.now() > end || service.exitCode !== null) throw new Error('the service did not start');
      await new Promise((done) => setTimeout(done, 250));
    }
    return {
      async stop() {
        if (service.exitCode !== null) return;
        service.kill('SIGTERM');
        await new Promise((done) => service.once('exit', done));
      },
    };
  };
  return { folder: work, url, shell, serve, remove: () => rm(folder, { recursive: true, force: true }) };
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

/** In order first: a service must write down what it holds. */
async function endGroup(pid: number): Promise<void> {
  const signal = (name: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(-pid, name);
    } catch {
      return false;
    }
  };
  signal('SIGTERM');
  for (let wait = 0; wait < 200 && signal(0); wait++) await new Promise((done) => setTimeout(done, 100));
  signal('SIGKILL');
}
