/**
 * The command line of a process that may read what it is told and nothing else: Node's permission model for files,
 * writing and starting processes, and a network namespace of its own where the kernel gives an unprivileged process
 * one. What native code does is outside Node's model; the namespace holds for it too.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(dist);

export interface Confinement {
  /** Folders to read besides our own code; made if they are not there yet. */
  readonly readable?: readonly string[];
  /** Proving needs threads and the native prover; parsing needs neither. */
  readonly withThreadsAndAddons?: boolean;
}

/** Node's flags: no file but these is opened, none written, no process started. */
export function permissionFlags({ readable = [], withThreadsAndAddons = false }: Confinement): string[] {
  const major = Number(process.versions.node.split('.')[0]);
  const installed = join(root, 'node_modules');
  readable.forEach((folder) => mkdirSync(folder, { recursive: true }));
  const paths = [dist, installed, join(root, 'package.json'), ...readable];
  // Node aborts when a path is allowed twice, and a folder is its own real path unless it is a link.
  const allowed = new Set(paths.flatMap((path) => [path, realpathSync(path)]));
  return [
    major >= 24 ? '--permission' : '--experimental-permission',
    ...Array.from(allowed, (path) => `--allow-fs-read=${path}`),
    ...(withThreadsAndAddons ? ['--allow-worker', '--allow-addons'] : []),
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
    '--no-deprecation',
  ];
}

/** Before a command: runs it with no network but an unconnected loopback. Empty where the kernel refuses. */
export function withoutNetwork(): string[] {
  return canUnshare() ? ['unshare', '-rn'] : [];
}

let unshares: boolean | undefined;
const canUnshare = (): boolean =>
  (unshares ??= spawnSync('unshare', ['-rn', 'true'], { stdio: 'ignore' }).status === 0);

/** All the environment such a process has. */
export const bareEnvironment: Readonly<Record<string, string>> = { LC_ALL: 'C' };
