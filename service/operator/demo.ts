/**
 * The whole market on one anvil: three operators, each a process with its own key, over one database and one prover host;
 * all four are killed and started again at random. They prove what a requester and a credit gate ask for. Inputs are withheld and altered, a request is cancelled. At the end
 * every wei is accounted for, from the chain's own blocks.
 */
import { chmod, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { SETUP_CLASS } from '../../circuits/model-id.js';
import { verifyingKeyBytes, verifyingKeyFromJson } from '../../prover/codec.js';
import { startAnvil } from '../chain/anvil.js';
import { deployAll } from '../chain/deployment.js';
import { readRequest } from '../chain/market.js';
import { registerModel } from '../chain/registry.js';
import { readConfig } from '../config.js';
import { installModel } from '../install.js';
import { createLog } from '../log.js';
import { recompile } from '../proving/loaded-prover.js';
import { startService } from '../supervisor.js';
import { auditBooks, type Books } from './books.js';
import { Fleet, type MarketDemoOptions } from './fleet.js';
import { offerFolder } from './home.js';
import { Story } from './story.js';

export interface MarketDemoResult extends Books {
  readonly fulfilled: number;
  readonly refunded: number;
  readonly kills: number;
  readonly decisions: readonly string[];
}

export async function runMarketDemo(options: MarketDemoOptions): Promise<MarketDemoResult> {
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-market-'));
  await chmod(folder, 0o711);
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const anvil = await startAnvil({ blockTimeS: 1 });
    stops.push(() => anvil.stop());
    const provider = new JsonRpcProvider(anvil.rpcUrl, anvil.chainId, {
      staticNetwork: true,
      cacheTimeout: -1,
      pollingInterval: 100,
    });
    stops.push(async () => provider.destroy());
    const environment = {
      ...process.env,
      VERINFER_DATA: folder,
      VERINFER_MODELS: join(folder, 'models'),
      DATABASE_URL: '',
      VERINFER_LOG: 'info',
    };
    const config = readConfig(environment);
    const {
      description,
      files,
      folder: modelFolder,
    } = await installModel(await readFile(options.model), {
      name: 'market',
      modelsFolder: config.modelsFolder,
    });
    const output = await open(join(folder, 'prover.log'), 'a');
    stops.push(() => output.close());
    const service = await startService({
      ...{ config, environment },
      log: createLog({ logLevel: 'silent' }, 'market'),
      parts: ['prover'],
      output: output.fd,
      prepare: ({ pool }) => offerFolder(pool, config.modelsFolder),
    });
    stops.push(() => service.stop());

    const owner = new NonceManager(new Wallet(anvil.privateKeys[0]!, provider));
    const deployment = await deployAll(owner);
    owner.reset();
    const key = verifyingKeyFromJson(JSON.parse(await readFile(join(modelFolder, 'vk.json'), 'utf8')));
    const identity = { ...description.identity, setupClass: SETUP_CLASS[description.identity.setupClass] };
    await registerModel(owner, deployment, identity, verifyingKeyBytes(key));
    options.say(
      `model ${description.modelId.slice(0, 10)}… registered, ${description.rowCount} rows; market at ${deployment.market}`,
    );

    const fleet = new Fleet(folder, anvil, deployment, environment, service, options);
    stops.push(() => fleet.stop());
    await fleet.start();
    const requester = new NonceManager(new Wallet(anvil.privateKeys[4]!, provider));
    const { compiled } = await recompile(modelFolder, description.modelId, files);
    const story = new Story(options, provider, deployment, requester, description.modelId, compiled);
    const asked = await story.ask(owner);
    fleet.unleash();
    await story.deliver(asked, fleet);
    await story.untilFulfilled(asked);
    await fleet.calm();
    await story.refundTheRest(asked);
    await story.untilCollected(fleet.addresses);
    await fleet.stop();
    const books = await auditBooks(provider, deployment, fleet.addresses);
    const decisions = await story.decisions();
    const states = await Promise.all(
      asked.map(({ requestId }) => readRequest(provider, deployment, requestId)),
    );
    return {
      ...books,
      fulfilled: states.filter(({ status }) => status === 'fulfilled').length,
      refunded: states.filter(({ status }) => status === 'refunded').length,
      kills: fleet.kills,
      decisions,
    };
  } finally {
    for (const stop of stops.reverse()) await stop().catch(() => undefined);
  }
}
