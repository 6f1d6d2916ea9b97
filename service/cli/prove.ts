import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import type { Manifest } from '../../circuits/index.js';
import { UnreadableSubject } from '../audit/bundle.js';
import { proveLocally } from '../local-proof.js';
import { readDescription } from '../model-folder.js';
import { inputForms, readInputFile } from './input-file.js';

interface Options {
  readonly model: string;
  readonly models: string;
  readonly input: string;
  readonly out: string;
  readonly engine: 'auto' | 'native' | 'snarkjs';
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('prove')
    .description('answer and prove one inference here, from the same key and without a server')
    .requiredOption('--model <folder>', 'the model: its folder, or its id in the models folder')
    .requiredOption('--input <file>', inputForms)
    .option('--models <folder>', 'folder of models by id', join('.data', 'models'))
    .option('--out <file>', 'where the receipt goes', 'receipt.json')
    .option('--engine <engine>', 'auto, native or snarkjs', 'auto')
    .option('--json', 'the result as JSON')
    .action(run);
}

async function run({ model, models, input, out, engine, json }: Options): Promise<void> {
  const folder = /^0x[0-9a-f]{64}$/i.test(model) ? join(models, model.toLowerCase()) : model;
  if (!(await stat(join(folder, 'description.json')).catch(() => null)))
    throw new UnreadableSubject(
      folder,
      'the folder of an installed model (verinfer setup)',
      'something else',
    );
  const { manifest, modelId } = await readDescription(folder);
  const request = await readInputFile(input, manifest as unknown as Manifest);
  const { receipt, salt, timings, outputs } = await proveLocally(folder, request, engine, (stage, ms) => {
    if (!json) process.stderr.write(`${pc.dim(`${stage.padEnd(12)} ${ms.toFixed(1).padStart(9)} ms`)}\n`);
  });
  await writeFile(out, receipt);
  const { requestId } = (JSON.parse(receipt) as { statement: { requestId: string } }).statement;
  if (json) {
    process.stdout.write(`${JSON.stringify({ receipt: out, modelId, requestId, salt, outputs, timings })}\n`);
    return;
  }
  const shown = outputs.map(
    ({ name, data }) => `${name.padEnd(12)} ${data.slice(0, 16).join(' ')}${data.length > 16 ? ' …' : ''}`,
  );
  process.stdout.write(
    [
      ...shown,
      `proven, receipt in ${out}; nobody signed it. To check it:`,
      `verinfer verify ${out} --unsigned --model ${modelId} --request ${requestId}`,
      ...(salt === null ? [] : [`salt of the input commitment, kept by you alone: ${salt}`]),
      '',
    ].join('\n'),
  );
}
