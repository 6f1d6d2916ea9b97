/**
 * Signs the receipts of proven inferences: many in one transaction while many come, and at once when one comes alone. A
 * receipt that cannot be signed waits and is tried again; its neighbours do not wait for it.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Wallet } from 'ethers';
import type { Pool } from 'pg';
import type { Logger } from './log.js';
import { encodeReceipt, InconsistentReceipt, signReceipt } from './receipt.js';
import type { ReceiptRow } from './store/receipts.js';
import { postponeSeal, receiptsToSeal, sealReceipts } from './store/seals.js';
import type { BatchPolicy } from './store/settlements.js';
import { parseReceipt } from './verifier/receipt.js';
import type { Receipt } from './verifier/schema.js';

/** Between two looks: what comes meanwhile shares a transaction. */
const restMs = 200;
/** Longest wait for a notice; one that was sent while the connection was down is lost. */
const patienceMs = 1_000;
const largestGroup = 64;
const retryMs = 15_000;

export interface SealerOptions {
  readonly pool: Pool;
  readonly log: Logger;
  /** The key of today, and those that were retired while their receipts were under way. */
  readonly wallets: readonly Wallet[];
  readonly batch: BatchPolicy;
}

export class Sealer {
  private readonly wallets: ReadonlyMap<string, Wallet>;
  private closed = false;
  private wake: () => void = () => undefined;
  private woken = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(private readonly options: SealerOptions) {
    this.wallets = new Map(options.wallets.map((wallet) => [wallet.address.toLowerCase(), wallet]));
  }

  start(): void {
    this.loop = this.run();
  }

  /** There may be a receipt to seal. */
  notice(): void {
    this.woken = true;
    this.wake();
  }

  /** Signed by the operator that the receipt names, as it will be stored. */
  async sealed(receipt: Receipt): Promise<Pick<ReceiptRow, 'digest' | 'body'>> {
    const { operator } = receipt.statement;
    const wallet = this.wallets.get(operator);
    if (!wallet)
      throw new InconsistentReceipt('operator', 'a key here is its operator', `the operator ${operator}`);
    const body = Buffer.from(encodeReceipt(await signReceipt(receipt, wallet)));
    return { body, digest: createHash('sha256').update(body).digest() };
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      this.woken = false;
      try {
        while (!this.closed && (await this.sealGroup()) === largestGroup);
      } catch (error) {
        this.options.log.warn({ reason: (error as Error).message }, 'receipts wait for their signature');
      }
      if (this.closed) return;
      await sleep(restMs);
      if (!this.woken) await this.nextNotice();
    }
  }

  private nextNotice(): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, patienceMs);
      this.wake = (): void => {
        clearTimeout(timer);
        done();
      };
    });
  }

  /** Returns how many were looked at. */
  private async sealGroup(): Promise<number> {
    const { pool, log, batch } = this.options;
    const rows = await receiptsToSeal(pool, [...this.wallets.keys()], largestGroup);
    const sealed: ReceiptRow[] = [];
    for (const { id, body } of rows)
      try {
        sealed.push({ id, ...(await this.sealed(parseReceipt(body))) });
      } catch (error) {
        log.error({ inference: id, reason: (error as Error).message }, 'receipt not signed');
        await postponeSeal(pool, id, retryMs);
      }
    if (sealed.length > 0) await sealReceipts(pool, sealed, batch);
    return rows.length;
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.wake();
    await this.loop;
  }
}
