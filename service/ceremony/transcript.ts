/**
 * The public record of a ceremony: entries that name each other by hash, each the canonical JSON (RFC 8785) of a
 * closed schema. The digest of the last entry stands for all of them, and is what the model id carries. Keys are
 * named by the SHA-256 of their files.
 */
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { InvalidCeremony } from '../../prover/ceremony-error.js';
import { canonicalText } from '../verifier/receipt.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const blake2b512 = z.string().regex(/^[0-9a-f]{128}$/);
const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const time = z.iso.datetime();
/** Printable, no control or bidirectional characters: it is shown in terminals and pages. */
export const participantName = z.string().regex(/^[\p{L}\p{N} ._@-]{1,64}$/u);
/** Ed25519, SubjectPublicKeyInfo in base64; the participant's identity. */
export const participantKey = z.string().regex(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/);
const attestation = z.strictObject({
  publicKey: participantKey,
  signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});

const common = { previous: sha256.nullable(), at: time };

const opened = z.strictObject({
  ...common,
  kind: z.literal('opened'),
  /** SHA-256 of `circuit.r1cs`. */
  circuitHash: bytes32,
  modelHash: bytes32.nullable(),
  /** SHA-256 and power of the powers of tau. */
  phase1Hash: sha256,
  phase1Power: z.int().min(1).max(27),
  /** The digest the contributions start from (snarkjs's circuit hash). */
  circuitDigest: blake2b512,
  initialKey: sha256,
  minimumContributions: z.int().min(1).max(1000),
});

const contributed = z.strictObject({
  ...common,
  kind: z.literal('contributed'),
  name: participantName,
  /** What the contributor published. */
  contributionHash: blake2b512,
  key: sha256,
  previousKey: sha256,
  /** Over attestationText; null when the contributor gave none (a plain snarkjs contributor may not). */
  attestation: attestation.nullable(),
});

const skipped = z.strictObject({
  ...common,
  kind: z.literal('skipped'),
  name: participantName,
  reason: z.enum(['timeout', 'invalid']),
  penaltyUntil: time,
});

const announced = z.strictObject({
  ...common,
  kind: z.literal('beacon-announced'),
  chainId: z.string().regex(/^[1-9][0-9]{0,77}$/),
  /** The block whose hash will be the beacon. Contributions end when the chain reaches it. */
  height: z.int().min(1),
  /** The chain's height when this was written. */
  heightNow: z.int().min(0),
  iterationsExponent: z.int().min(10).max(20),
});

const finalised = z.strictObject({
  ...common,
  kind: z.literal('finalised'),
  /** The block's hash. */
  beacon: z.string().regex(/^[0-9a-f]{64}$/),
  contributionHash: blake2b512,
  key: sha256,
  previousKey: sha256,
  vkHash: bytes32,
  /** Keys, not people: nobody can tell whether two contributors are one. The beacon is not counted. */
  contributorCount: z.int().min(1).max(65535),
});

export const entrySchema = z.discriminatedUnion('kind', [opened, contributed, skipped, announced, finalised]);
export type Entry = z.infer<typeof entrySchema>;
export type OpenedEntry = z.infer<typeof opened>;
export type ContributedEntry = z.infer<typeof contributed>;
export type FinalisedEntry = z.infer<typeof finalised>;
export type Attestation = z.infer<typeof attestation>;

const maxEntries = 10_000;

export class Transcript {
  readonly entries: readonly Entry[];
  constructor(entries: readonly Entry[]) {
    this.entries = entries;
  }

  get opened(): OpenedEntry {
    return this.entries[0] as OpenedEntry;
  }

  get contributions(): readonly ContributedEntry[] {
    return this.entries.filter((entry) => entry.kind === 'contributed');
  }

  get announcement(): z.infer<typeof announced> | undefined {
    return this.entries.find((entry) => entry.kind === 'beacon-announced');
  }

  get final(): FinalisedEntry | undefined {
    const last = this.entries.at(-1);
    return last?.kind === 'finalised' ? last : undefined;
  }

  /** SHA-256 of the file that the next contribution builds on. */
  get head(): string {
    return this.final?.key ?? this.contributions.at(-1)?.key ?? this.opened.initialKey;
  }

  /** `0x` and the SHA-256 of the last entry. */
  get digest(): string {
    return `0x${digestOf(this.entries.at(-1)!)}`;
  }

  append(entry: DistributiveOmit<Entry, 'previous'>): Transcript {
    const previous = this.entries.length === 0 ? null : digestOf(this.entries.at(-1)!);
    return parseTranscript(JSON.stringify([...this.entries, { ...entry, previous }]));
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const digestOf = (entry: Entry): string => createHash('sha256').update(canonicalText(entry)).digest('hex');

/** Throws InvalidCeremony unless it is a chain of known entries in an order that a ceremony can have. */
export function parseTranscript(text: string, where = 'transcript'): Transcript {
  const fail = (what: string, expected: string, got: string): never => {
    throw new InvalidCeremony(where, what, expected, got.slice(0, 200));
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail('text', 'JSON', 'something else');
  }
  const parsed = z.array(entrySchema).min(1).max(maxEntries).safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail(`entry ${issue.path.join('.')}`, issue.message, 'another value');
  }
  let previous: string | null = null;
  let announcedHeight: number | null = null;
  for (const [i, entry] of parsed.data.entries()) {
    if (entry.previous !== previous) fail(`previous of entry ${i}`, `${previous}`, `${entry.previous}`);
    previous = digestOf(entry);
    if ((entry.kind === 'opened') !== (i === 0)) fail(`entry ${i}`, 'opened first and once', entry.kind);
    if (entry.kind === 'finalised' && i !== parsed.data.length - 1)
      fail(`entry ${i}`, 'finalised last', 'an entry after it');
    if (entry.kind === 'finalised' && announcedHeight === null)
      fail(`entry ${i}`, 'a beacon announced before', 'none');
    if (entry.kind === 'beacon-announced') {
      if (announcedHeight !== null) fail(`entry ${i}`, 'one announcement', 'a second');
      if (entry.height <= entry.heightNow)
        fail(`height of entry ${i}`, `above ${entry.heightNow}, in the future`, `${entry.height}`);
      announcedHeight = entry.height;
    }
  }
  return new Transcript(parsed.data);
}

/** What a contributor signs: this ceremony, this contribution, on this key. */
export const attestationText = (
  circuitDigest: string,
  previousKey: string,
  contributionHash: string,
): string =>
  `verinfer ceremony attestation\ncircuit ${circuitDigest}\nbuilt on ${previousKey}\ncontribution ${contributionHash}\n`;

export function isAttested(text: string, { publicKey, signature }: Attestation): boolean {
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
  return verifySignature(null, Buffer.from(text), key, Buffer.from(signature, 'base64'));
}

export async function readTranscript(path: string): Promise<Transcript> {
  return parseTranscript(await readFile(path, 'utf8'), path);
}

/** Whole or not at all. */
export async function writeTranscript(path: string, transcript: Transcript): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, `${JSON.stringify(transcript.entries, null, 1)}\n`, { flush: true });
  await rename(partial, path);
}
