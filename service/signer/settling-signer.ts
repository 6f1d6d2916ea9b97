/**
 * The chain signer in the shape that service/chain takes: an ethers Signer whose sendTransaction goes through policy and
 * ledger and resolves when the transaction is final. The same transaction sent twice, also by a later process, is one
 * intent.
 */
import {
  AbstractSigner,
  Interface,
  keccak256,
  makeError,
  resolveProperties,
  toUtf8Bytes,
  type Provider,
  type TransactionRequest,
  type TransactionResponse,
  type Wallet,
} from 'ethers';
import { setTimeout as sleep } from 'node:timers/promises';
import { artifact } from '../chain/artifacts.js';
import type { Deployment } from '../chain/deployment.js';
import type { Entry, Ledger } from './ledger.js';
import type { KeyHold } from './pg-ledger.js';
import type { Policy } from './policy.js';
import { isClosed, type Signer } from './signer.js';

/** What a settler's key may do: settle and register, and carry no value. */
export function settlerPolicy({ chainId, settlement, registry }: Deployment): Policy {
  const selectors = (contract: string, names: readonly string[]): string[] => {
    const abi = new Interface(artifact(contract).abi);
    return names.map((name) => abi.getFunction(name)!.selector);
  };
  return {
    chainId,
    calls: {
      [settlement]: selectors('Settlement', ['settle', 'settleBatch']),
      [registry]: selectors('ModelRegistry', ['registerModel', 'list', 'retire']),
    },
    maxValueWei: 0n,
    maxValuePerHourWei: 0n,
    maxPerHour: 20_000,
    maxFeePerGasWei: 500n * 10n ** 9n,
    maxGas: 14_000_000n,
  };
}

export interface SettlingSignerOptions {
  readonly wallet: Wallet;
  readonly provider: Provider;
  readonly signer: Signer;
  readonly ledger: Ledger;
  /** On the key; no round without it. */
  readonly hold: Pick<KeyHold, 'isOurs'>;
  readonly chainId: number;
  readonly pollMs?: number;
  readonly onError?: (error: Error) => void;
}

export class SettlingSigner extends AbstractSigner {
  private stopping = false;
  /** Whether the ledger may hold an open intent: at the start, and from each submission until it was seen empty. */
  private mayBeOpen = true;
  private readonly loop: Promise<void>;

  constructor(private readonly options: SettlingSignerOptions) {
    super(options.provider);
    this.loop = this.run();
  }

  /** Ends the rounds; what is in flight is taken up by the next process. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.loop;
  }

  override async getAddress(): Promise<string> {
    return this.options.wallet.address;
  }

  override async sendTransaction(request: TransactionRequest): Promise<TransactionResponse> {
    const { to, data, value } = await resolveProperties(request);
    const entry = await this.final(String(to), data ?? '0x', BigInt(value ?? 0));
    if (entry.state !== 'final') throw refused(entry);
    const response = await this.provider!.getTransaction(entry.transactionHash!);
    if (response === null)
      throw new Error(`transaction ${entry.transactionHash}: must be in the chain once it is final`);
    return response;
  }

  /** Enters the intent, or finds it, and waits until it is closed. One that was refused before is entered anew. */
  private async final(to: string, data: string, valueWei: bigint): Promise<Entry> {
    const { ledger, signer, chainId, pollMs = 100 } = this.options;
    const digest = keccak256(toUtf8Bytes(`${to.toLowerCase()}/${data.toLowerCase()}/${valueWei}`));
    let id = digest;
    for (let n = 1; ; n++) {
      const known = await ledger.read(id);
      if (known === null) await signer.submit({ id, chainId, to, data, valueWei, notAfterS: null });
      this.mayBeOpen = true;
      if (known === null || !isClosed(known) || known.state === 'final') break;
      id = `${digest}/${n}`;
    }
    for (;;) {
      const entry = (await ledger.read(id))!;
      if (isClosed(entry)) return entry;
      if (this.stopping) throw new Error('signer: stopped; the transaction goes on in the next process');
      await sleep(pollMs);
    }
  }

  private async run(): Promise<void> {
    const { ledger, signer, hold, pollMs = 100, onError } = this.options;
    while (!this.stopping) {
      try {
        if (this.mayBeOpen) {
          this.mayBeOpen = false;
          if ((await ledger.open()).length > 0) {
            this.mayBeOpen = true;
            if (!(await hold.isOurs()))
              throw new Error('signer: its key must be ours alone, got another process that has it');
            await signer.tick();
          }
        }
      } catch (error) {
        this.mayBeOpen = true;
        onError?.(error as Error);
        await sleep(10 * pollMs);
      }
      await sleep(pollMs);
    }
  }

  override connect(provider: Provider): SettlingSigner {
    return new SettlingSigner({ ...this.options, provider });
  }
  override async signTransaction(): Promise<string> {
    throw new Error('signer: bytes are signed for the ledger alone');
  }
  override signMessage(message: string | Uint8Array): Promise<string> {
    return this.options.wallet.signMessage(message);
  }
  override signTypedData(...args: Parameters<Wallet['signTypedData']>): Promise<string> {
    return this.options.wallet.signTypedData(...args);
  }
}

/** As ethers says it, so that service/chain/errors.ts names the contract's own error. */
const refused = ({ reason, to, data }: Entry): Error => {
  const revert = /^revert (0x[0-9a-f]+)$/i.exec(reason ?? '')?.[1] ?? null;
  return makeError(reason ?? 'refused', 'CALL_EXCEPTION', {
    action: 'sendTransaction',
    data: revert,
    reason: null,
    transaction: { to, data },
    invocation: null,
    revert: null,
  });
};
