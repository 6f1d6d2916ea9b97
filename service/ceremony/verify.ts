/**
 * Everything a ceremony claims, checked again from its folder: phase 1, the circuit, every contribution in the final
 * key, the transcript's chain and signatures, and that both tell the same story. Trusts no file it is given.
 */
import { stat } from 'node:fs/promises';
import { readR1cs } from '../../circuits/r1cs/file.js';
import { InvalidCeremony } from '../../prover/ceremony-error.js';
import { vkHash } from '../../prover/codec.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { type KeyReport, verifyKey } from '../../prover/phase2-verify.js';
import { type PtauReport, verifyPtau } from '../../prover/ptau-verify.js';
import { type BeaconSource, checkBeaconValue } from './beacon.js';
import { ceremonyPaths, sha256File } from './folder.js';
import { attestationText, isAttested, readTranscript, type Transcript } from './transcript.js';

export interface CeremonyReport {
  /** SHA-256 of the R1CS, `0x…`: circuitHash of the model id. */
  readonly circuitHash: string;
  readonly vkHash: string;
  readonly verifyingKey: VerifyingKey;
  /** Keys, not people. */
  readonly contributorCount: number;
  readonly attestedCount: number;
  readonly transcriptDigest: string;
  readonly phase1: PtauReport;
  /** Whether the beacon was compared with the chain, or only with the transcript. */
  readonly isBeaconChecked: boolean;
  readonly keyPath: string;
}

export interface VerifyCeremonyOptions {
  /** The beacon's chain; without it the block hash is taken from the transcript. */
  readonly beacon?: BeaconSource;
  readonly onProgress?: (share: number, step: string) => void;
}

/** Throws MalformedFile, InvalidCeremony or UnsafeVerifyingKey for anything that does not check. */
export async function verifyCeremony(
  folder: string,
  { beacon, onProgress }: VerifyCeremonyOptions = {},
): Promise<CeremonyReport> {
  const p = ceremonyPaths(folder);
  const transcript = await readTranscript(p.transcript);
  const { opened, final, announcement } = transcript;
  if (!final || !announcement) return fail(folder, 'state', 'final', 'still open');
  const circuitHash = `0x${await sha256File(p.r1cs)}`;
  if (circuitHash !== opened.circuitHash) fail(p.r1cs, 'SHA-256', opened.circuitHash, circuitHash);
  const phase1Hash = await sha256File(p.phase1);
  if (phase1Hash !== opened.phase1Hash) fail(p.phase1, 'SHA-256', opened.phase1Hash, phase1Hash);
  const phase1 = await verifyPtau(p.phase1, { onProgress: (share, step) => onProgress?.(0.4 * share, step) });

  const keyPath = p.key(final.key);
  await checkKeyFiles(folder, transcript);
  const key = await verifyKey(await readR1cs(p.r1cs), p.phase1, keyPath, {
    onProgress: (share, step) => onProgress?.(0.4 + 0.6 * share, step),
  });
  checkStory(folder, transcript, key);
  checkBeaconValue(
    Buffer.from(final.beacon, 'hex'),
    transcript.contributions.map((c) => c.contributionHash),
  );
  if (beacon) await checkAgainstChain(beacon, announcement, final.beacon);
  return {
    circuitHash,
    vkHash: vkHash(key.verifyingKey),
    verifyingKey: key.verifyingKey,
    contributorCount: transcript.contributions.length,
    attestedCount: transcript.contributions.filter(({ attestation }) => attestation !== null).length,
    transcriptDigest: transcript.digest,
    phase1,
    isBeaconChecked: beacon !== undefined,
    keyPath,
  };
}

function fail(where: string, what: string, expected: string, got: string): never {
  throw new InvalidCeremony(where, what, expected, got);
}

/** Intermediate keys may have been deleted; those that are there must be what they are named. */
async function checkKeyFiles(folder: string, { opened, contributions, final }: Transcript): Promise<void> {
  const p = ceremonyPaths(folder);
  for (const hash of [opened.initialKey, ...contributions.map(({ key }) => key), final!.key]) {
    if (hash !== final!.key && !(await stat(p.key(hash)).catch(() => null))) continue;
    const got = await sha256File(p.key(hash)).catch(() => 'no file');
    if (got !== hash) fail(p.key(hash), 'SHA-256', hash, got);
  }
}

/** The key's own contributions and the transcript's, side by side. */
function checkStory(where: string, transcript: Transcript, key: KeyReport): void {
  const { opened, contributions, final, announcement } = transcript;
  if (key.circuitHash !== opened.circuitDigest)
    fail(where, 'circuit digest', opened.circuitDigest, key.circuitHash);
  if (key.contributions.length !== contributions.length + 1) {
    fail(
      where,
      'contributions of the key',
      `${contributions.length} and a beacon`,
      `${key.contributions.length}`,
    );
  }
  if (contributions.length < opened.minimumContributions) {
    fail(where, 'contributions', `at least ${opened.minimumContributions}`, `${contributions.length}`);
  }
  let head = opened.initialKey;
  for (const [i, entry] of contributions.entries()) {
    const made = key.contributions[i];
    if (entry.contributionHash !== made.hash)
      fail(where, `contribution ${i + 1}`, made.hash, entry.contributionHash);
    if (made.beacon !== null) fail(where, `contribution ${i + 1}`, 'made from a secret', 'a beacon');
    if (entry.previousKey !== head) fail(where, `key before contribution ${i + 1}`, head, entry.previousKey);
    head = entry.key;
    if (entry.attestation === null) continue;
    const text = attestationText(opened.circuitDigest, entry.previousKey, entry.contributionHash);
    if (!isAttested(text, entry.attestation))
      fail(where, `attestation ${i + 1}`, 'a valid signature', 'an invalid one');
  }
  const last = key.contributions.at(-1)!;
  if (final!.previousKey !== head) fail(where, 'key before the beacon', head, final!.previousKey);
  if (last.hash !== final!.contributionHash)
    fail(where, 'beacon contribution', last.hash, final!.contributionHash);
  if (last.beacon?.value !== final!.beacon) fail(where, 'beacon', final!.beacon, `${last.beacon?.value}`);
  if (last.beacon.iterationsExponent !== announcement!.iterationsExponent) {
    fail(
      where,
      'iterations exponent',
      `${announcement!.iterationsExponent}`,
      `${last.beacon.iterationsExponent}`,
    );
  }
  if (vkHash(key.verifyingKey) !== final!.vkHash)
    fail(where, 'vkHash', final!.vkHash, vkHash(key.verifyingKey));
  if (final!.contributorCount !== contributions.length) {
    fail(where, 'contributor count', `${contributions.length}`, `${final!.contributorCount}`);
  }
  const at = transcript.entries.map((entry) => entry.kind);
  if (at.indexOf('beacon-announced') > at.indexOf('finalised'))
    fail(where, 'announcement', 'before the end', 'after it');
}

async function checkAgainstChain(
  source: BeaconSource,
  { chainId, height }: { chainId: string; height: number },
  value: string,
): Promise<void> {
  if (source.chainId !== chainId) fail('beacon', 'chain', chainId, source.chainId);
  const found = await source.hashAt(height);
  const got = found === null ? 'no such block' : Buffer.from(found).toString('hex');
  if (got !== value) fail('beacon', `hash of block ${height}`, value, got);
}
