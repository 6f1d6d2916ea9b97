import type { Command } from 'commander';
import { JsonRpcProvider } from 'ethers';
import { readFile, writeFile } from 'node:fs/promises';
import pc from 'picocolors';
import { assertDeployed, deployAll, type Deployment } from '../chain/deployment.js';
import { readConfig } from '../config.js';
import { withDatabase } from '../database.js';
import { readChainKey } from '../signer/keystore.js';
import type { ChainFacts } from '../statement.js';
import { readFact, writeFact } from '../store/models.js';

interface Options {
  readonly use?: string;
  readonly out?: string;
  readonly payee?: string;
  readonly ifMissing?: boolean;
}

export function register(program: Command): void {
  program
    .command('deploy')
    .description('put the contracts on the chain of VERINFER_RPC_URL, and tell the service where they are')
    .option(
      '--use <file>',
      'contracts that are there: JSON { chainId, verifier, registry, settlement, market }',
    )
    .option('--if-missing', 'do nothing when the service knows its contracts')
    .option('--out <file>', 'write their addresses, for auditors')
    .option('--payee <address>', 'who is paid for proofs; default: the key that settles')
    .action(run);
}

/** Sends four transactions, or none with --use; either way the code on the chain is compared with our own. */
async function run({ use, out, payee, ifMissing }: Options): Promise<void> {
  const config = readConfig();
  if (!config.rpcUrl || !config.chainKeyFile)
    throw new Error('deploy: VERINFER_RPC_URL and VERINFER_CHAIN_KEY_FILE must be set');
  const provider = new JsonRpcProvider(config.rpcUrl.split(',')[0]);
  try {
    const chainId = Number((await provider.getNetwork()).chainId);
    const wallet = (await readChainKey(config.chainKeyFile, chainId)).connect(provider);
    await withDatabase(config, async (pool) => {
      const known = await readFact<ChainFacts & Deployment>(pool, 'chain');
      if (known && ifMissing) return;
      if (known && !use)
        throw new Error(
          `deploy: the service must have no contracts yet, got Settlement ${known.settlement} on chain ${known.chainId}; --use replaces them`,
        );
      const deployment = use
        ? (JSON.parse(await readFile(use, 'utf8')) as Deployment)
        : await deployAll(wallet);
      await assertDeployed(provider, deployment);
      const facts = { ...deployment, operator: wallet.address, payee: payee ?? wallet.address };
      await writeFact(pool, 'chain', facts);
      if (out) await writeFile(out, `${JSON.stringify(deployment, null, 1)}\n`);
      process.stdout.write(
        `${pc.green(use ? 'found' : 'deployed')} on chain ${chainId}, code compared\n${Object.entries(facts)
          .map(([name, value]) => `${name.padEnd(12)} ${value}\n`)
          .join('')}`,
      );
    });
  } finally {
    provider.destroy();
  }
}
