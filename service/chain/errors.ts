/** What a contract said when it refused, as one typed error; what an RPC endpoint says is never taken for it. */
import { isError } from 'ethers';
import { allErrors } from './artifacts.js';

/** A contract reverted. `reason` is the name of the Solidity error, 'Unknown' for one that no contract of ours has. */
export class ChainRefused extends Error {
  constructor(
    readonly reason: string,
    readonly args: readonly unknown[],
    where: string,
  ) {
    super(`${where}: refused with ${reason}(${args.map(String).join(', ')})`);
    this.name = 'ChainRefused';
  }
}

/** The only reverts that are a verdict on a proof. Anything else, out of gas above all, says nothing about it. */
const verdicts = new Set([
  'ProofRejected',
  'InvalidPoint',
  'PointNotOnCurve',
  'CoordinateNotCanonical',
  'SignalNotCanonical',
]);

export const isVerdictOnProof = (error: unknown): boolean =>
  error instanceof ChainRefused && verdicts.has(error.reason);

/** The code at an address, or the chain itself, is not the one that was pinned. */
export class ChainMismatch extends Error {
  constructor(what: string, expected: string, got: string) {
    super(`chain: ${what} must be ${expected}, got ${got}`);
    this.name = 'ChainMismatch';
  }
}

/** Turns ethers' CALL_EXCEPTION into ChainRefused; passes everything else on. */
export function refusal(error: unknown, where: string): unknown {
  if (!isError(error, 'CALL_EXCEPTION')) return error;
  const data = error.data ?? revertData(error);
  if (data === undefined || data === null || data === '0x') return new ChainRefused('Unknown', [], where);
  const parsed = allErrors().parseError(data);
  return parsed === null
    ? new ChainRefused('Unknown', [data], where)
    : new ChainRefused(parsed.name, [...parsed.args], where);
}

/** estimateGas errors of some nodes carry the revert data one level down. */
function revertData(error: unknown): string | undefined {
  const { info } = error as { info?: { error?: { data?: unknown } } };
  return typeof info?.error?.data === 'string' ? info.error.data : undefined;
}

export async function named<T>(where: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw refusal(error, where);
  }
}
