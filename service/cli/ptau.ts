import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import {
  beaconPtau,
  type CeremonyOptions,
  contributePtau,
  createPtau,
  preparePtau,
} from '../../prover/ptau.js';
import { verifyPtau } from '../../prover/ptau-verify.js';

/** Phase 1: powers of tau, in snarkjs's file format. */
export function register(program: Command): void {
  const ptau = program
    .command('ptau')
    .description('powers of tau (phase 1): create, contribute, close, prepare, verify');
  ptau
    .command('create <power> <file>')
    .description('the accumulator of nobody, for 2^power rows')
    .action((power: string, file: string) => createPtau(integer(power), file));
  ptau
    .command('contribute <from> <to>')
    .description('multiply a fresh secret in; randomness from this machine and from standard input, if piped')
    .requiredOption('--name <name>', 'shown beside the contribution')
    .action(async (from: string, to: string, { name }: { name: string }) => {
      const hash = await contributePtau(from, to, { name, entropy: await pipedEntropy() }, progress());
      process.stdout.write(
        `contribution ${Buffer.from(hash).toString('hex')}\npublish it where others can find it\n`,
      );
    });
  ptau
    .command('beacon <from> <to>')
    .description('close with a public value that nobody could know before')
    .requiredOption('--value <hex>', 'the beacon', bytes)
    .option('--iterations <exponent>', 'SHA-256 is iterated 2^exponent times', integer, 10)
    .option('--name <name>', 'shown beside it', 'beacon')
    .action(async (from: string, to: string, { value, iterations, name }: BeaconFlags) => {
      await beaconPtau(from, to, name, { value, iterationsExponent: iterations }, progress());
    });
  ptau
    .command('prepare <from> <to>')
    .description('add the Lagrange bases that phase 2 needs')
    .action((from: string, to: string) => preparePtau(from, to, progress()));
  ptau
    .command('verify <file>')
    .description('check every contribution and every point')
    .option('--json', 'the report as JSON')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const report = await verifyPtau(file, progress());
      if (json) return void process.stdout.write(`${JSON.stringify(report)}\n`);
      process.stdout.write(
        `2^${report.power}, ${report.isPrepared ? 'prepared' : 'not prepared'}, SHA-256 ${report.fileHash}\n`,
      );
      for (const [i, { name, isBeacon, responseHash }] of report.contributions.entries()) {
        process.stdout.write(`${i + 1} ${printable(name)}${isBeacon ? ' (beacon)' : ''} ${responseHash}\n`);
      }
    });
}

interface BeaconFlags {
  readonly value: Uint8Array;
  readonly iterations: number;
  readonly name: string;
}

/** Names come from files of strangers. */
export const printable = (name: string): string => name.replace(/[^\p{L}\p{N} ._@-]/gu, '?');

export function integer(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be an integer');
  return Number(text);
}

export function bytes(text: string): Uint8Array {
  if (!/^(0x)?([0-9a-fA-F]{2}){1,255}$/.test(text))
    throw new InvalidArgumentError('must be 1 to 255 bytes in hex');
  return Uint8Array.from(Buffer.from(text.replace(/^0x/, ''), 'hex'));
}

/** Never an argument: those are seen by every process and kept by shells. */
export async function pipedEntropy(): Promise<Uint8Array> {
  if (process.stdin.isTTY || !process.stdin.readable) return randomBytes(64);
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** One line that moves, on a terminal only. */
export function progress(): Pick<CeremonyOptions, 'onProgress'> {
  if (!process.stderr.isTTY) return {};
  return {
    onProgress: (share, step) => {
      process.stderr.write(
        `\r${(100 * share).toFixed(0).padStart(3)} % ${step}\u001b[K${share === 1 ? '\n' : ''}`,
      );
    },
  };
}
