/** A signer over one anvil, with intents whose effects can be counted: a listing's uri appears once in the logs, or not. */
import { Interface, Wallet } from 'ethers';
import { artifact } from '../../service/chain/artifacts.js';
import type { Intent, Ledger } from '../../service/signer/ledger.js';
import type { Policy } from '../../service/signer/policy.js';
import { chainView, type ChainView } from '../../service/signer/quorum.js';
import { endpoint, type Endpoint } from '../../service/signer/rpc.js';
import { Signer, type Alarm, type SignerOptions } from '../../service/signer/signer.js';
import { memoryLedger, type MemoryLedger } from './memory-ledger.js';
import { registered, startChain, type Chain, type TestModel } from './chain.js';
import type { AnvilOptions } from '../../service/chain/anvil.js';

export const gwei = 1_000_000_000n;
const registryAbi = new Interface(artifact('ModelRegistry').abi);
const settlementAbi = new Interface(artifact('Settlement').abi);

export interface SignerWorld {
  readonly chain: Chain;
  readonly model: TestModel;
  readonly wallet: Wallet;
  readonly policy: Policy;
  readonly endpoint: Endpoint;
  /** An intent that lists the model under a uri of its own. */
  listing(uri: string): Intent;
  mine(blocks: number): Promise<void>;
  /** How often this uri was listed, in the canonical chain. */
  timesListed(uri: string): Promise<number>;
  signer(ledger: Ledger, options?: Partial<SignerOptions>): Signer;
}

export async function signerWorld(options: AnvilOptions = {}): Promise<SignerWorld> {
  const chain = await startChain(options);
  const model = await registered(chain, 3, 'signer');
  const { deployment, provider, anvil } = chain;
  // Deeper than any reorg of these tests: the contracts stay.
  await provider.send('anvil_mine', ['0x40']);
  const wallet = new Wallet(anvil.privateKeys[7]!);
  const policy: Policy = {
    chainId: anvil.chainId,
    calls: {
      [deployment.registry]: [registryAbi.getFunction('list')!.selector],
      [deployment.settlement]: [settlementAbi.getFunction('settle')!.selector],
    },
    maxValueWei: 0n,
    maxValuePerHourWei: 0n,
    maxPerHour: 10_000,
    maxFeePerGasWei: 200n * gwei,
    maxGas: 5_000_000n,
  };
  const rpc = endpoint(anvil.rpcUrl);
  return {
    chain,
    model,
    wallet,
    policy,
    endpoint: rpc,
    listing: (uri) => ({
      id: uri,
      chainId: anvil.chainId,
      to: deployment.registry,
      data: registryAbi.encodeFunctionData('list', [model.modelId, 1, 1, uri]),
      valueWei: 0n,
      notAfterS: null,
    }),
    mine: async (blocks) => void (await provider.send('anvil_mine', [`0x${blocks.toString(16)}`])),
    async timesListed(uri) {
      const topics = [registryAbi.getEvent('ModelListed')!.topicHash];
      const logs = await provider.getLogs({ address: deployment.registry, topics, fromBlock: 0 });
      return logs.filter((log) => registryAbi.parseLog(log)!.args['uri'] === uri).length;
    },
    signer: (ledger, changes = {}) =>
      new Signer({
        wallet,
        chain: chainView(anvil.chainId, [rpc]),
        ledger,
        policy,
        finalityDepth: 12,
        ...changes,
      }),
  };
}

export interface Run {
  readonly ledger: MemoryLedger;
  readonly alarms: Alarm[];
}

export const newRun = (): Run => ({ ledger: memoryLedger(), alarms: [] });

/** Ticks and mines until every intent is closed. */
export async function finish(world: SignerWorld, signer: Signer, ledger: Ledger, rounds = 40): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await signer.tick();
    if ((await ledger.open()).length === 0) return;
    await world.mine(3);
  }
  throw new Error(`intents did not close within ${rounds} rounds`);
}

export type { ChainView };
