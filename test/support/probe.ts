/**
 * What a hostile dependency would try from inside a process. Every answer is `done` or the code of the refusal. As the
 * program of a process it prints them; as a proving thread it refuses its task with them.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import type { Refused, ThreadTask } from '../../service/proving/protocol.js';

export interface ProbeTargets {
  /** A file that must stay unread, a folder that must stay unchanged, a port that must stay unreached. */
  readonly secretFile: string;
  readonly folder: string;
  readonly port: number;
}

const attempt = (act: () => unknown): string => {
  try {
    act();
    return 'done';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).name;
  }
};

const connected = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve('done')));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
  });

export async function probe({ secretFile, folder, port }: ProbeTargets): Promise<Record<string, string>> {
  const own = dirname(fileURLToPath(import.meta.url));
  return {
    'read a file': attempt(() => readFileSync(secretFile)),
    'list the root': attempt(() => readdirSync('/')),
    'read through /proc': attempt(() => readFileSync(`/proc/self/root${secretFile}`)),
    'write a file': attempt(() => writeFileSync(join(folder, 'written'), 'x')),
    'make a folder': attempt(() => mkdirSync(join(folder, 'made'))),
    'change our code': attempt(() => writeFileSync(join(own, 'planted.js'), '')),
    'remove a file': attempt(() => rmSync(secretFile)),
    'start a process': attempt(() => {
      const { error } = spawnSync('/bin/true');
      if (error) throw error;
    }),
    'reach the network': await connected(port),
    environment: Object.keys(process.env).sort().join(),
  };
}

/** A proving thread: targets come as the model's folder name, findings go back as the refusal's text. */
export default async function run({ task, port }: { task: ThreadTask; port: MessagePort }): Promise<Refused> {
  port.postMessage('started');
  const findings = await probe(JSON.parse(task.job.folder) as ProbeTargets);
  return { kind: 'refused', code: 'prover-refused', detail: JSON.stringify(findings) };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log(JSON.stringify(await probe(JSON.parse(process.argv[2]!) as ProbeTargets)));
