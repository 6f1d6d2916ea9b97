/**
 * One ceremony as a folder and a queue:
 *
 *   circuit.r1cs · phase1.ptau · transcript.json · keys/<sha256>.zkey · queue.json · incoming/
 *
 * The transcript is the truth: a key file counts once an entry names it, so a crash at any moment resumes at the last
 * verified head. One coordinator at a time (a lock file with its process id). Time, limits and beacon are injected.
 */
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CeremonyRefused, InvalidCeremony } from '../../prover/ceremony-error.js';
import { vkHash } from '../../prover/codec.js';
import { beaconKey } from '../../prover/phase2.js';
import { describeKey, verifyContribution } from '../../prover/phase2-verify.js';
import { type BeaconSource, checkBeaconValue } from './beacon.js';
import { ceremonyPaths, sha256File, syncFile, takeLock } from './folder.js';
import { type Participant, Queue } from './queue.js';
import {
  type Attestation,
  attestationText,
  isAttested,
  readTranscript,
  Transcript,
  writeTranscript,
} from './transcript.js';

export interface Limits {
  /** How long a participant may take once it is their turn. */
  readonly turnMs: number;
  /** First penalty for a missed or invalid turn; doubles each time. */
  readonly penaltyMs: number;
  /** Blocks between announcement and beacon. */
  readonly minimumLeadBlocks: number;
  /** Blocks on top of the beacon before it is taken. */
  readonly confirmations: number;
  /** Skipped turns that the transcript names; names and keys are free, entries are not. */
  readonly recordedSkips: number;
}

export const defaultLimits: Limits = {
  turnMs: 30 * 60_000,
  penaltyMs: 60 * 60_000,
  minimumLeadBlocks: 20,
  confirmations: 3,
  recordedSkips: 1000,
};

/** What a contribution may add to a key file: a record of 408 bytes and its parameters. */
const contributionBytes = 64 * 3 + 128 + 64 + 8 + 2 + 255 + 2 + 2 + 255;

