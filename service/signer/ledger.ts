/** The signer's memory: what was asked for, which nonce it got, and every signed byte that may be out there. */
import type { Fees } from './fees.js';

/**
 *   queued ─▶ signed ─▶ broadcast ─▶ mined ─▶ final
 *      │ ╲─▶ expired        ▲──reorg──╯ ╲─▶ reverted (final, without effect)
 *      ╰─▶ refused
 * A nonce that another transaction of this key took, for good, sends its intent back to queued.
 */
export type IntentState =
  'queued' | 'signed' | 'broadcast' | 'mined' | 'final' | 'reverted' | 'expired' | 'refused';
export const finalStates: readonly IntentState[] = ['final', 'reverted', 'expired', 'refused'];

export interface Intent {
  readonly id: string;
  readonly chainId: number;
  readonly to: string;
  readonly data: string;
  readonly valueWei: bigint;
  /** Chain time in Unix seconds after which it is no longer sent. */
  readonly notAfterS: number | null;
}

export interface Entry extends Intent {
  readonly state: IntentState;
  readonly nonce: number | null;
  /** Oldest first; they differ in their fees alone. */
  readonly attempts: readonly Attempt[];
  readonly transactionHash: string | null;
  readonly blockNumber: number | null;
  readonly blockHash: string | null;
  readonly gasUsed: bigint | null;
  readonly reason: string | null;
  /** Simulations that failed before it was signed. */
  readonly failures: number;
}

export interface Attempt extends Fees {
  readonly hash: string;
  /** The signed transaction, 0x-hex. */
  readonly raw: string;
  readonly gasLimit: bigint;
}

export type EntryChange = Partial<
  Pick<
    Entry,
    'state' | 'nonce' | 'transactionHash' | 'blockNumber' | 'blockHash' | 'gasUsed' | 'reason' | 'failures'
  >
>;

export interface Ledger {
  /** False when the id is there: the same intent is never entered twice. Throws when it is there with other content. */
  enter(intent: Intent): Promise<boolean>;
  read(id: string): Promise<Entry | null>;
  /** The intent that holds this nonce, closed or not. */
  withNonce(nonce: number): Promise<Entry | null>;
  /** Not closed, by nonce, then by order of entry. */
  open(): Promise<readonly Entry[]>;
  /** Atomically: the nonce, the signed bytes and state signed. Throws when the nonce is another intent's. */
  sign(id: string, nonce: number, attempt: Attempt): Promise<void>;
  /** Another set of bytes for the same nonce. */
  replace(id: string, attempt: Attempt): Promise<void>;
  change(id: string, change: EntryChange): Promise<void>;
  /** One more than the highest nonce in the ledger, 0 when there is none. */
  nextNonce(): Promise<number>;
  /** Signed within the last hour. */
  recent(): Promise<{ count: number; valueWei: bigint }>;
}

/** An id that came back with another payload. */
export class IntentConflict extends Error {
  constructor(id: string) {
    super(`intent ${id}: content must stay the same, got another`);
    this.name = 'IntentConflict';
  }
}

export const sameIntent = (a: Intent, b: Intent): boolean =>
  a.chainId === b.chainId &&
  a.to.toLowerCase() === b.to.toLowerCase() &&
  a.data.toLowerCase() === b.data.toLowerCase() &&
  a.valueWei === b.valueWei &&
  a.notAfterS === b.notAfterS;
