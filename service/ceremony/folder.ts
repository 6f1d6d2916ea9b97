/** A ceremony on disk. A key file counts once the transcript names it; the lock holds one coordinator's process id. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CeremonyRefused } from '../../prover/ceremony-error.js';

export const ceremonyPaths = (folder: string) => ({
  r1cs: join(folder, 'circuit.r1cs'),
  phase1: join(folder, 'phase1.ptau'),
  transcript: join(folder, 'transcript.json'),
  queue: join(folder, 'queue.json'),
  incoming: join(folder, 'incoming'),
  keys: join(folder, 'keys'),
  lock: join(folder, 'coordinator.lock'),
  key: (hash: string) => join(folder, 'keys', `${hash}.zkey`),
});

export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync();
  await file.close();
}

export async function takeLock(path: string): Promise<void> {
  try {
    await writeFile(path, `${process.pid}`, { flag: 'wx' });
  } catch {
    const holder = Number(await readFile(path, 'utf8').catch(() => ''));
    if (holder !== process.pid && isAlive(holder)) {
      throw new CeremonyRefused('ceremony', 'coordinator', 'one process', `process ${holder} holds it`);
    }
    await writeFile(path, `${process.pid}`);
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
