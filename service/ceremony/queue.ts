/** Who contributes next. Kept in one small file beside the transcript; losing it costs a place in line, no more. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { CeremonyRefused } from '../../prover/ceremony-error.js';
import { participantKey, participantName } from './transcript.js';

const participant = z.strictObject({
  name: participantName,
  publicKey: participantKey,
  /** Known to the participant alone. */
  token: z.string(),
  /** Milliseconds; null while others are before them. */
  turnEnds: z.number().nullable(),
});
const penalty = z.strictObject({ count: z.int(), until: z.number() });
const stateSchema = z.strictObject({
  waiting: z.array(participant),
  penalties: z.record(z.string(), penalty),
});

export type Participant = z.infer<typeof participant>;

const maxWaiting = 1000;
/** More than these, and those that are over are forgotten. */
const maxPenalties = 10_000;

export class Queue {
  private constructor(
    private readonly path: string,
    private readonly limits: { readonly turnMs: number; readonly penaltyMs: number },
    private readonly now: () => number,
    private state: z.infer<typeof stateSchema>,
  ) {}

  static async load(
    path: string,
    limits: { readonly turnMs: number; readonly penaltyMs: number },
    now: () => number,
  ): Promise<Queue> {
    const text = await readFile(path, 'utf8').catch(() => null);
    const state = text === null ? { waiting: [], penalties: {} } : stateSchema.parse(JSON.parse(text));
    const queue = new Queue(path, limits, now, state);
    // Time while the coordinator was down does not count against whoever's turn it is.
    if (state.waiting[0]) state.waiting[0].turnEnds = now() + limits.turnMs;
    return queue;
  }

  get waiting(): readonly Participant[] {
    return this.state.waiting;
  }

  async join({ name, publicKey }: { name: string; publicKey: string }): Promise<Participant> {
    const isWellFormed =
      participantName.safeParse(name).success && participantKey.safeParse(publicKey).success;
    if (!isWellFormed)
      throw new CeremonyRefused('queue', 'participant', 'a printable name and an Ed25519 key', 'another');
    const { waiting, penalties } = this.state;
    const until = penalties[publicKey]?.until ?? 0;
    if (until > this.now())
      throw new CeremonyRefused('queue', 'penalty', 'over', `until ${new Date(until).toISOString()}`);
    if (waiting.some((other) => other.publicKey === publicKey))
      throw new CeremonyRefused('queue', 'participant', 'new', 'one in the queue');
    if (waiting.length >= maxWaiting)
      throw new CeremonyRefused('queue', 'length', `below ${maxWaiting}`, `${waiting.length}`);
    const joined = { name, publicKey, token: randomBytes(32).toString('hex'), turnEnds: null };
    waiting.push(joined);
    await this.#save();
    return waiting.find(({ token }) => token === joined.token)!;
  }

  find(token: string): Participant | undefined {
    return this.state.waiting.find((other) => isEqual(other.token, token));
  }

  requireTurn(token: string): Participant {
    const found = this.find(token);
    if (!found) throw new CeremonyRefused('queue', 'token', 'of a participant in the queue', 'another');
    if (found !== this.state.waiting[0]) {
      throw new CeremonyRefused('queue', 'turn', 'yours', `place ${this.state.waiting.indexOf(found) + 1}`);
    }
    return found;
  }

  /** The participant at the front, when their time is up. */
  late(): Participant | undefined {
    const [first] = this.state.waiting;
    return first !== undefined && (first.turnEnds ?? Infinity) <= this.now() ? first : undefined;
  }

  async finish(token: string): Promise<void> {
    this.state.waiting = this.state.waiting.filter((other) => other.token !== token);
    await this.#save();
  }

  /** Out of the queue, and not back before the time returned. */
  async penalize(token: string): Promise<number> {
    const found = this.find(token)!;
    const count = (this.state.penalties[found.publicKey]?.count ?? 0) + 1;
    const until = this.now() + this.limits.penaltyMs * 2 ** Math.min(count - 1, 10);
    this.state.penalties[found.publicKey] = { count, until };
    if (Object.keys(this.state.penalties).length > maxPenalties)
      for (const [key, penalty] of Object.entries(this.state.penalties))
        if (penalty.until <= this.now()) delete this.state.penalties[key];
    await this.finish(token);
    return until;
  }

  async #save(): Promise<void> {
    const [first] = this.state.waiting;
    if (first) first.turnEnds ??= this.now() + this.limits.turnMs;
    const partial = `${this.path}.partial`;
    await writeFile(partial, JSON.stringify(this.state), { mode: 0o600 });
    await rename(partial, this.path);
  }
}

const isEqual = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
