/** Verbs that ask a running service: what a user does first, on the client that programs use. */
import type { Command } from 'commander';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pc from 'picocolors';
import type { Client, Input, OutputTensor } from '../client/index.js';
import { parseJson } from '../json.js';

interface Where {
  readonly url: string;
  readonly keyEnv: string;
}

interface UploadFlags extends Where {
  readonly quiet?: boolean;
  readonly name?: string;
  readonly inputMode?: 'committed' | 'public';
  readonly outputMode?: 'packed' | 'commitment';
}

interface InferFlags extends Where {
  readonly out: string;
  readonly settlement: 'none' | 'onchain' | 'batched';
  readonly chainId?: string;
  readonly contract?: string;
  readonly minimumSetup?: 'ceremony';
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const longestStartMs = 120_000;

export function register(program: Command): void {
  const remote = (command: Command): Command =>
    command
      .option('--url <url>', 'the service', process.env['VERINFER_URL'] ?? 'http://127.0.0.1:8080')
      .option('--key-env <name>', 'environment variable that holds the API key', 'VERINFER_KEY');
  remote(
    program
      .command('upload <model>')
      .description('install an ONNX file at a running service, and wait until it is served')
      .option('--name <name>', 'name to serve it under; default: its file or folder name')
      .option('--input-mode <mode>', 'committed or public')
      .option('--output-mode <mode>', 'packed or commitment')
      .option('--quiet', 'print the model id alone'),
  ).action(runUpload);
  remote(
    program
      .command('infer <model> <input>')
      .description(
        'ask a running service, and verify the proof here; <input>: JSON numbers, or by input name',
      )
      .option('--out <file>', "your own copy of the receipt, with the input's opening in it", 'receipt.json')
      .option('--settlement <choice>', 'none, onchain or batched', 'none')
      .option('--chain-id <id>', 'for settlements: the chain you expect')
      .option('--contract <address>', 'for settlements: the contract you expect')
      .option('--minimum-setup <class>', 'refuse a development setup: ceremony')
      .option('--json', 'machine-readable')
      .option('--quiet', 'print the request id alone'),
  ).action(runInfer);
}

/** A client of a service that answers; one that is still starting is waited for. */
async function connect({ url, keyEnv }: Where): Promise<Client> {
  const { Client } = await import('../client/index.js');
  const key = process.env[keyEnv];
  const end = Date.now() + longestStartMs;
  for (let attempt = 0; ; attempt++) {
    const isReady = await fetch(new URL('/readyz', url)).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return new Client({ url, ...(key && { key }) });
    if (Date.now() > end)
      throw new Error(`${url}: must be a running service, got no answer; \`verinfer serve\` starts one`);
    if (attempt === 4) process.stderr.write(pc.dim(`waiting for ${url} to be ready\n`));
    await sleep(500);
  }
}

async function runUpload(path: string, flags: UploadFlags): Promise<void> {
  const bytes = await readFile(path);
  const file = basename(path, '.onnx');
  const name = flags.name ?? (file === 'model' ? basename(dirname(path)) : file).toLowerCase();
  const { inputMode, outputMode } = flags;
  const client = await connect(flags);
  const { modelId, rowCount, setup } = await client.upload(bytes, {
    name,
    ...(inputMode && { inputMode }),
    ...(outputMode && { outputMode }),
    ...(!flags.quiet && { onState: (state) => void process.stderr.write(pc.dim(`${state}\n`)) }),
  });
  if (flags.quiet) {
    process.stdout.write(`${modelId}\n`);
    return;
  }
  process.stdout.write(
    `${pc.green('ready')}    ${name}, ${rowCount.toLocaleString('en')} rows\nmodelId  ${modelId}\nfile     SHA-256 ${createHash('sha256').update(bytes).digest('hex')}\n${pc.yellow(setup.warning)}\n`,
  );
}

async function runInfer(model: string, inputFile: string, flags: InferFlags): Promise<void> {
  const input = inputOf(parseJson(await readFile(inputFile)));
  const client = await connect(flags);
  const isPinned = /^0x[0-9a-f]{64}$/.test(model);
  const modelId = isPinned ? model : (await client.model(model)).id;
  const { chainId, contract, settlement, out } = flags;
  if (settlement !== 'none' && !(chainId && contract))
    throw new Error(
      `--settlement ${settlement}: must come with --chain-id and --contract that you trust, got none; GET /v1/stats shows what the service uses`,
    );
  const inference = await client.infer(modelId, input, {
    settlement,
    ...(flags.minimumSetup && { minimumSetupClass: flags.minimumSetup }),
    ...(chainId && contract && { chain: { chainId: Number(chainId), settlement: contract } }),
  });
  if (!flags.json && !flags.quiet) process.stdout.write(inference.outputs.map(shown).join(''));
  const { ownReceipt, verdict } = await inference.proof;
  await writeFile(out, ownReceipt, { mode: 0o600 });
  const { checks = [], trust = [], receipt } = verdict ?? {};
  const requestId = receipt?.statement.requestId;
  if (flags.quiet) {
    process.stdout.write(`${requestId}\n`);
    return;
  }
  if (flags.json) {
    const { id, outputs } = inference;
    process.stdout.write(`${JSON.stringify({ id, modelId, requestId, outputs, receipt: out, checks })}\n`);
    return;
  }
  const passed = checks.filter(({ status }) => status === 'pass').length;
  process.stdout.write(
    `${pc.green('proven')}   verified here: ${passed} checks hold\nmodelId  ${modelId}${isPinned ? '' : pc.yellow('  as the service names it; pin it')}\nrequest  ${requestId}\nreceipt  ${out}\n`,
  );
  for (const { applies, sentence } of trust)
    if (applies) process.stdout.write(`${pc.dim(`·  ${sentence}`)}\n`);
}

/** Numbers, numbers by name, or what the API takes: { input: { data } } or { inputs: { name: { data } } }. */
function inputOf(value: unknown): Input {
  if (Array.isArray(value)) return value.flat(Infinity) as number[];
  const { input, inputs } = value as {
    input?: { data: number[] };
    inputs?: Record<string, { data: number[] }>;
  };
  if (Array.isArray(input?.data)) return input.data;
  if (inputs && Object.values(inputs).every((tensor) => Array.isArray(tensor?.data)))
    return Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data]));
  return value as Record<string, number[]>;
}

function shown({ name, dtype, shape, data, proven }: OutputTensor): string {
  const best = data.indexOf(Math.max(...data));
  const values = data.slice(0, 16).join(' ') + (data.length > 16 ? ' …' : '');
  return `${proven ? 'answer  ' : 'derived '} ${name} ${dtype}[${shape.join('×')}]: ${values}${data.length > 1 ? pc.dim(`  largest at ${best}`) : ''}\n`;
}
