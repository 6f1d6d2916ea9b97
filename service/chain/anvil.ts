/** The embedded chain: anvil as a child that ends with us, on 127.0.0.1, on a free port unless told otherwise. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HDNodeWallet, Mnemonic } from 'ethers';
import { spawnBound, type BoundChild } from '../bound-child.js';

export interface AnvilOptions {
  /** 0 or absent: a free port. */
  readonly port?: number;
  readonly chainId?: number;
  /** Loaded when it exists, written at exit and every stateIntervalS. */
  readonly statePath?: string;
  /** Absent: a block for every transaction, at once. */
  readonly blockTimeS?: number;
  readonly hardfork?: 'cancun' | 'prague' | 'osaka';
  /**
   * How far the block tags `safe` and `finalized` lag behind the head: one and two epochs. anvil's own 32 imitate Ethereum;
   * 0 says what is true of one node without peers, that nobody can take its head back.
   */
  readonly slotsInAnEpoch?: number;
  /** Blocks are made only by `anvil_mine`. */
  readonly noMining?: boolean;
}

export interface Anvil {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly pid: number;
  /** Ten funded accounts of the well-known test mnemonic: public knowledge, never of value. */
  readonly privateKeys: readonly string[];
  stop(): Promise<void>;
}

export class AnvilMissing extends Error {
  constructor() {
    super(
      'anvil: binary must be in @foundry-rs/anvil-linux-amd64 or on PATH, got neither; name another RPC endpoint',
    );
    this.name = 'AnvilMissing';
  }
}

export class AnvilFailed extends Error {
  constructor(what: string, output: string) {
    super(`anvil: ${what}${output === '' ? '' : `: ${output.trim()}`}`);
    this.name = 'AnvilFailed';
  }
}

const stateIntervalS = 2;
const startTimeoutMs = 30_000;
const testMnemonic = 'test test test test test test test test test test test junk';

export function anvilBinary(): string {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
  const candidates = [
    join(root, 'node_modules', '@foundry-rs', 'anvil-linux-amd64', 'bin', 'anvil'),
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'anvil')),
  ];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new AnvilMissing();
  return found;
}

export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const port = options.port || (await freePort());
  const chainId = options.chainId ?? 31337;
  const args = [
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--chain-id',
    String(chainId),
    '--mnemonic',
    testMnemonic,
  ];
  if (options.statePath !== undefined) {
    args.push('--state', options.statePath, '--state-interval', String(stateIntervalS));
  }
  if (options.blockTimeS !== undefined) args.push('--block-time', String(options.blockTimeS));
  if (options.hardfork !== undefined) args.push('--hardfork', options.hardfork);
  if (options.slotsInAnEpoch !== undefined) args.push('--slots-in-an-epoch', String(options.slotsInAnEpoch));
  if (options.noMining === true) args.push('--no-mining');
  const child = await listening(anvilBinary(), args);
  const mnemonic = Mnemonic.fromPhrase(testMnemonic);
  const privateKeys = Array.from(
    { length: 10 },
    (_, i) => HDNodeWallet.fromMnemonic(mnemonic, `m/44'/60'/0'/0/${i}`).privateKey,
  );
  return { rpcUrl: `http://127.0.0.1:${port}`, chainId, pid: child.pid, privateKeys, stop: child.stop };
}

/** Resolves when anvil says that it listens; rejects when it ends before, or says nothing for startTimeoutMs. */
function listening(binary: string, args: readonly string[]): Promise<BoundChild> {
  return new Promise((resolve, reject) => {
    let output = '';
    let ready = false;
    const child = spawnBound(binary, args, {
      stopSignal: 'TERM',
      onOutput: (text) => {
        if (ready) return;
        output += text;
        if (!output.includes('Listening on')) return;
        ready = true;
        clearTimeout(timer);
        resolve(child);
      },
    });
    const timer = setTimeout(() => {
      reject(new AnvilFailed(`no answer within ${startTimeoutMs} ms`, output));
      void child.stop();
    }, startTimeoutMs);
    void child.ended.then(() => {
      clearTimeout(timer);
      if (!ready) reject(new AnvilFailed('ended before it listened', output));
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
