/** Whether an inference is worth proving, and worth locking: the fee against gas and the machine's time. */
import type { MarketTerms } from '../chain/market.js';

export interface Tariff {
  /** What a constraint row costs this operator to prove. */
  readonly weiPerRow: bigint;
  /** Share of the cost that must remain, per cent. */
  readonly marginPercent: bigint;
  /** The most collateral this operator puts at stake for one request. */
  readonly maxCollateralWei: bigint;
}

/** Gas of a market fulfilment of a 3-signal proof, and of a lock; measured, `make bench-gas`. */
export const fulfilGas = 330_000n;
export const lockGas = 110_000n;

export type Offer = 'refuse' | 'race' | 'lock';

export interface Quote {
  readonly offer: Offer;
  readonly costWei: bigint;
}

/**
 * `race`: prove and hope to be first. `lock`: pay for the exclusive right; only where the proof is dear beside the gas
 * of the lock, so that losing a race would hurt more.
 */
export function quote(terms: MarketTerms, rowCount: number, gasPriceWei: bigint, tariff: Tariff): Quote {
  const provingWei = BigInt(rowCount) * tariff.weiPerRow;
  const costWei =
    ((provingWei + (fulfilGas + BigInt(terms.callbackGas)) * gasPriceWei) * (100n + tariff.marginPercent)) /
    100n;
  if (terms.feeWei < costWei) return { offer: 'refuse', costWei };
  const lockWei = lockGas * gasPriceWei;
  const isLockable = terms.lockSeconds > 0 && terms.lockCollateralWei <= tariff.maxCollateralWei;
  const isWorthIt = provingWei > lockWei && terms.feeWei >= costWei + lockWei;
  return { offer: isLockable && isWorthIt ? 'lock' : 'race', costWei };
}
