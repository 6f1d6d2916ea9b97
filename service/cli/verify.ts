import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import pc from 'picocolors';
import { parseJson } from '../json.js';
import { jsonRpc, verifyReceipt, type Opening } from '../verifier/index.js';

interface Options {
  readonly model?: string;
  readonly vk?: string;
  readonly request?: string;
  readonly opening?: string;
  readonly chainId?: string;
  readonly contract?: string;
  readonly operator?: string;
  readonly rpc?: string;
  readonly registry?: string;
  readonly minimumSetup?: 'ceremony';
  readonly unsigned?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('verify <receipt>')
    .description('check a receipt offline against what you expect; exit code 0 only when it holds')
    .option('--model <modelId>', 'the model you asked, known from elsewhere')
    .option('--vk <vkHash>', 'its key alone')
    .option('--request <requestId>', 'the request this must answer')
    .option('--opening <file>', 'JSON with inputs and salt: the input this must answer')
    .option('--chain-id <id>', 'for settlements: the chain you expect')
    .option('--contract <address>', 'for settlements: the contract you expect')
    .option('--operator <address>', 'who must have proven')
    .option('--rpc <url>', 'ask this chain whether it is settled')
    .option('--registry <address>', 'ask this registry whether the model is frozen')
    .option('--minimum-setup <class>', 'refuse a development setup: ceremony')
    .option('--unsigned', 'accept a receipt that nobody signed')
    .option('--json', 'machine-readable')
    .action(run);
}

async function run(path: string, options: Options): Promise<void> {
  const opening = options.opening ? (parseJson(await readFile(options.opening)) as Opening) : undefined;
  const verdict = await verifyReceipt(
    await readFile(path),
    {
      modelId: options.model,
      vkHash: options.vk,
      requestId: options.request,
      input: opening,
      chainId: options.chainId,
      contract: options.contract,
      operator: options.operator,
      minimumSetupClass: options.minimumSetup,
      allowUnsigned: options.unsigned,
    },
    {
      ...(options.rpc ? { chain: jsonRpc(options.rpc) } : {}),
      ...(options.registry ? { registry: options.registry } : {}),
    },
  );
  process.exitCode = verdict.valid ? 0 : 1;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...verdict, receipt: undefined })}\n`);
    return;
  }
  for (const { status, claim, detail } of verdict.checks) {
    const mark =
      status === 'pass' ? pc.green('pass') : status === 'fail' ? pc.red('FAIL') : pc.yellow('????');
    process.stdout.write(`${mark}  ${claim}${status === 'pass' ? '' : `: ${detail}`}\n`);
  }
  for (const { applies, sentence } of verdict.trust)
    if (applies) process.stdout.write(`${pc.dim(`·  ${sentence}`)}\n`);
  process.stdout.write(
    `${verdict.valid ? pc.green('valid') : pc.red('INVALID')}  verified offline: ${verdict.verifiedOffline}  settled: ${verdict.settled}\n`,
  );
}
