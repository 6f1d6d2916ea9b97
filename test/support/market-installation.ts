/** An anvil, a registered digits8x8, a database with a prover host, and operators over them: real proofs throughout. */
import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Wallet } from 'ethers';
import type { Pool } from 'pg';
import { SETUP_CLASS } from '../../circuits/model-id.js';
import { verifyingKeyBytes, verifyingKeyFromJson } from '../../prover/codec.js';
import {
  encodeMove,
  inputDigestOf,
  marketAbi,
  marketRequestId,
  readRequest,
  type MarketTerms,
} from '../../service/chain/market.js';
import { registerModel } from '../../service/chain/registry.js';
import { readConfig } from '../../service/config.js';
import { installModel } from '../../service/install.js';
import { createLog } from '../../service/log.js';
import { offerFolder } from '../../service/operator/home.js';
import { openedSignals } from '../../service/operator/market-models.js';
import { marketParts } from '../../service/operator/market-parts.js';
import { openingStore, type Opening } from '../../service/operator/openings.js';
import { Operator } from '../../service/operator/operator.js';
import { tenantOf, type ProofJobs } from '../../service/operator/proof-jobs.js';
import { recompile } from '../../service/proving/loaded-prover.js';
import { pgLedger } from '../../service/signer/pg-ledger.js';
import { chainView } from '../../service/signer/quorum.js';
import { endpoint } from '../../service/signer/rpc.js';
import { Signer } from '../../service/signer/signer.js';
import { startService, type Service } from '../../service/supervisor.js';
import { farDeadline, startChain, type Chain } from './chain.js';
import { temporaryFolder } from './service.js';

export const silent = createLog({ logLevel: 'silent' }, 'test');

export interface MarketInstallation {
  readonly folder: string;
  readonly chain: Chain;
  readonly service: Service;
  draw(): Opening;
  /** A request escrowed by account 3. */
  asked(): Promise<{ requestId: string; terms: MarketTerms }>;
  /** In this process, over the shared database. */
  operatorOf(account: number): Promise<{ operator: Operator; jobs: ProofJobs; address: string }>;
  acknowledge(operator: string, requestId: string): Promise<void>;
  isFulfilled(requestId: string): Promise<boolean>;
  timesFulfilled(requestId: string): Promise<number>;
  tickUntilFulfilled(requests: readonly string[], ...operators: Operator[]): Promise<void>;
  /** `verinfer operator` with nothing but a data folder and `key.json` in `folder`. */
  alone(data: string, passphrase: string): Promise<{ child: ChildProcess; inbox: string }>;
  stop(): Promise<void>;
}

export interface Job {
  readonly state: string;
  readonly fence: number;
}

export async function jobsOf(pool: Pool, operator: string): Promise<Job[]> {
  const { rows } = await pool.query<Job>('select state, fence from inferences where tenant_id = $1', [
    tenantOf(operator),
  ]);
  return rows;
}

export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await isTrue()) return;
    await sleep(100);
  }
  throw new Error(`must come to pass within a minute: ${what}`);
}

