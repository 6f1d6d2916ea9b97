/** Says when a key that was rotated out has nothing left to sign. */
import type { Wallet } from 'ethers';
import type { Pool } from 'pg';
import type { Logger } from '../log.js';
import { openUnder } from '../store/seals.js';

const lookEveryMs = 60_000;

/** Returns the function that ends the watch. */
export function watchRetiredKeys(pool: Pool, log: Logger, wallets: readonly Wallet[]): () => void {
  const waiting = new Set(wallets.map(({ address }) => address.toLowerCase()));
  const look = async (): Promise<void> => {
    for (const operator of waiting) {
      if ((await openUnder(pool, operator)) > 0) continue;
      waiting.delete(operator);
      log.info({ operator }, 'nothing is under way under this retired key: it may go');
    }
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) => log.debug({ reason: (error as Error).message }, 'retired keys'));
  }, lookEveryMs);
  return () => clearInterval(timer);
}
