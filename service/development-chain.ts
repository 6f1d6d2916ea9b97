/**
 * The embedded chain: anvil with its state in the data folder, our contracts on it, and the well-known test account as
 * operator. For development only: anyone knows its key.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonRpcProvider, Wallet } from 'ethers';
import type { Pool } from 'pg';
import { startAnvil } from './chain/anvil.js';
import { assertDeployed, deployAll, type Deployment } from './chain/deployment.js';
import type { Logger } from './log.js';
import { writeFact } from './store/models.js';
import type { ChainFacts } from './statement.js';

export interface DevelopmentChain {
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  readonly wallet: Wallet;
  /** For the settler process. */
  readonly environment: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

/**
 * One node without peers: nobody reorganizes its head, and no block comes to lie on top unless there is a transaction. The
 * settler and the node's own `finalized` tag say the same, so that a settlement audits as final at once. What can still
 * take a block away is a kill of the node, up to two seconds back; the signer's ledger sends it again.
 */
const developmentFinality = 0;

export async function startDevelopmentChain(
  dataFolder: string,
  pool: Pool,
  log: Logger,
): Promise<DevelopmentChain> {
  const folder = join(dataFolder, 'chain');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const anvil = await startAnvil({
    statePath: join(folder, 'anvil-state.json'),
    slotsInAnEpoch: developmentFinality,
  });
  const provider = new JsonRpcProvider(anvil.rpcUrl, anvil.chainId, {
    staticNetwork: true,
    pollingInterval: 100,
    cacheTimeout: -1,
  });
  const wallet = new Wallet(anvil.privateKeys[0]!, provider);
  const stop = async (): Promise<void> => {
    provider.destroy();
    await anvil.stop();
  };
  try {
    const path = join(folder, 'deployment.json');
    const known = await readFile(path, 'utf8').then(
      (text) => JSON.parse(text) as Deployment,
      () => null,
    );
    // The state file is written every few seconds: after a kill the chain may be older than the deployment.
    const isThere =
      known !== null &&
      (await assertDeployed(provider, known).then(
        () => true,
        () => false,
      ));
    const deployment = isThere ? known : await deployAll(wallet);
    if (!isThere) await writeFile(path, `${JSON.stringify(deployment)}\n`);
    const facts: ChainFacts = { ...deployment, operator: wallet.address, payee: wallet.address };
    await writeFact(pool, 'chain', facts);
    const keyFile = join(folder, 'operator.key');
    await writeFile(keyFile, wallet.privateKey, { mode: 0o600 });
    log.info({ chainId: deployment.chainId, deployed: !isThere }, 'embedded chain answers');
    return {
      rpcUrl: anvil.rpcUrl,
      deployment,
      wallet,
      environment: {
        VERINFER_RPC_URL: anvil.rpcUrl,
        VERINFER_CHAIN_KEY_FILE: keyFile,
        VERINFER_FINALITY_DEPTH: String(developmentFinality),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
