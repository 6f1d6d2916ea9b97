import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { readConfig } from '../config.js';
import { withDatabase } from '../database.js';
import { unnamedFolders } from '../model-folder.js';
import { allModels } from '../store/models.js';

export function register(program: Command): void {
  program
    .command('gc')
    .description('remove model artifacts that no model in the database names')
    .option('--dry-run', 'only say what would go')
    .action((options: { dryRun?: boolean }) => {
      const config = readConfig();
      return withDatabase(config, async (pool) => {
        const named = new Set((await allModels(pool)).map(({ id }) => id));
        const found = await unnamedFolders(config.modelsFolder, named);
        for (const { path, sizeBytes } of found) {
          if (!options.dryRun) await rm(path, { recursive: true, force: true });
          process.stdout.write(
            `${options.dryRun ? 'would remove' : 'removed'} ${path} (${(sizeBytes / 1048576).toFixed(1)} MiB)\n`,
          );
        }
        process.stdout.write(`${found.length} folders, ${named.size} models named\n`);
      });
    });
}
