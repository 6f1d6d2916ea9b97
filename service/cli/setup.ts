import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { readConfig } from '../config.js';
import { installModel } from '../install.js';
import { trustStatements } from '../trust.js';

export function register(program: Command): void {
  program
    .command('setup <model>')
    .description('compile, make development keys, and put the model in the models folder')
    .option('--name <name>', 'name to serve it under; default: its file or folder name')
    .option('--models <folder>', 'models folder; default: VERINFER_MODELS')
    .option('--input-mode <mode>', 'committed or public', 'committed')
    .option('--output-mode <mode>', 'packed or commitment', 'packed')
    .option('--accept-drift', 'take a model that agrees too little with the float one it was quantized from')
    .action(
      async (
        path: string,
        options: {
          name?: string;
          models?: string;
          inputMode: 'committed';
          outputMode: 'packed';
          acceptDrift?: boolean;
        },
      ) => {
        const file = basename(path, '.onnx');
        const name = options.name ?? (file === 'model' ? basename(dirname(path)) : file).toLowerCase();
        const started = performance.now();
        const { description, folder, reused } = await installModel(await readFile(path), {
          name,
          modelsFolder: options.models ?? readConfig().modelsFolder,
          inputMode: options.inputMode,
          outputMode: options.outputMode,
          acceptsDrift: options.acceptDrift ?? false,
        });
        process.stdout.write(
          `modelId ${description.modelId}\nfolder  ${folder}\nrows    ${description.rowCount}\n`,
        );
        process.stdout.write(
          `${reused ? 'keys were there already' : `keys made in ${((performance.now() - started) / 1000).toFixed(1)} s`}\n`,
        );
        process.stdout.write(
          `${pc.yellow(trustStatements(description.identity).find(({ applies }) => applies)!.sentence)}\n`,
        );
      },
    );
}
