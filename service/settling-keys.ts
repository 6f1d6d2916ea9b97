/**
 * The keys that settle. Today's key sends whatever anyone may send; a nonce that names its submitter (ownNonce) is sent by
 * the key it names, so a key that was rotated out ends what it began, its transactions under way among it.
 */
import type { Provider, Wallet } from 'ethers';
import type { Pool } from 'pg';
import type { Deployment } from './chain/deployment.js';
import { submitterOf } from './chain/settlement.js';
import type { Config } from './config.js';
import type { Logger } from './log.js';
import { readChainKeys } from './signer/keystore.js';
import { holdKey, pgLedger, type KeyHold } from './signer/pg-ledger.js';
import { chainView } from './signer/quorum.js';
import { endpoint } from './signer/rpc.js';
import { SettlingSigner, settlerPolicy } from './signer/settling-signer.js';
import { Signer } from './signer/signer.js';

export interface SettlingKeys {
  /** Today's first, then the retired ones. */
  readonly wallets: readonly [Wallet, ...Wallet[]];
  readonly signers: readonly SettlingSigner[];
  readonly today: SettlingSigner;
  /** null when the nonce names a key that is not ours. */
  signerOf(nonce: bigint): SettlingSigner | null;
  stop(): Promise<void>;
}

export interface SettlingKeysOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly provider: Provider;
  readonly deployment: Deployment;
  readonly log: Logger;
}

export async function openSettlingKeys(options: SettlingKeysOptions): Promise<SettlingKeys> {
  const { config, deployment, pool } = options;
  const files = [config.chainKeyFile!, ...config.retiredKeyFiles];
  const wallets = (await readChainKeys(files, deployment.chainId)) as [Wallet, ...Wallet[]];
  const holds: KeyHold[] = [];
  for (const { address } of wallets) {
    const hold = await holdKey(pool, deployment.chainId, address);
    if (hold === null) {
      holds.forEach((held) => held.release());
      throw new Error(`settler: key ${address} must have one signer, got another that runs`);
    }
    holds.push(hold);
  }
  const signers = new Map(
    wallets.map((wallet, i) => [wallet.address.toLowerCase(), signerFor(wallet, holds[i]!, options)]),
  );
  const today = signers.get(wallets[0].address.toLowerCase())!;
  return {
    ...{ wallets, today, signers: [...signers.values()] },
    signerOf(nonce) {
      const named = submitterOf(nonce);
      return named === null ? today : (signers.get(named) ?? null);
    },
    async stop() {
      await Promise.all([...signers.values()].map((signer) => signer.stop()));
      holds.forEach((held) => held.release());
    },
  };
}

function signerFor(
  wallet: Wallet,
  hold: KeyHold,
  { config, pool, provider, deployment, log }: SettlingKeysOptions,
): SettlingSigner {
  const { chainId } = deployment;
  const ledger = pgLedger(pool, chainId, wallet.address);
  const urls = config.rpcUrl!.split(',');
  const signer = new Signer({
    ...{ wallet, ledger, finalityDepth: config.finalityDepth, policy: settlerPolicy(deployment) },
    chain: chainView(
      chainId,
      urls.map((url) => endpoint(url.trim())),
    ),
    onAlarm: (alarm) => log.warn({ ...alarm, key: wallet.address }, 'signer alarm'),
  });
  return new SettlingSigner({
    ...{ wallet, provider, ledger, chainId, signer, hold },
    onError: (error) => log.warn({ reason: error.message }, 'signer round not finished'),
  });
}
