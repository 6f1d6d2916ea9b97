/**
 * The whole market on one anvil: three operators, each a process with its own key, killed and started again at random,
 * prove what a requester and a credit gate ask for. Inputs are withheld and altered, a request is cancelled. At the end
 * every wei is accounted for, from the chain's own blocks.
 */
import { mkdtemp, chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Contract, ContractFactory, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { SETUP_CLASS } from '../circuits/model-id.js';
import { verifyingKeyBytes, verifyingKeyFromJson } from '../prover/codec.js';
import { startAnvil, type Anvil } from './chain/anvil.js';
import { artifact } from './chain/artifacts.js';
import { deployAll, type Deployment } from './chain/deployment.js';
import {
  encodeMove,
  inputDigestOf,
  marketAbi,
  marketRequestId,
  readRequest,
  requestsIn,
  type MarketTerms,
} from './chain/market.js';
import { registerModel } from './chain/registry.js';
import { installModel } from './install.js';
import { auditBooks, type Books } from './market-books.js';
import { marketProver, type MarketProver } from './operator/market-prover.js';
import { isSignedBy, type Answer, type Opening } from './operator/openings.js';
import { startPostgres } from './postgres.js';
import { writeKeystore } from './signer/keystore.js';

export interface MarketDemoOptions {
  readonly requestCount: number;
  readonly model: string;
  /** Mean pause between kills; 0 for none. */
  readonly killEveryMs: number;
  readonly say: (line: string) => void;
}

export interface MarketDemoResult extends Books {
  readonly fulfilled: number;
  readonly refunded: number;
  readonly kills: number;
  readonly decisions: readonly string[];
}

const feeWei = 10n ** 16n;
const zero = `0x${'00'.repeat(20)}`;
type Kind = 'race' | 'lockable' | 'withheld' | 'altered' | 'cancelled' | 'gate';

interface Asked {
  readonly kind: Kind;
  readonly requestId: string;
  readonly terms: MarketTerms;
  readonly opening: Opening;
}

export async function runMarketDemo(options: MarketDemoOptions): Promise<MarketDemoResult> {
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-market-'));
  await chmod(folder, 0o711);
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const postgres = await startPostgres(folder);
    stops.push(() => postgres.stop());
    const anvil = await startAnvil({ blockTimeS: 1 });
    stops.push(() => anvil.stop());
    const provider = new JsonRpcProvider(anvil.rpcUrl, anvil.chainId, {
      staticNetwork: true,
      cacheTimeout: -1,
      pollingInterval: 100,
    });
    stops.push(async () => provider.destroy());
    const modelsFolder = join(folder, 'models');
    const { description, folder: modelFolder } = await installModel(await readFile(options.model), {
      name: 'market',
      modelsFolder,
    });
    const prover = marketProver(modelsFolder, 'auto');
    stops.push(() => prover.close());

    const owner = new NonceManager(new Wallet(anvil.privateKeys[0]!, provider));
    const deployment = await deployAll(owner);
    owner.reset();
    const key = verifyingKeyFromJson(JSON.parse(await readFile(join(modelFolder, 'vk.json'), 'utf8')));
    const identity = { ...description.identity, setupClass: SETUP_CLASS[description.identity.setupClass] };
    await registerModel(owner, deployment, identity, verifyingKeyBytes(key));
    options.say(
      `model ${description.modelId.slice(0, 10)}… registered, ${description.rowCount} rows; market at ${deployment.market}`,
    );

    const fleet = new Fleet(folder, anvil, deployment, postgres.url, modelsFolder, options);
    stops.push(() => fleet.stop());
    await fleet.start();
    const manifest = JSON.parse(await readFile(join(modelFolder, 'manifest.json'), 'utf8')) as {
      inputs: InputSpec[];
    };
    const requester = new NonceManager(new Wallet(anvil.privateKeys[4]!, provider));
    const story = new Story(
      options,
      provider,
      deployment,
      requester,
      prover,
      description.modelId,
      manifest.inputs,
    );
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

interface InputSpec {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Three operator processes, and what kills them. */
class Fleet {
  kills = 0;
  readonly addresses: string[] = [];
  private readonly children: (ChildProcess | undefined)[] = [];
  private readonly inboxes = new Map<number, string>();
  private wild = false;
  private stopping = false;
  private chaos: Promise<void> = Promise.resolve();

  constructor(
    private readonly folder: string,
    private readonly anvil: Anvil,
    private readonly deployment: Deployment,
    private readonly databaseUrl: string,
    private readonly modelsFolder: string,
    private readonly options: MarketDemoOptions,
  ) {}

  async start(): Promise<void> {
    await writeFile(join(this.folder, 'deployment.json'), JSON.stringify(this.deployment));
    for (const i of [0, 1, 2]) {
      const wallet = new Wallet(this.anvil.privateKeys[1 + i]!);
      this.addresses.push(wallet.address);
      await writeKeystore(join(this.folder, `operator-${i}.json`), wallet, `passphrase ${i}`, {
        scryptN: 1024,
      });
      void this.keepRunning(i);
    }
    while (this.inboxes.size < 3) await sleep(100);
    this.options.say('three operators work');
  }

  /** From now on one of them dies every now and then, without warning. */
  unleash(): void {
    if (this.options.killEveryMs === 0) return;
    this.wild = true;
    this.chaos = (async () => {
      while (this.wild) {
        await sleep(randomInt(this.options.killEveryMs / 2, this.options.killEveryMs * 2));
        const victim = randomInt(3);
        if (!this.wild || this.children[victim]?.pid === undefined) continue;
        this.children[victim].kill('SIGKILL');
        this.kills += 1;
        this.options.say(`operator ${victim} killed`);
      }
    })();
  }

  async calm(): Promise<void> {
    this.wild = false;
    await this.chaos;
  }

  inboxUrls(): readonly string[] {
    return [...this.inboxes.values()];
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.calm();
    await Promise.all(
      this.children.map(async (child) => {
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
        await ended;
        clearTimeout(timer);
      }),
    );
  }

  private async keepRunning(i: number): Promise<void> {
    while (!this.stopping) {
      const log = openSync(join(this.folder, `operator-${i}.log`), 'a');
      const cli = fileURLToPath(new URL('./cli.js', import.meta.url));
      const args = [
        cli,
        'operator',
        '--rpc',
        this.anvil.rpcUrl,
        '--deployment',
        join(this.folder, 'deployment.json'),
      ];
      args.push(
        '--database',
        this.databaseUrl,
        '--models',
        this.modelsFolder,
        '--finality',
        '2',
        '--poll-ms',
        '300',
      );
      args.push(
        '--keystore',
        join(this.folder, `operator-${i}.json`),
        '--wei-per-row',
        String(10n ** BigInt(10 + i)),
      );
      const child = spawn(process.execPath, args, { stdio: ['ignore', log, log, 'pipe', 'ipc'] });
      closeSync(log);
      this.children[i] = child;
      const pipe = child.stdio[3] as NodeJS.WritableStream;
      pipe.on('error', () => undefined);
      pipe.end(`passphrase ${i}\n`);
      child.on('message', (message: { type?: string; inbox?: string }) => {
        if (message.type === 'up') this.inboxes.set(i, message.inbox!);
      });
      await new Promise((resolve) => child.once('exit', resolve));
      this.children[i] = undefined;
      await sleep(500);
    }
  }
}

/** What the requester does. */
class Story {
  private gate: Contract | undefined;

  constructor(
    private readonly options: MarketDemoOptions,
    private readonly provider: JsonRpcProvider,
    private readonly deployment: Deployment,
    private readonly requester: NonceManager,
    private readonly prover: MarketProver,
    private readonly modelId: string,
    private readonly inputs: readonly InputSpec[],
  ) {}

  async ask(owner: NonceManager): Promise<Asked[]> {
    const { provider, deployment, requester } = this;
    const { abi, bytecode } = artifact('CreditGate');
    const gate = await new ContractFactory(abi, bytecode, owner).deploy(
      deployment.market,
      this.modelId,
      1,
      0,
    );
    await gate.waitForDeployment();
    this.gate = new Contract(await gate.getAddress(), abi, requester);
    const nowS = (await provider.getBlock('latest'))!.timestamp;
    const asked: Asked[] = [];
    for (let i = 0; i < this.options.requestCount; i++) {
      const kind: Kind =
        i === 0
          ? 'gate'
          : i === 1
            ? 'withheld'
            : i === 2
              ? 'altered'
              : i === 3
                ? 'cancelled'
                : i % 3 === 0
                  ? 'lockable'
                  : 'race';
      const opening = this.draw();
      const signals = await this.prover.open(this.modelId, opening, 1);
      const deadline = BigInt(nowS + (kind === 'withheld' || kind === 'altered' ? 600 : 7_200));
      if (kind === 'gate') {
        const sent = await this.gate.getFunction('apply_')(signals[0], deadline, { value: feeWei });
        const receipt = await sent.wait();
        const [seen] = await requestsIn(provider, deployment, receipt.blockNumber, receipt.blockNumber);
        asked.push({ kind, opening, requestId: seen!.requestId, terms: seen!.terms });
        continue;
      }
      const isLockable = kind === 'lockable';
      const terms: MarketTerms = {
        requester: await requester.getAddress(),
        nonce: BigInt(`0x${randomBytes(32).toString('hex')}`),
        modelId: this.modelId,
        inputDigest: inputDigestOf(signals),
        inputSignalCount: 1,
        minSetupClass: 1,
        attester: zero,
        feeWei: feeWei + BigInt(i),
        deadline,
        lockCollateralWei: isLockable ? feeWei / 2n : 0n,
        lockSeconds: isLockable ? 900 : 0,
        callback: zero,
        callbackGas: 0,
      };
      await requester.sendTransaction({
        to: deployment.market,
        data: encodeMove('request', terms),
        value: terms.feeWei,
      });
      asked.push({ kind, opening, terms, requestId: await marketRequestId(provider, deployment, terms) });
    }
    await this.untilAll(asked, ({ status }) => status !== 'none');
    this.options.say(`${asked.length} requests escrowed`);
    return asked;
  }

  /** Every opening to every operator, until each has answered; what comes back must be signed. */
  async deliver(
    asked: readonly Asked[],
    fleet: { inboxUrls(): readonly string[]; readonly addresses: readonly string[] },
  ): Promise<void> {
    for (const { kind, requestId, terms, opening } of asked) {
      if (kind === 'withheld') continue;
      if (kind === 'cancelled') {
        await this.requester.sendTransaction({
          to: this.deployment.market,
          data: encodeMove('cancel', terms),
        });
        continue;
      }
      const sent =
        kind === 'altered' ? { ...opening, salt: `0x${randomBytes(31).toString('hex')}` } : opening;
      const answers = new Map<string, Answer>();
      for (let tries = 0; answers.size < 2 && tries < 200; tries++) {
        for (const url of fleet.inboxUrls()) {
          const answer = await post(`${url}/openings`, { requestId, opening: sent });
          if (answer === null || !fleet.addresses.includes(answer.operator)) continue;
          if (!isSignedBy(answer, answer.operator))
            throw new Error(`an answer of ${answer.operator} is not signed by it`);
          answers.set(answer.operator, answer);
        }
        if (answers.size < 2) await sleep(100);
      }
      const expected = kind === 'altered' ? 'refused' : 'acknowledged';
      for (const { verdict } of answers.values())
        if (verdict !== expected) throw new Error(`${kind}: ${verdict}`);
    }
    this.options.say('openings delivered: one withheld, one altered and refused, one request cancelled');
  }

  untilFulfilled(asked: readonly Asked[]): Promise<void> {
    const due = asked.filter(({ kind }) => kind === 'race' || kind === 'lockable' || kind === 'gate');
    return this.untilAll(due, ({ status }) => status === 'fulfilled', `of ${due.length} fulfilled`);
  }

  async refundTheRest(asked: readonly Asked[]): Promise<void> {
    await this.provider.send('evm_increaseTime', [1_300]);
    await this.provider.send('anvil_mine', ['0x1']);
    const rest = asked.filter(
      ({ kind }) => kind === 'withheld' || kind === 'altered' || kind === 'cancelled',
    );
    for (const { terms } of rest) {
      await this.requester.sendTransaction({ to: this.deployment.market, data: encodeMove('refund', terms) });
    }
    await this.untilAll(rest, ({ status }) => status === 'refunded');
    const to = await this.requester.getAddress();
    const sent = await this.requester.sendTransaction({
      to: this.deployment.market,
      data: marketAbi().encodeFunctionData('withdraw', [to]),
    });
    await sent.wait();
    this.options.say(`${rest.length} refunded and withdrawn`);
  }

  async untilCollected(operators: readonly string[]): Promise<void> {
    const market = new Contract(this.deployment.market, artifact('InferenceMarket').abi, this.provider);
    for (let i = 0; i < 600; i++) {
      const left = await Promise.all(operators.map((address) => market.getFunction('claimable')(address)));
      if (left.every((wei) => wei === 0n) && (await this.provider.getBalance(this.deployment.market)) === 0n)
        return;
      await sleep(200);
    }
    throw new Error('operators did not collect what is booked to them');
  }

  async decisions(): Promise<string[]> {
    const decision = await this.gate!.getFunction('decisionOf')(await this.requester.getAddress());
    return [['none', 'pending', 'approved', 'declined'][Number(decision)]!];
  }

  private async untilAll(
    asked: readonly Asked[],
    isDone: (state: { status: string }) => boolean,
    what?: string,
  ): Promise<void> {
    let said = -1;
    for (let i = 0; i < 1_500; i++) {
      const states = await Promise.all(
        asked.map(({ requestId }) => readRequest(this.provider, this.deployment, requestId)),
      );
      const done = states.filter(isDone).length;
      if (what !== undefined && done !== said) this.options.say(`${done} ${what}`);
      said = done;
      if (done === asked.length) return;
      await sleep(200);
    }
    throw new Error(`market: requests did not come to their end: ${said} of ${asked.length}`);
  }

  private draw(): Opening {
    const inputs = Object.fromEntries(
      this.inputs.map(({ name, dtype, shape }) => {
        const low = dtype === 'int8' ? -128 : 0;
        const size = shape.reduce((a, b) => a * b, 1);
        return [name, Array.from(randomBytes(size), (byte) => byte + low)];
      }),
    );
    return { inputs, salt: `0x${randomBytes(31).toString('hex')}` };
  }
}

async function post(url: string, body: unknown): Promise<Answer | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    return response.status === 200 || response.status === 422 ? ((await response.json()) as Answer) : null;
  } catch {
    return null; // it was just killed
  }
}
