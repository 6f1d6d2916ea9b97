/** EIP-1559 fees: enough for six full blocks in a row, and bumps that every node takes for a replacement. */
export interface Fees {
  readonly maxFeePerGasWei: bigint;
  readonly maxPriorityFeePerGasWei: bigint;
}

/** Twice the base fee: 1.125^6 ≈ 2. */
export function startingFees(baseFeeWei: bigint, priorityFeeWei: bigint, capWei: bigint): Fees {
  const maxFeePerGasWei = least(2n * baseFeeWei + priorityFeeWei, capWei);
  return { maxFeePerGasWei, maxPriorityFeePerGasWei: least(priorityFeeWei, maxFeePerGasWei) };
}

/**
 * Both fields up by at least 12.5 % (nodes ask 10 %, some 12.5), and at least to what a fresh transaction would offer.
 * null when the cap leaves no room for that: then the transaction is held, not replaced.
 */
export function bumpedFees(last: Fees, fresh: Fees, capWei: bigint): Fees | null {
  const up = (wei: bigint): bigint => (wei * 9n + 7n) / 8n + 1n;
  const maxFeePerGasWei = most(up(last.maxFeePerGasWei), fresh.maxFeePerGasWei);
  const maxPriorityFeePerGasWei = most(up(last.maxPriorityFeePerGasWei), fresh.maxPriorityFeePerGasWei);
  if (maxFeePerGasWei > capWei || maxPriorityFeePerGasWei > maxFeePerGasWei) return null;
  return { maxFeePerGasWei, maxPriorityFeePerGasWei };
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