export class Ceremony {
  #transcript: Transcript;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly folder: string,
    transcript: Transcript,
    readonly queue: Queue,
    readonly limits: Limits,
    private readonly beacon: BeaconSource | null,
    private readonly now: () => number,
  ) {
    this.#transcript = transcript;
  }

  /** Resumes at the last verified head; whatever was half done is dropped. */
  static async resume(
    folder: string,
    {
      limits = defaultLimits,
      beacon = null,
      now = Date.now,
    }: { limits?: Limits; beacon?: BeaconSource | null; now?: () => number } = {},
  ): Promise<Ceremony> {
    const p = ceremonyPaths(folder);
    await takeLock(p.lock);
    const transcript = await readTranscript(p.transcript);
    if ((await sha256File(p.key(transcript.head)).catch(() => null)) !== transcript.head) {
      throw new InvalidCeremony(folder, 'head', `the file ${transcript.head}`, 'another or none');
    }
    await rm(p.incoming, { recursive: true, force: true });
    await mkdir(p.incoming, { recursive: true });
    const queue = await Queue.load(p.queue, limits, now);
    return new Ceremony(folder, transcript, queue, limits, beacon, now);
  }

  async close(): Promise<void> {
    await this.#work.catch(() => undefined);
    await rm(ceremonyPaths(this.folder).lock, { force: true });
  }

  get transcript(): Transcript {
    return this.#transcript;
  }

  get headPath(): string {
    return ceremonyPaths(this.folder).key(this.#transcript.head);
  }

  /** Uploads larger than this are cut off before they are read. */
  async maxUploadBytes(): Promise<number> {
    return (await stat(this.headPath)).size + contributionBytes;
  }

  async join(participant: { name: string; publicKey: string }): Promise<Participant> {
    return this.#alone(async () => {
      await this.#expire();
      if (this.#transcript.final) throw new CeremonyRefused('ceremony', 'state', 'open', 'final');
      return this.queue.join(participant);
    });
  }

  /** Takes over the file at `path`. Throws CeremonyRefused when it is not their turn, what the check found otherwise. */
  async submit(
    token: string,
    path: string,
    attestation: Attestation | null,
  ): Promise<{ contributionHash: string }> {
    return this.#alone(async () => {
      await this.#expire();
      const participant = this.queue.requireTurn(token);
      await this.#requireBeforeBeacon();
      const size = (await stat(path)).size;
      const limit = await this.maxUploadBytes();
      try {
        if (size > limit) throw new InvalidCeremony('upload', 'size', `at most ${limit} bytes`, `${size}`);
        return await this.#accept(participant, path, attestation);
      } catch (error) {
        await rm(path, { force: true });
        await this.#skip(participant, 'invalid');
        throw error;
      }
    });
  }

  async #accept(
    participant: Participant,
    path: string,
    attestation: Attestation | null,
  ): Promise<{ contributionHash: string }> {
    const { name } = participant;
    const p = ceremonyPaths(this.folder);
    const previousKey = this.#transcript.head;
    const added = await verifyContribution(p.key(previousKey), path);
    if (added.beacon !== null)
      throw new InvalidCeremony('upload', 'contribution', 'made from a secret', 'a beacon');
    if (attestation !== null) {
      const text = attestationText(this.#transcript.opened.circuitDigest, previousKey, added.hash);
      const isTheirs = attestation.publicKey === participant.publicKey && isAttested(text, attestation);
      if (!isTheirs)
        throw new InvalidCeremony('upload', 'attestation', 'signed by the participant', 'another signature');
    }
    const key = await sha256File(path);
    await syncFile(path);
    await rename(path, p.key(key));
    await this.#append({
      kind: 'contributed',
      at: this.#at(),
      name,
      contributionHash: added.hash,
      key,
      previousKey,
      attestation,
    });
    await this.queue.finish(participant.token);
    return { contributionHash: added.hash };
  }

  /** Names the block that will be the beacon, while nobody can know its hash. */
  async announceBeacon(height: number, iterationsExponent = 10): Promise<void> {
    return this.#alone(async () => {
      const beacon = this.#requireBeacon();
      const { contributions, opened, announcement } = this.#transcript;
      if (announcement) throw new CeremonyRefused('beacon', 'announcement', 'made once', 'a second');
      if (contributions.length < opened.minimumContributions) {
        throw new CeremonyRefused(
          'ceremony',
          'contributions',
          `at least ${opened.minimumContributions}`,
          `${contributions.length}`,
        );
      }
      const heightNow = await beacon.height();
      const earliest = heightNow + this.limits.minimumLeadBlocks;
      if (height < earliest)
        throw new CeremonyRefused('beacon', 'height', `at least ${earliest}`, `${height}`);
      await this.#append({
        kind: 'beacon-announced',
        at: this.#at(),
        chainId: beacon.chainId,
        height,
        heightNow,
        iterationsExponent,
      });
    });
  }

  /** Applies the announced beacon. Throws CeremonyRefused while the chain is not there yet. */
  async finalise(): Promise<Transcript> {
    return this.#alone(async () => {
      const source = this.#requireBeacon();
      const { announcement, contributions } = this.#transcript;
      if (this.#transcript.final) throw new CeremonyRefused('ceremony', 'state', 'open', 'final');
      if (!announcement) throw new CeremonyRefused('beacon', 'height', 'announced', 'none');
      if (announcement.chainId !== source.chainId)
        throw new CeremonyRefused('beacon', 'chain', announcement.chainId, source.chainId);
      const height = await source.height();
      const needed = announcement.height + this.limits.confirmations;
      if (height < needed)
        throw new CeremonyRefused('beacon', 'chain height', `at least ${needed}`, `${height}`);
      const value = await source.hashAt(announcement.height);
      checkBeaconValue(
        value,
        contributions.map(({ contributionHash }) => contributionHash),
      );
      const p = ceremonyPaths(this.folder);
      const previousKey = this.#transcript.head;
      const partial = join(p.incoming, 'final.zkey');
      const { iterationsExponent } = announcement;
      const hash = await beaconKey(p.key(previousKey), partial, 'beacon', {
        value: value!,
        iterationsExponent,
      });
      await verifyContribution(p.key(previousKey), partial);
      const { verifyingKey } = await describeKey(partial);
      const key = await sha256File(partial);
      await syncFile(partial);
      await rename(partial, p.key(key));
      await this.#append({
        kind: 'finalised',
        at: this.#at(),
        beacon: Buffer.from(value!).toString('hex'),
        contributionHash: Buffer.from(hash).toString('hex'),
        ...{ key, previousKey },
        vkHash: vkHash(verifyingKey),
        contributorCount: contributions.length,
      });
      return this.#transcript;
    });
  }

  /** Applies the beacon once the chain has come far enough; false while it has not. */
  async finaliseIfDue(): Promise<boolean> {
    const { announcement, final } = this.#transcript;
    if (final || !announcement || this.beacon === null) return false;
    if ((await this.beacon.height()) < announcement.height + this.limits.confirmations) return false;
    await this.finalise();
    return true;
  }

  /** Skips whoever let their turn run out. */
  async expire(): Promise<void> {
    await this.#alone(() => this.#expire());
  }

  async #expire(): Promise<void> {
    for (let late = this.queue.late(); late; late = this.queue.late()) await this.#skip(late, 'timeout');
  }

  async #skip(participant: Participant, reason: 'timeout' | 'invalid'): Promise<void> {
    const until = await this.queue.penalize(participant.token);
    const skips = this.#transcript.entries.filter(({ kind }) => kind === 'skipped').length;
    if (skips >= this.limits.recordedSkips) return;
    await this.#append({
      kind: 'skipped',
      at: this.#at(),
      name: participant.name,
      reason,
      penaltyUntil: new Date(until).toISOString(),
    });
  }

  async #requireBeforeBeacon(): Promise<void> {
    if (this.#transcript.final) throw new CeremonyRefused('ceremony', 'state', 'open', 'final');
    const { announcement } = this.#transcript;
    if (!announcement) return;
    const height = await this.#requireBeacon().height();
    // From here on the beacon may be known, and a contribution could be chosen after it.
    if (height >= announcement.height) {
      throw new CeremonyRefused(
        'ceremony',
        'chain height',
        `below the beacon's ${announcement.height}`,
        `${height}`,
      );
    }
  }

  #requireBeacon(): BeaconSource {
    if (this.beacon === null) throw new CeremonyRefused('beacon', 'chain', 'configured', 'none');
    return this.beacon;
  }

  #at(): string {
    return new Date(this.now()).toISOString();
  }

  async #append(entry: Parameters<Transcript['append']>[0]): Promise<void> {
    const next = this.#transcript.append(entry);
    await writeTranscript(ceremonyPaths(this.folder).transcript, next);
    this.#transcript = next;
  }

  /** One change at a time. */
  #alone<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#work.then(change, change);
    this.#work = result.catch(() => undefined);
    return result;
  }
}
