/** Where the beacon comes from: a block whose hash nobody knows before it is made. */
import type { JsonRpcProvider } from 'ethers';

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
