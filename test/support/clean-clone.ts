/** The repository as a stranger gets it: cloned, with nothing built and nothing configured. */
import { execFile } from 'node:child_process';
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface CleanClone {
  readonly folder: string;
  /** Runs a built script there, with this clone's own environment. Rejects on a non-zero exit code. */
  node(args: readonly string[], options?: { timeoutMs?: number; network?: boolean }): Promise<string>;
}

/**
 * Clones HEAD and builds all that the command line needs, with make. Packages are linked, not installed: `npm ci` with
 * pinned hashes is tested elsewhere, and takes minutes.
 */
export async function cleanClone(folder: string, environment: Record<string, string>): Promise<CleanClone> {
  mkdirSync(dirname(folder), { recursive: true });
  const home = `${folder}-home`;
  mkdirSync(home);
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, ...environment };
  await run('git', ['-c', 'safe.directory=*', 'clone', '--quiet', process.cwd(), folder], { env });
  symlinkSync(realpathSync('node_modules'), join(folder, 'node_modules'));
  // -o: the packages are others' too, so their time stamp stays as it is.
  const targets = ['dist/.typescript', 'dist/prover/native/.built', 'verifier-contracts/out/.built'];
  await run('make', ['-o', 'node_modules/.installed', ...targets], { cwd: folder, env, maxBuffer: 2 ** 24 });
  return {
    folder,
    async node(args, { timeoutMs, network = true } = {}) {
      const command = network ? [process.execPath, ...args] : ['unshare', '-rn', process.execPath, ...args];
      const options = { cwd: home, env, maxBuffer: 2 ** 26, ...(timeoutMs && { timeout: timeoutMs }) };
      return (await run(command[0]!, command.slice(1), options)).stdout;
    },
  };
}
