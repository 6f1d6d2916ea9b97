import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { JsonRpcProvider, parseUnits } from 'ethers';
import { assertDeployed, type Deployment } from '../chain/deployment.js';
import { marketAbi } from '../chain/market.js';
import { readConfig } from '../config.js';
import { createLog, type Logger } from '../log.js';
import { openHome } from '../operator/home.js';
import { startInbox } from '../operator/inbox.js';
import { marketParts } from '../operator/market-parts.js';
import { openingStore, receiveOpening } from '../operator/openings.js';
import { Operator } from '../operator/operator.js';
import type { Tariff } from '../operator/pricing.js';
import { openKeystore, passphraseFrom } from '../signer/keystore.js';
import { lockKey, pgLedger } from '../signer/pg-ledger.js';
import type { Policy } from '../signer/policy.js';
import { chainView } from '../signer/quorum.js';
import { endpoint } from '../signer/rpc.js';
import { Signer, type Alarm } from '../signer/signer.js';
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
  const stops: (() => unknown)[] = [];
  try {
    const provider = new JsonRpcProvider(options.rpc[0], deployment.chainId, {
      staticNetwork: true,
      cacheTimeout: -1,
    });
    stops.push(() => provider.destroy());
    await assertDeployed(provider, deployment);
    const home = await openHome(config, log);
    stops.push(() => home.stop());
    const pool = openPool(home.databaseUrl, log, 4);
    stops.push(() => pool.end());
    await migrate(pool);
    const lock = await lockKey(pool, deployment.chainId, wallet.address);
    if (lock === null)
      throw new Error(`operator: key ${wallet.address} must have one signer, got another that runs`);
    stops.push(() => lock.release());
    const ledger = pgLedger(pool, deployment.chainId, wallet.address);
    const finalityDepth = Number(options.finality);
    const chain = chainView(
      deployment.chainId,
      options.rpc.map((url) => endpoint(url)),
    );
    const policy = policyOf(deployment, options);
    const onAlarm = (alarm: Alarm): void => log.warn(alarm, 'signer alarm');
    const signer = new Signer({ wallet, chain, ledger, policy, finalityDepth, onAlarm });
    const openings = openingStore(pool, wallet.address);
    const payee = options.payee ?? wallet.address;
    const parts = await marketParts({ config, pool, deployment, operator: wallet.address, payee });
    stops.push(() => parts.close());
    const operator = new Operator({
      ...{ provider, deployment, signer, ledger, openings, payee, finalityDepth, log },
      ...{ models: parts.models, jobs: parts.jobs, tariff: tariffOf(options) },
      withdrawAboveWei: BigInt(options.withdrawAbove),
    });
    const [host, port] = options.inbox.split(':') as [string, string];
    const inbox = await startInbox(
      host,
      Number(port),
      async (requestId, opening) => {
        const seen = operator.request(requestId);
        if (seen === undefined) return null;
        return receiveOpening(openings, wallet, parts.models.open, requestId, seen.terms, opening);
      },
      (error) => log.warn({ reason: error.message }, 'opening not looked at'),
    );
    stops.push(() => inbox.stop());
    log.info({ operator: wallet.address, inbox: inbox.url, pid: process.pid }, 'operator works');
    process.send?.({ type: 'up', inbox: inbox.url, operator: wallet.address });
    await keepTicking(operator, Number(options.pollMs), log, () => lock.lost);
    if (lock.lost) throw new Error('operator: the lock on its key was lost');
  } finally {
    for (const stop of stops.reverse())
      await Promise.resolve(stop()).catch((error: unknown) =>
        log.warn({ err: error }, 'did not stop in order'),
      );
    if (process.connected) process.disconnect();
  }
}

/** Until this process is told to stop, its parent is gone, or `isOver`. */
async function keepTicking(
  operator: Operator,
  pollMs: number,
  log: Logger,
  isOver: () => boolean,
): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  if (process.send) process.once('disconnect', () => stop.abort());
  while (!stop.signal.aborted && !isOver()) {
    await operator
      .tick()
      .catch((error: unknown) => log.warn({ reason: (error as Error).message }, 'round not finished'));
    await sleep(pollMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

const tariffOf = ({ weiPerRow, margin, maxCollateral }: Options): Tariff => ({
  weiPerRow: BigInt(weiPerRow),
  marginPercent: BigInt(margin),
  maxCollateralWei: BigInt(maxCollateral),
});

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
