/** A ceremony as its people run it: the command line, one process each, and a contributor who runs none of our code. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const cli = 'dist/service/cli.js';

/** One verb of the command line; rejects when it exits with another code than 0. */
export async function verinfer(...args: string[]): Promise<string> {
  const options = { maxBuffer: 2 ** 26 };
  const running = promisify(execFile)(process.execPath, [cli, ...args], options);
  running.child.stdin?.end('typed on a keyboard');
  return (await running).stdout;
}

export interface CoordinatorProcess {
  readonly url: string;
  /** SIGKILL: nothing is closed in order. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCoordinator(
  folder: string,
  rpcUrl: string,
  turnSeconds: number,
): Promise<CoordinatorProcess> {
  const args = [cli, 'ceremony', 'serve', folder, '--rpc', rpcUrl, '--turn', `${turnSeconds}`];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.once('exit', (code) => reject(new Error(`coordinator: exit ${code} before it answered`)));
  });
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return { url, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

export async function joinQueue(url: string, name: string): Promise<string> {
  const { publicKey } = generateKeyPairSync('ed25519');
  const response = await fetch(`${url}/queue`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      name,
      publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    }),
  });
  return ((await response.json()) as { token: string }).token;
}

/** Waits for the turn, then fetches the head. */
async function takeHead(url: string, token: string, to: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/turn`, { headers: { Authorization: `Bearer ${token}` } });
    const { position, head } = (await response.json()) as { position: number; head: string };
    if (position === 0) {
      const { body } = await fetch(`${url}/keys/${head}`);
      return pipeline(Readable.fromWeb(body as never), createWriteStream(to));
    }
    await sleep(100);
  }
}

export const upload = (url: string, token: string, file: string): Promise<Response> =>
  fetch(`${url}/contributions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: readFileSync(file),
  });

/** As the documentation tells those who trust none of our code: HTTP and snarkjs. Returns what snarkjs shows them. */
export async function contributeWithSnarkjs(url: string, name: string, folder: string): Promise<string> {
  const token = await joinQueue(url, name);
  const [head, next] = [join(folder, 'head.zkey'), join(folder, 'next.zkey')];
  await takeHead(url, token, head);
  const { stdout } = await promisify(execFile)('node_modules/.bin/snarkjs', [
    ...['zkey', 'contribute', head, next, `--name=${name}`, '-e=dice and coins'],
  ]);
  const response = await upload(url, token, next);
  if (response.status !== 201) throw new Error(`upload: ${response.status} ${await response.text()}`);
  // "Contribution Hash:" and four lines of four words.
  return stdout
    .split('Contribution Hash:')[1]!
    .match(/\b[0-9a-f]{8}\b/g)!
    .slice(0, 16)
    .join('');
}

/** Takes the turn, sends the first half of a key and then nothing more. The connection stays open. */
export async function sendHalf(url: string, name: string, folder: string): Promise<void> {
  const token = await joinQueue(url, name);
  const head = join(folder, 'half.zkey');
  await takeHead(url, token, head);
  const bytes = readFileSync(head);
  const sending = request(`${url}/contributions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Length': bytes.length },
  });
  // The coordinator will be killed under it.
  sending.on('error', () => undefined);
  await new Promise<void>((resolve) => sending.write(bytes.subarray(0, bytes.length >> 1), () => resolve()));
}
