/** The requester of the market demo: what it asks for, hands over, withholds, alters and cancels. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Contract, ContractFactory, type JsonRpcProvider, type NonceManager } from 'ethers';
import type { CompiledModel } from '../../circuits/index.js';
import { artifact } from '../chain/artifacts.js';
import type { Deployment } from '../chain/deployment.js';
import {
  encodeMove,
  encodeWithdraw,
  inputDigestOf,
  marketRequestId,
  readRequest,
  requestsIn,
  type MarketTerms,
} from '../chain/market.js';
import type { MarketDemoOptions } from './fleet.js';
import { openedSignals } from './market-models.js';
import { isSignedBy, type Answer, type Opening } from './openings.js';

const feeWei = 10n ** 16n;
const zero = `0x${'00'.repeat(20)}`;
type Kind = 'race' | 'lockable' | 'withheld' | 'altered' | 'cancelled' | 'gate';

export interface Asked {
  readonly kind: Kind;
  readonly requestId: string;
  readonly terms: MarketTerms;
  readonly opening: Opening;
}

export class Story {
  private gate: Contract | undefined;

  constructor(
    private readonly options: MarketDemoOptions,
    private readonly provider: JsonRpcProvider,
    private readonly deployment: Deployment,
    private readonly requester: NonceManager,
    private readonly modelId: string,
    private readonly model: CompiledModel,
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
      const signals = openedSignals(this.model, opening, 1);
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
      data: encodeWithdraw(to),
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
      this.model.manifest.inputs.map(({ name, dtype, shape }) => {
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
