import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parseJson } from '../json.js';
import { proveLocally } from '../local-proof.js';
import { inferenceRequest } from '../schemas.js';

interface Options {
  readonly input: string;
  readonly out: string;
  readonly engine: 'auto' | 'native' | 'snarkjs';
}

export function register(program: Command): void {
  program
    .command('prove <folder>')
    .description('answer and prove one inference here, without a server')
    .requiredOption('--input <file>', 'JSON as POST /v1/models/{id}/inferences takes it')
    .option('--out <file>', 'where the receipt goes', 'receipt.json')
    .option('--engine <engine>', 'auto, native or snarkjs', 'auto')
    .action(async (folder: string, { input, out, engine }: Options) => {
      const request = inferenceRequest.parse(parseJson(await readFile(input)));
      const { receipt, salt, timings, outputs } = await proveLocally(folder, request, engine, (stage, ms) =>
        process.stderr.write(`${stage.padEnd(12)} ${ms.toFixed(1).padStart(9)} ms\n`),
      );
      await writeFile(out, receipt);
      process.stdout.write(`${JSON.stringify({ receipt: out, salt, outputs, timings })}\n`);
    });
}
