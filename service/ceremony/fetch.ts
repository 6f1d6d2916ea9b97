/** A copy of a ceremony from its coordinator: all that `verifyCeremony` needs, each file compared with the transcript. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CeremonyRefused, InvalidCeremony } from '../../prover/ceremony-error.js';
import { ceremonyPaths, sha256File } from './folder.js';
import { parseTranscript, type Transcript, writeTranscript } from './transcript.js';

const maxTranscriptBytes = 16 * 2 ** 20;

/**
 * Writes transcript, circuit, phase 1 and the newest key into `folder`; the keys before it are not needed. Says where
 * the files came from, not that they are right: that is `ceremony verify`. Throws InvalidCeremony, CeremonyRefused.
 */
export async function fetchCeremony(
  url: string,
  folder: string,
  onProgress: (step: string) => void = () => undefined,
): Promise<Transcript> {
  const p = ceremonyPaths(folder);
  await mkdir(p.keys, { recursive: true });
  onProgress('transcript');
  const text = await (await get(url, 'transcript')).text();
  if (text.length > maxTranscriptBytes)
    throw new InvalidCeremony(
      url,
      'transcript',
      `at most ${maxTranscriptBytes} characters`,
      `${text.length}`,
    );
  const transcript = parseTranscript(text, url);
  const { opened, head } = transcript;
  for (const [name, path, hash] of [
    ['circuit', p.r1cs, opened.circuitHash.slice(2)],
    ['phase1', p.phase1, opened.phase1Hash],
    [`keys/${head}`, p.key(head), head],
  ] as const) {
    onProgress(name);
    await download(url, name, path, hash);
  }
  await writeTranscript(p.transcript, transcript);
  return transcript;
}

async function get(url: string, name: string): Promise<Response> {
  const at = new URL(name, url.endsWith('/') ? url : `${url}/`);
  const response = await fetch(at, { redirect: 'error' });
  if (!response.ok || response.body === null)
    throw new CeremonyRefused(`${at}`, 'answer', '200', `${response.status}`);
  return response;
}

async function download(url: string, name: string, path: string, hash: string): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const { body } = await get(url, name);
    await pipeline(Readable.fromWeb(body as never), createWriteStream(partial));
    const got = await sha256File(partial);
    if (got !== hash) throw new InvalidCeremony(name, 'SHA-256', hash, got);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
