import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { JsonRpcProvider, parseUnits } from 'ethers';
import { assertDeployed, type Deployment } from '../chain/deployment.js';
import { marketAbi } from '../chain/market.js';
import { readConfig } from '../config.js';
import { createLog } from '../log.js';
import { openHome } from '../operator/home.js';
import { startInbox } from '../operator/inbox.js';
import { marketParts } from '../operator/market-parts.js';
import { openingStore, receiveOpening } from '../operator/openings.js';
import { Operator } from '../operator/operator.js';
import { openKeystore, passphraseFrom } from '../signer/keystore.js';
import { lockKey, pgLedger } from '../signer/pg-ledger.js';
import type { Policy } from '../signer/policy.js';
import { chainView } from '../signer/quorum.js';
import { endpoint } from '../signer/rpc.js';
import { Signer } from '../signer/signer.js';
import { migrate } from '../store/migrations.js';
import { openPool } from '../store/pool.js';

interface Options {
  readonly rpc: string[];
  readonly deployment: string;
  readonly database?: string;
  readonly models?: string;
  readonly keystore: string;
  readonly passphraseFd: string;
  readonly inbox: string;
  readonly payee?: string;
  readonly weiPerRow: string;
  readonly margin: string;
  readonly maxCollateral: string;
  readonly withdrawAbove: string;
  readonly maxFeeGwei: string;
  readonly finality: string;
  readonly pollMs: string;
}

export function register(program: Command): void {
  program
    .command('operator')
    .description('prove requests of the market for their fees, until stopped')
    .requiredOption('--rpc <url...>', 'JSON-RPC endpoints; of three, two must agree before money moves')
    .requiredOption('--deployment <file>', 'JSON with the addresses of the contracts (the market among them)')
    .requiredOption('--keystore <file>', 'encrypted keystore, mode 0600')
    .option('--passphrase-fd <n>', 'file descriptor to read its passphrase from', '3')
    .option(
      '--database <url>',
      'PostgreSQL of the installation whose provers prove; default: DATABASE_URL, else one of its own, with a prover',
    )
    .option('--models <folder>', 'installed models; default: VERINFER_MODELS')
    .option('--inbox <host:port>', 'where requesters post openings; port 0 picks a free one', '127.0.0.1:0')
    .option('--payee <address>', 'whom fees are booked to; default: the operator itself')
    .option('--wei-per-row <wei>', 'price of proving one constraint row', '100000000')
    .option('--margin <percent>', 'profit on top of the cost', '10')
    .option('--max-collateral <wei>', 'the most put at stake for one request', '1000000000000000000')
    .option(
      '--withdraw-above <wei>',
      'withdraws when this much is booked; below it the gas is not worth it',
      '10000000000000000',
    )
    .option('--max-fee-gwei <gwei>', 'fees are raised up to here', '200')
    .option('--finality <blocks>', 'blocks after which the chain is believed', '12')
    .option('--poll-ms <ms>', 'pause between rounds', '500')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const passphrase = passphraseFrom(Number(options.passphraseFd));
  if (options.database !== undefined) process.env['DATABASE_URL'] = options.database;
  if (options.models !== undefined) process.env['VERINFER_MODELS'] = options.models;
  const config = readConfig();
  const log = createLog(config, 'operator');
  const wallet = await openKeystore(options.keystore, passphrase);
  const deployment = JSON.parse(await readFile(options.deployment, 'utf8')) as Deployment;
  const provider = new JsonRpcProvider(options.rpc[0], deployment.chainId, {
    staticNetwork: true,
    cacheTimeout: -1,
  });
  await assertDeployed(provider, deployment);
  const home = await openHome(config, log);
  const pool = openPool(home.databaseUrl, log, 4);
  await migrate(pool);
  const lock = await lockKey(pool, deployment.chainId, wallet.address);
  if (lock === null)
    throw new Error(`operator: key ${wallet.address} must have one signer, got another that runs`);
  const ledger = pgLedger(pool, deployment.chainId, wallet.address);
  const finalityDepth = Number(options.finality);
  const signer = new Signer({
    wallet,
    chain: chainView(
      deployment.chainId,
      options.rpc.map((url) => endpoint(url)),
    ),
    ledger,
    policy: policyOf(deployment, options),
    finalityDepth,
    onAlarm: (alarm) => log.warn(alarm, 'signer alarm'),
  });
  const openings = openingStore(pool, wallet.address);
  const payee = options.payee ?? wallet.address;
  const parts = await marketParts({ config, pool, deployment, operator: wallet.address, payee });
  const operator = new Operator({
    provider,
    deployment,
    signer,
    ledger,
    openings,
    models: parts.models,
    jobs: parts.jobs,
    finalityDepth,
    log,
    payee,
    withdrawAboveWei: BigInt(options.withdrawAbove),
    tariff: {
      weiPerRow: BigInt(options.weiPerRow),
      marginPercent: BigInt(options.margin),
      maxCollateralWei: BigInt(options.maxCollateral),
    },
  });
  const [host, port] = options.inbox.split(':') as [string, string];
  const inbox = await startInbox(host, Number(port), async (requestId, opening) => {
    const seen = operator.request(requestId);
    if (seen === undefined) return null;
    return receiveOpening(openings, wallet, parts.models.open, requestId, seen.terms, opening);
  });
  log.info({ operator: wallet.address, inbox: inbox.url, pid: process.pid }, 'operator works');
  process.send?.({ type: 'up', inbox: inbox.url, operator: wallet.address });

  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  if (process.send) process.once('disconnect', () => stop.abort());
  while (!stop.signal.aborted && !lock.lost) {
    await operator
      .tick()
      .catch((error: unknown) => log.warn({ reason: (error as Error).message }, 'round not finished'));
    await sleep(Number(options.pollMs), undefined, { signal: stop.signal }).catch(() => undefined);
  }
  await inbox.stop();
  await parts.close();
  provider.destroy();
  lock.release();
  await pool.end();
  await home.stop();
  if (lock.lost) throw new Error('operator: the lock on its key was lost');
}

function policyOf({ chainId, market }: Deployment, { maxCollateral, maxFeeGwei }: Options): Policy {
  const selectors = ['lock', 'fulfil', 'fulfilBatch', 'withdraw'].map(
    (name) => marketAbi().getFunction(name)!.selector,
  );
  return {
    chainId,
    calls: { [market]: selectors },
    maxValueWei: BigInt(maxCollateral),
    maxValuePerHourWei: 100n * BigInt(maxCollateral),
    maxPerHour: 3_600,
    maxFeePerGasWei: parseUnits(maxFeeGwei, 'gwei'),
    maxGas: 12_000_000n,
  };
}
