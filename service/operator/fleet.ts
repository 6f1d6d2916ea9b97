/** Operators as processes of their own over one service, for the market demo. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Wallet } from 'ethers';
import type { Anvil } from '../chain/anvil.js';
import type { Deployment } from '../chain/deployment.js';
import { writeKeystore } from '../signer/keystore.js';
import type { Service } from '../supervisor.js';

export interface MarketDemoOptions {
  readonly requestCount: number;
  readonly model: string;
  /** Mean pause between kills; 0 for none. */
  readonly killEveryMs: number;
  readonly say: (line: string) => void;
}

/** Three operator processes, and what kills them and the prover host. */
export class Fleet {
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
    private readonly environment: NodeJS.ProcessEnv,
    private readonly service: Service,
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
        const victim = randomInt(4);
        const pid = victim === 3 ? this.service.pidOf('prover') : this.children[victim]?.pid;
        if (!this.wild || pid === undefined) continue;
        process.kill(pid, 'SIGKILL');
        this.kills += 1;
        this.options.say(victim === 3 ? 'prover host killed' : `operator ${victim} killed`);
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
      const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
      const args = [
        ...[cli, 'operator', '--rpc', this.anvil.rpcUrl],
        ...['--deployment', join(this.folder, 'deployment.json'), '--database', this.service.databaseUrl],
        ...['--finality', '2', '--poll-ms', '300', '--withdraw-above', '1'],
        ...['--keystore', join(this.folder, `operator-${i}.json`)],
        ...['--wei-per-row', String(10n ** BigInt(10 + i))],
      ];
      const child = spawn(process.execPath, args, {
        env: this.environment,
        stdio: ['ignore', log, log, 'pipe', 'ipc'],
      });
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
