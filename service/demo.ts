/** `make demo`: one real digit from request to settled receipt, checked offline with the service stopped, then forged four ways. */
import { mkdirSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import { JsonRpcProvider } from 'ethers';
import pc from 'picocolors';
import { pino } from 'pino';
import { bundledModels, provideModels } from './bundled-models.js';
import type { Manifest } from '../circuits/manifest.js';
import type { Deployment } from './chain/deployment.js';
import { verifyOnChain } from './chain/registry.js';
import { openingOf } from './client/opening.js';
import { readConfig } from './config.js';
import { forgeries } from './demo-forgeries.js';
import type { InstalledModel } from './install.js';
import { withOpening } from './receipt.js';
import { startService, type Service } from './supervisor.js';
import type { DevelopmentChain } from './development-chain.js';
import { encodeReceipt, parseReceipt, verifyReceipt } from './verifier/index.js';

export function register(program: Command): void {
  program
    .command('demo')
    .description('the whole story on a handwritten digit')
    .option('--model <name>', 'lenet5 or digits8x8', 'lenet5')
    .action(run);
}

const begun = performance.now();
const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A line that is rewritten while a stage runs, where there is a terminal; a line per stage elsewhere. */
function stageLine(): { update(text: string): void; done(text: string): void } {
  const isTerminal = process.stdout.isTTY === true;
  return {
    update: (text) => void (isTerminal && process.stdout.write(`\r\x1b[2K  … ${text}`)),
    done: (text) => void process.stdout.write(`${isTerminal ? '\r\x1b[2K' : ''}  ${pc.green('✓')} ${text}\n`),
  };
}

async function run({ model: name }: { model: string }): Promise<void> {
  process.env['VERINFER_PORT'] = '0';
  const config = readConfig();
  mkdirSync(config.dataFolder, { recursive: true, mode: 0o711 });
  const logPath = join(config.dataFolder, 'service.log');
  const output = openSync(logPath, 'a', 0o600);
  const log = pino(
    { level: 'info', base: { part: 'supervisor' } },
    pino.destination({ dest: output, sync: true }),
  );
  const line = stageLine();
  let service: Service | null = null;
  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => (stopping ??= service?.stop() ?? Promise.resolve());
  const interrupted = (): void => void stop().then(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  // A reader such as `head` may leave before the story ends.
  process.stdout.on('error', () => void stop().then(() => process.exit(1)));

  say(pc.bold('verinfer: run a model, get the answer and a proof anyone can check'));
  say('');
  let started = performance.now();
  let installed: InstalledModel | undefined;
  let chain: DevelopmentChain | null = null;
  line.update('starting PostgreSQL and a chain');
  service = await startService({
    config,
    log,
    output,
    prepare: async (parts) => {
      chain = parts.chain;
      line.done(
        `PostgreSQL and a private chain started, contracts deployed ${pc.dim(seconds(performance.now() - started))}`,
      );
      started = performance.now();
      [installed] = await provideModels(
        bundledModels.filter((bundled) => bundled.name === name),
        {
          ...parts,
          modelsFolder: config.modelsFolder,
          log,
          onProgress: (_model, stage, share) =>
            line.update(`${stage} ${name}${share > 0 ? ` ${Math.round(share * 100)} %` : ''}`),
        },
      );
      if (!installed)
        throw new Error(
          `--model: must be ${bundledModels.map((bundled) => bundled.name).join(' or ')}, got "${name}"`,
        );
      const { rowCount, publicCount } = installed.description;
      line.done(
        `${name}: ${rowCount.toLocaleString('en')} constraints, ${publicCount} public signals; keys ${installed.reused ? 'reused' : 'made (dev-single-party)'}, registered on chain ${pc.dim(seconds(performance.now() - started))}`,
      );
      started = performance.now();
      line.update('starting API, prover and settler');
    },
  });
  line.done(`service at ${service.url} ${pc.dim(seconds(performance.now() - started))}`);
  const { description } = installed!;
  const facts = chain!.deployment as Deployment;

  const { samples, shape } = JSON.parse(
    await readFile(
      bundledModels.find((bundled) => bundled.name === name)!.path.replace('model.onnx', 'samples.json'),
      'utf8',
    ),
  ) as {
    samples: { label: number; x: number[] }[];
    shape: number[];
  };
  const digit = samples[randomInt(samples.length)]!;
  const otherDigit = samples.find(({ label }) => label !== digit.label)!;
  say('');
  say(drawing(digit.x, shape.at(-1)!));
  const posted = performance.now();
  const answer = await post(`${service.url}/v1/models/${name}/inferences`, {
    input: { data: digit.x },
    settlement: 'onchain',
  });
  const answerMs = performance.now() - posted;
  const proven = answer.outputs.find((tensor) => tensor.proven)!;
  const guess = proven.data.indexOf(Math.max(...proven.data));
  line.done(
    `answer: ${pc.bold(String(guess))} (written: ${digit.label}) ${pc.dim(`${answerMs.toFixed(1)} ms`)}   scores ${proven.data.join(' ')}`,
  );

  const settled = await follow(`${service.url}/v1/inferences/${answer.id}/events`, line);
  const receiptText = await (await fetch(`${service.url}/v1/receipts/${answer.id}`)).text();
  const receipt = parseReceipt(receiptText);
  const provider = new JsonRpcProvider(chain!.rpcUrl, facts.chainId, { staticNetwork: true });
  const asked = performance.now();
  await verifyOnChain(
    provider,
    facts,
    description.modelId,
    receipt.publicSignals.map(BigInt),
    Buffer.from(receipt.proof.slice(2), 'hex'),
  );
  const onChainMs = performance.now() - asked;
  provider.destroy();
  line.done(
    `verified by the contract in block ${String(settled.settled['blockNumber'])} ${pc.dim(`transaction ${String(settled.settled['transactionHash'])}`)}`,
  );

  const manifest = receipt.manifest as unknown as Manifest;
  const opening = openingOf(manifest, digit.x, answer.salt ?? null);
  const path = join(config.dataFolder, 'receipt.json');
  await writeFile(path, encodeReceipt(withOpening(receipt, opening)));
  line.done(`receipt saved: ${path}`);
  line.update('stopping the service');
  await stop();
  line.done('service stopped');

  say('');
  const expectations = {
    modelId: description.modelId,
    requestId: answer.statement['requestId']!,
    chainId: facts.chainId,
    contract: facts.settlement,
    operator: answer.statement['operator']!,
    input: opening,
  };
  const checkedAt = performance.now();
  const verdict = await verifyReceipt(await readFile(path), expectations);
  const offlineMs = performance.now() - checkedAt;
  if (!verdict.valid)
    throw new Error(
      `receipt: must verify offline, got ${verdict.checks.find(({ status }) => status === 'fail')?.claim}`,
    );
  line.done(
    `verified offline: ${verdict.checks.filter(({ status }) => status === 'pass').length} checks hold ${pc.dim(`${offlineMs.toFixed(0)} ms`)}`,
  );
  const clean = parseReceipt(receiptText);
  for (const { what, receipt: forged, expectations: expected } of forgeries(clean, expectations, {
    opening: openingOf(manifest, otherDigit.x, opening.salt),
  })) {
    const { valid, checks } = await verifyReceipt(forged, { ...expected, allowUnsigned: true });
    const failed = checks.find(({ status }) => status === 'fail');
    if (valid || !failed) throw new Error(`forgery "${what}": must be refused, got valid`);
    line.done(`refused: ${what.padEnd(30)} ${pc.dim(`${failed.claim}: ${failed.detail}`.slice(0, 110))}`);
  }

  say('');
  const { timings } = settled;
  const rows: [string, string][] = [
    ['answer', `${answerMs.toFixed(1)} ms`],
    ['witness', `${timings['witness']?.toFixed(0)} ms`],
    ['prove', `${timings['prove']?.toFixed(0)} ms`],
    ['on-chain verify (eth_call)', `${onChainMs.toFixed(0)} ms`],
    ['settlement transaction', `${timings['settle']} ms`],
    ['gas', Number(settled.settled['gasUsed']).toLocaleString('en')],
    ['offline verify', `${offlineMs.toFixed(0)} ms`],
    ['proof bytes', String((receipt.proof.length - 2) / 2)],
    ['everything', seconds(performance.now() - begun)],
  ];
  for (const [what, value] of rows) say(`  ${what.padEnd(28)} ${value.padStart(12)}`);
  say('');
  for (const { applies, sentence } of verdict.trust) if (applies) say(pc.dim(`  · ${sentence}`));
  process.exit(0);
}

interface Answer {
  readonly id: string;
  readonly salt?: string;
  readonly statement: Record<string, string>;
  readonly outputs: { readonly name: string; readonly data: number[]; readonly proven: boolean }[];
}

async function post(url: string, body: object): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== 202)
    throw new Error(`${url}: must answer 202, got ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

interface Settled {
  readonly state: string;
  readonly timings: Record<string, number>;
  readonly settled: Record<string, unknown>;
  readonly error: { readonly code: string; readonly detail: string } | null;
}

/** Follows the events until the inference is settled, showing each stage with its time. */
async function follow(url: string, line: ReturnType<typeof stageLine>): Promise<Settled> {
  const response = await fetch(url);
  const since = performance.now();
  let buffer = '';
  let last: Settled | null = null;
  for await (const chunk of response.body!.pipeThrough(
    new TextDecoderStream(),
  ) as unknown as AsyncIterable<string>) {
    buffer += chunk;
    const messages = buffer.split('\n\n');
    buffer = messages.pop()!;
    for (const message of messages) {
      const event = /^event: (.*)$/m.exec(message)?.[1];
      const data = JSON.parse(/^data: (.*)$/m.exec(message)?.[1] ?? '{}') as Settled & {
        stage?: string;
        wallMs?: number;
      };
      if (event === 'stage') line.update(`${data.stage} ${data.wallMs?.toFixed(0)} ms`);
      if (event !== 'state') continue;
      last = data;
      if (data.state === 'failed')
        throw new Error(`inference failed: ${data.error?.code}: ${data.error?.detail}`);
      if (data.state === 'proven')
        line.done(
          `proven: witness ${data.timings['witness']?.toFixed(0)} ms, proof ${data.timings['prove']?.toFixed(0)} ms ${pc.dim(seconds(performance.now() - since))}`,
        );
      else if (data.state === 'settled') line.done(`settled ${pc.dim(seconds(performance.now() - since))}`);
      else line.update(data.state);
    }
  }
  if (last?.state !== 'settled') throw new Error(`events: must end settled, got ${last?.state}`);
  return last;
}

/** Two rows a line, in half blocks. */
function drawing(x: readonly number[], width: number): string {
  const ink = (row: number, column: number): boolean => (x[row * width + column] ?? 0) > 0.35;
  const lines: string[] = [];
  for (let row = 0; row < width; row += 2) {
    let text = '    ';
    for (let column = 0; column < width; column++)
      text += [' ', '▄', '▀', '█'][(ink(row, column) ? 2 : 0) + (ink(row + 1, column) ? 1 : 0)];
    if (text.trim()) lines.push(text);
  }
  return lines.join('\n');
}
