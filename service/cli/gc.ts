import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { readConfig } from '../config.js';
import { withDatabase } from '../database.js';
import { unnamedArtifacts } from '../model-folder.js';
import { waitingUploads } from '../store/installs.js';
import { modelIdsInUse } from '../store/models.js';

export function register(program: Command): void {
  program
    .command('gc')
    .description('remove model artifacts and uploads that nothing in the database names')
    .option('--dry-run', 'only say what would go')
    .option('--untouched <minutes>', 'leave what was written to in this time', '60')
    .action((options: { dryRun?: boolean; untouched: string }) => {
      const minutes = Number(options.untouched);
      if (!(minutes >= 0)) throw new Error('--untouched: must be minutes');
      const config = readConfig();
      return withDatabase(config, async (pool) => {
        const modelIds = await modelIdsInUse(pool);
        const named = { modelIds, uploads: await waitingUploads(pool) };
        const found = await unnamedArtifacts(config.modelsFolder, named, minutes * 60_000);
        for (const { path, sizeBytes } of found) {
          if (!options.dryRun) await rm(path, { recursive: true, force: true });
          process.stdout.write(
            `${options.dryRun ? 'would remove' : 'removed'} ${path} (${(sizeBytes / 1048576).toFixed(1)} MiB)\n`,
          );
        }
        process.stdout.write(`${found.length} unnamed, ${modelIds.size} models in use\n`);
      });
    });
}
