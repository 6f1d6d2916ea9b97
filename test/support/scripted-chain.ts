/**
 * A chain of one account as a signer sees it, in memory: blocks, a pool with a node's rules for replacement, and whatever a
 * schedule does to it: fees, reorgs, nonces spent elsewhere, empty accounts, calls that fail or whose answer is lost.
 */
import { Transaction } from 'ethers';
import type { ChainView, Head, Inclusion } from '../../service/signer/quorum.js';
import { RpcError, RpcUnavailable } from '../../service/signer/rpc.js';
import { gwei } from './signing.js';
import type { Random } from './random.js';

interface Included {
  readonly hash: string;
  readonly nonce: number;
  /** null: signed elsewhere with the same key. */
  readonly data: string | null;
  readonly succeeded: boolean;
}
interface Block extends Head {
  readonly transactions: readonly Included[];
}

export class ScriptedChain implements ChainView {
  readonly trust = 'quorum';
  readonly genesisS = 1_000_000;
  baseFeeWei = gwei;
  balanceWei = 10n ** 20n;
  /** One call in so many fails; 0 for none. */
  faultEvery = 0;
  faults = 0;
  /** Calls whose simulation reverts, and calls that only the block refuses. */
  readonly refused = new Set<string>();
  readonly reverting = new Set<string>();
  /** Whether a call that took effect reverts when it is simulated again, as a settlement does. */
  isOnce = false;
  /** Every payload that was ever handed out under a nonce. */
  readonly payloads = new Map<number, Set<string>>();
  private readonly blocks: Block[];
  private readonly pool = new Map<number, Transaction>();
  private readonly everSent: Transaction[] = [];
  private readonly stolen = new Set<number>();
  private forks = 0;
  /** The highest block there ever was: finality counts from it. */
  highest = 0;

  constructor(private readonly draw: Random) {
    this.blocks = [{ number: 0, hash: '0xg', timestampS: this.genesisS, baseFeeWei: gwei, transactions: [] }];
  }

  get latest(): Block {
    return this.blocks.at(-1)!;
  }

  /** How often a call was included. */
  timesIncluded(data: string): number {
    return this.blocks.flatMap(({ transactions }) => transactions).filter((one) => one.data === data).length;
  }

  mine(count: number): void {
    for (let i = 0; i < count; i++) {
      const transactions: Included[] = [];
      for (let nonce = this.nextNonce(); ; nonce++) {
        if (this.stolen.has(nonce)) {
          this.pool.delete(nonce);
          transactions.push({ hash: `0xelsewhere${nonce}`, nonce, data: null, succeeded: true });
          continue;
        }
        const waiting = this.pool.get(nonce);
        if (waiting === undefined || waiting.maxFeePerGas! < this.baseFeeWei) break;
        this.pool.delete(nonce);
        const { hash, data } = waiting;
        transactions.push({ hash: hash!, nonce, data, succeeded: !this.reverting.has(data) });
      }
      const { number, timestampS } = this.latest;
      this.blocks.push({
        ...{ number: number + 1, hash: `0x${this.forks}/${number + 1}`, timestampS: timestampS + 12 },
        ...{ baseFeeWei: this.baseFeeWei, transactions },
      });
      this.highest = Math.max(this.highest, number + 1);
    }
  }

  /**
   * The last blocks never were, down to `floor` at most. What was spent elsewhere in them comes again or not; somewhere a
   * node still has every byte that was ever handed out.
   */
  reorg(depth: number, floor = 0): void {
    this.forks += 1;
    this.blocks.splice(Math.max(1 + Math.max(0, floor), this.blocks.length - depth));
    if (this.draw.below(2) === 0) return;
    for (const nonce of this.stolen) if (nonce >= this.nextNonce()) this.stolen.delete(nonce);
    for (const sent of this.everSent) if (sent.nonce >= this.nextNonce()) this.pool.set(sent.nonce, sent);
  }

  /** The next nonce is spent on something this signer did not sign. */
  steal(): void {
    this.stolen.add(this.nextNonce());
  }

  /** What was spent elsewhere comes never again, and nobody kept our bytes for those nonces. */
  loseThefts(): void {
    for (const nonce of this.stolen)
      this.everSent.splice(0, this.everSent.length, ...this.everSent.filter((sent) => sent.nonce !== nonce));
    this.stolen.clear();
  }

  private nextNonce(upTo = this.latest.number): number {
    return this.blocks
      .filter(({ number }) => number <= upTo)
      .reduce((count, { transactions }) => count + transactions.length, 0);
  }

  /** Throws now and then, before or after `work` was done: the answer of a call may be lost. */
  private async answered<T>(work: () => T): Promise<T> {
    const isBroken = this.faultEvery > 0 && this.draw.below(this.faultEvery) === 0;
    if (isBroken) this.faults += 1;
    const isLate = this.draw.below(2) === 0;
    if (isBroken && !isLate) throw new RpcUnavailable('hangs');
    const result = work();
    if (isBroken) throw new RpcUnavailable('answer lost');
    return result;
  }

  head = (): Promise<Head> => this.answered(() => this.latest);
  blockHashAt = (number: number): Promise<string> => this.answered(() => this.blocks[number]!.hash);
  nonceOf = (_: string, at?: number): Promise<number> => this.answered(() => this.nextNonce(at));
  balanceOf = (): Promise<bigint> => this.answered(() => this.balanceWei);
  priorityFeeWei = (): Promise<bigint> => this.answered(() => gwei / 10n);

  inclusionOf(hash: string): Promise<Inclusion | null> {
    return this.answered(() => {
      for (const { number, hash: blockHash, transactions } of this.blocks) {
        const found = transactions.find((one) => one.hash === hash);
        if (found) return { hash, blockNumber: number, blockHash, succeeded: found.succeeded, gasUsed: 1n };
      }
      return null;
    });
  }

  estimateGas({ data }: { data: string }): Promise<bigint> {
    return this.answered(() => {
      if (this.refused.has(data) || (this.isOnce && this.timesIncluded(data) > 0))
        throw new RpcError(3, 'execution reverted', '0x12345678');
      return 100_000n;
    });
  }

  broadcast(raw: string): Promise<readonly string[]> {
    return this.answered(() => {
      const sent = Transaction.from(raw);
      const { nonce, data } = sent;
      this.payloads.set(nonce, (this.payloads.get(nonce) ?? new Set()).add(data));
      this.everSent.push(sent);
      if (nonce < this.nextNonce()) return ['nonce too low'];
      const known = this.pool.get(nonce);
      if (known?.hash === sent.hash) return ['already known'];
      if (known !== undefined && !isDearer(sent, known)) return ['replacement transaction underpriced'];
      this.pool.set(nonce, sent);
      return [];
    });
  }
}

const isDearer = (sent: Transaction, known: Transaction): boolean =>
  sent.maxFeePerGas! * 10n >= known.maxFeePerGas! * 11n &&
  sent.maxPriorityFeePerGas! * 10n >= known.maxPriorityFeePerGas! * 11n;
