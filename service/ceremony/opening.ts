/** The first entry of a ceremony: which circuit, on which powers of tau, from which initial key. */
import { copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readR1cs } from '../../circuits/r1cs/file.js';
import { CeremonyRefused } from '../../prover/ceremony-error.js';
import { newPhase2Key } from '../../prover/initial-key.js';
import { verifyPtau } from '../../prover/ptau-verify.js';
import { ceremonyPaths, sha256File } from './folder.js';
import { Transcript, writeTranscript } from './transcript.js';

export interface Opening {
  readonly folder: string;
  readonly r1csPath: string;
  /** Prepared powers of tau. */
  readonly phase1Path: string;
  /** SHA-256 of the model, `0x…`. */
  readonly modelHash?: string;
  /** What the powers of tau must hash to (SHA-256, hex), when they came from elsewhere. */
  readonly phase1Hash?: string;
  readonly minimumContributions?: number;
  readonly onProgress?: (share: number, step: string) => void;
}

/** Verifies phase 1, makes the initial key and writes the first entry. */
export async function openCeremony(
  { folder, r1csPath, phase1Path, modelHash, phase1Hash, minimumContributions = 1, onProgress }: Opening,
  now = Date.now,
): Promise<void> {
  const p = ceremonyPaths(folder);
  if (await stat(p.transcript).catch(() => null))
    throw new CeremonyRefused(folder, 'folder', 'without a ceremony', 'one that has one');
  await mkdir(p.keys, { recursive: true });
  await copyFile(r1csPath, p.r1cs);
  await copyFile(phase1Path, p.phase1);
  const got = await sha256File(p.phase1);
  if (phase1Hash !== undefined && got !== phase1Hash)
    throw new CeremonyRefused(phase1Path, 'SHA-256', phase1Hash, got);
  const phase1 = await verifyPtau(p.phase1, { onProgress: (share, step) => onProgress?.(0.6 * share, step) });
  if (!phase1.isPrepared) throw new CeremonyRefused(phase1Path, 'powers of tau', 'prepared', 'not prepared');
  const partial = join(p.keys, 'initial.partial');
  const circuitDigest = await newPhase2Key(await readR1cs(p.r1cs), p.phase1, partial, {
    onProgress: (share, step) => onProgress?.(0.6 + 0.4 * share, step),
  });
  const initialKey = await sha256File(partial);
  await rename(partial, p.key(initialKey));
  const transcript = new Transcript([]).append({
    kind: 'opened',
    at: new Date(now()).toISOString(),
    circuitHash: `0x${await sha256File(p.r1cs)}`,
    modelHash: modelHash ?? null,
    phase1Hash: phase1.fileHash,
    phase1Power: phase1.power,
    circuitDigest: Buffer.from(circuitDigest).toString('hex'),
    initialKey,
    minimumContributions,
  });
  await writeTranscript(p.transcript, transcript);
}
