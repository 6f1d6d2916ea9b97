/** Where the beacon comes from: a block whose hash nobody knows before it is made. */
import type { JsonRpcProvider } from 'ethers';
import { CeremonyRefused } from '../../prover/ceremony-error.js';

export interface BeaconSource {
  readonly chainId: string;
  height(): Promise<number>;
  /** 32 bytes; null when the chain has not come that far. */
  hashAt(height: number): Promise<Uint8Array | null>;
}

export async function chainBeacon(provider: JsonRpcProvider): Promise<BeaconSource> {
  const { chainId } = await provider.getNetwork();
  return {
    chainId: chainId.toString(),
    height: () => provider.getBlockNumber(),
    async hashAt(height) {
      const block = await provider.getBlock(height);
      const hash = block?.hash ?? null;
      return hash === null ? null : Uint8Array.from(Buffer.from(hash.slice(2), 'hex'));
    },
  };
}

/** T06: 32 bytes that are not constant and are no contribution's hash. */
export function checkBeaconValue(value: Uint8Array | null, contributionHashes: readonly string[]): void {
  const hex = value === null ? 'none' : Buffer.from(value).toString('hex');
  if (value === null || value.length !== 32)
    throw new CeremonyRefused('beacon', 'value', 'a 32-byte block hash', hex);
  if (new Set(value).size < 8)
    throw new CeremonyRefused('beacon', 'value', 'a block hash', `the constant ${hex}`);
  if (contributionHashes.some((hash) => hash.includes(hex))) {
    throw new CeremonyRefused('beacon', 'value', 'independent of the contributions', 'a contribution hash');
  }
}