export async function startMarketInstallation(): Promise<MarketInstallation> {
  const folder = await temporaryFolder();
  const environment = {
    ...process.env,
    ...{ VERINFER_DATA: join(folder, 'shared'), VERINFER_MODELS: join(folder, 'models') },
    ...{ VERINFER_PROVERS: '1', DATABASE_URL: '' },
  };
  const config = readConfig(environment);
  const chain = await startChain();
  const { deployment, provider, anvil, accounts, addresses } = chain;
  const bytes = await readFile('models/digits8x8/model.onnx');
  const installed = await installModel(bytes, { name: 'digits8x8', modelsFolder: config.modelsFolder });
  const { description } = installed;
  const { compiled } = await recompile(installed.folder, description.modelId, installed.files);
  const key = verifyingKeyFromJson(JSON.parse(await readFile(join(installed.folder, 'vk.json'), 'utf8')));
  const identity = { ...description.identity, setupClass: SETUP_CLASS[description.identity.setupClass] };
  await registerModel(accounts[0]!, deployment, identity, verifyingKeyBytes(key));
  await writeFile(join(folder, 'deployment.json'), JSON.stringify(deployment));
  const output = await open(join(folder, 'processes.log'), 'a');
  const service = await startService({
    ...{ config, environment, log: silent, parts: ['prover'], output: output.fd },
    prepare: ({ pool }) => offerFolder(pool, config.modelsFolder),
  });
  const { pool } = service;

  const draw = (): Opening => {
    const [input] = (description.manifest as { inputs: { name: string; shape: number[] }[] }).inputs;
    const count = input!.shape.reduce((a, b) => a * b, 1);
    return { inputs: { [input!.name]: Array.from({ length: count }, (_, i) => i % 17) }, salt: '0x5a17' };
  };

  let nonce = 1n;
  const asked = async (): Promise<{ requestId: string; terms: MarketTerms }> => {
    const zero = `0x${'00'.repeat(20)}`;
    const terms: MarketTerms = {
      ...{ requester: addresses[3]!, nonce: nonce++, modelId: description.modelId },
      ...{ inputDigest: inputDigestOf(openedSignals(compiled, draw(), 1)) },
      ...{ inputSignalCount: 1, minSetupClass: 1, attester: zero, feeWei: 10n ** 16n, deadline: farDeadline },
      ...{ lockCollateralWei: 0n, lockSeconds: 0, callback: zero, callbackGas: 0 },
    };
    const data = encodeMove('request', terms);
    await (await accounts[3]!.sendTransaction({ to: deployment.market, data, value: terms.feeWei })).wait();
    return { terms, requestId: await marketRequestId(provider, deployment, terms) };
  };

  const operatorOf = async (
    account: number,
  ): Promise<{ operator: Operator; jobs: ProofJobs; address: string }> => {
    const wallet = new Wallet(anvil.privateKeys[account]!);
    const { address } = wallet;
    const ledger = pgLedger(pool, deployment.chainId, address);
    const parts = await marketParts({ config, pool, deployment, operator: address, payee: address });
    const selectors = ['fulfil', 'fulfilBatch'].map((name) => marketAbi().getFunction(name)!.selector);
    const signer = new Signer({
      ...{ wallet, ledger, finalityDepth: 2, chain: chainView(anvil.chainId, [endpoint(anvil.rpcUrl)]) },
      policy: {
        ...{ chainId: anvil.chainId, calls: { [deployment.market]: selectors } },
        ...{ maxValueWei: 0n, maxValuePerHourWei: 0n, maxPerHour: 1000 },
        ...{ maxFeePerGasWei: 10n ** 12n, maxGas: 12_000_000n },
      },
    });
    const operator = new Operator({
      ...{ provider, deployment, signer, ledger, payee: address, finalityDepth: 2, log: silent },
      ...{ models: parts.models, jobs: parts.jobs, openings: openingStore(pool, address) },
      tariff: { weiPerRow: 1n, marginPercent: 0n, maxCollateralWei: 0n },
      withdrawAboveWei: 10n ** 30n,
    });
    return { operator, jobs: parts.jobs, address };
  };

  const isFulfilled = async (requestId: string): Promise<boolean> =>
    (await readRequest(provider, deployment, requestId)).status === 'fulfilled';

  const alone = async (data: string, passphrase: string): Promise<{ child: ChildProcess; inbox: string }> => {
    const args = [
      ...['dist/service/cli.js', 'operator', '--rpc', anvil.rpcUrl, '--finality', '2'],
      ...['--deployment', join(folder, 'deployment.json'), '--keystore', join(folder, 'key.json')],
      ...['--wei-per-row', '1', '--poll-ms', '100'],
    ];
    const env = {
      ...{ PATH: process.env['PATH'], VERINFER_DATA: data, VERINFER_MODELS: config.modelsFolder },
      ...{ VERINFER_PROVERS: '1', VERINFER_LEASE_MS: '1000' },
    };
    const stdio = ['ignore', output.fd, output.fd, 'pipe', 'ipc'] as const;
    const child: ChildProcess = spawn(process.execPath, args, { env, stdio: [...stdio] });
    (child.stdio[3] as NodeJS.WritableStream).end(`${passphrase}\n`);
    const inbox = await new Promise<string>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`operator: must work, ended with ${code}`)));
      child.on('message', (news: { type?: string; inbox?: string }) => {
        if (news.type === 'up') resolve(news.inbox!);
      });
    });
    return { child, inbox };
  };

  return {
    ...{ folder, chain, service, draw, asked, operatorOf, isFulfilled, alone },
    acknowledge: (operator, requestId) =>
      openingStore(pool, operator).record(requestId, 'acknowledged', 'a test', draw()),
    async timesFulfilled(requestId) {
      const topics = [marketAbi().getEvent('InferenceFulfilled')!.topicHash, requestId];
      return (await provider.getLogs({ address: deployment.market, topics, fromBlock: 0 })).length;
    },
    tickUntilFulfilled: (requests, ...operators) =>
      until('every request is fulfilled', async () => {
        await Promise.all(operators.map((one) => one.tick()));
        await provider.send('anvil_mine', ['0x1']);
        return (await Promise.all(requests.map(isFulfilled))).every(Boolean);
      }),
    async stop() {
      await service.stop();
      await output.close();
      await chain.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
