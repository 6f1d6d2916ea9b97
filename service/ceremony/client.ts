/** A contributor's side: join, wait, download the head, contribute, upload. Trusts the coordinator with nothing. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { contributeKey } from '../../prover/phase2.js';
import { sha256File } from './folder.js';
import { attestationText } from './transcript.js';

export interface ContributeOptions {
  readonly name: string;
  /** Hashed into the secret; the operating system's generator always feeds it. */
  readonly entropy?: Uint8Array;
  readonly keys?: ParticipantKeys;
  readonly pollMs?: number;
  readonly onProgress?: (step: string) => void;
  /** Makes the contribution; default: ours. For contributors who would rather run snarkjs. */
  readonly contribute?: (from: string, to: string) => Promise<Uint8Array>;
}

export interface ParticipantKeys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface Contributed {
  /** To be published elsewhere, and looked for in the transcript when the ceremony has ended. */
  readonly contributionHash: string;
  readonly publicKey: string;
}

interface Turn {
  readonly position: number;
  readonly head: string;
}

export async function contribute(url: string, options: ContributeOptions): Promise<Contributed> {
  const { name, keys = generateKeyPairSync('ed25519'), pollMs = 1000, onProgress, entropy } = options;
  const publicKey = keys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const { token } = await call<{ token: string }>(url, 'queue', {
    method: 'POST',
    body: JSON.stringify({ name, publicKey }),
    headers: { 'Content-Type': 'application/json' },
  });
  const headers = { Authorization: `Bearer ${token}` };
  let turn = await call<Turn>(url, 'turn', { headers });
  while (turn.position > 0) {
    onProgress?.(`waiting, ${turn.position} before me`);
    await sleep(pollMs);
    turn = await call<Turn>(url, 'turn', { headers });
  }
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-contribution-'));
  try {
    const [from, to] = [join(folder, 'head.zkey'), join(folder, 'next.zkey')];
    onProgress?.('downloading the head');
    await download(new URL(`keys/${turn.head}`, base(url)), from, turn.head);
    onProgress?.('contributing');
    const make =
      options.contribute ??
      ((a: string, b: string) => contributeKey(a, b, { name, ...(entropy && { entropy }) }));
    const hash = Buffer.from(await make(from, to)).toString('hex');
    const { circuitDigest } = await call<{ circuitDigest: string }>(url, '', {});
    const signature = sign(
      null,
      Buffer.from(attestationText(circuitDigest, turn.head, hash)),
      keys.privateKey,
    );
    onProgress?.('uploading');
    const accepted = await call<{ contributionHash: string }>(url, 'contributions', {
      method: 'POST',
      headers: {
        ...headers,
        Attestation: signature.toString('base64'),
        'Content-Length': `${(await stat(to)).size}`,
      },
      body: Readable.toWeb(createReadStream(to)) as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    if (accepted.contributionHash !== hash)
      throw new Error('ceremony: the coordinator recorded another contribution');
    return { contributionHash: hash, publicKey };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const base = (url: string): string => (url.endsWith('/') ? url : `${url}/`);

async function call<T>(url: string, path: string, init: RequestInit): Promise<T> {
  const response = await fetch(new URL(path, base(url)), { ...init, redirect: 'error' });
  const body = (await response.json().catch(() => ({}))) as T & { detail?: string };
  if (!response.ok) throw new Error(`ceremony: ${path || 'state'}: ${response.status} ${body.detail ?? ''}`);
  return body;
}

/** The file must be the one the transcript names. */
async function download(url: URL, path: string, hash: string): Promise<void> {
  const response = await fetch(url, { redirect: 'error' });
  if (!response.ok || response.body === null) throw new Error(`ceremony: head: ${response.status}`);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(path, { mode: 0o600 }));
  const got = await sha256File(path);
  if (got !== hash) throw new Error(`ceremony: head: SHA-256 must be ${hash}, got ${got}`);
}
