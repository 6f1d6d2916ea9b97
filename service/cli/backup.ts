import type { Command } from 'commander';
import pc from 'picocolors';
import { backUp, restore } from '../backup.js';
import { readConfig } from '../config.js';

export function register(program: Command): void {
  program
    .command('backup <folder>')
    .description('copy database, chain state and models of a stopped service into an empty folder')
    .action(async (folder: string) => {
      const { dataFolder, modelsFolder } = embedded();
      say('backed up', await backUp(dataFolder, modelsFolder, folder), folder);
    });
  program
    .command('restore <folder>')
    .description('put a backup back into VERINFER_DATA, every file checked by its hash')
    .action(async (folder: string) => {
      const { dataFolder, modelsFolder } = embedded();
      say('restored', await restore(folder, dataFolder, modelsFolder), folder);
    });
}

function embedded(): { dataFolder: string; modelsFolder: string } {
  const { databaseUrl, dataFolder, modelsFolder } = readConfig();
  if (databaseUrl !== undefined)
    throw new Error(
      'DATABASE_URL: must not be set, as a server of your own is backed up with pg_dump or its archive',
    );
  return { dataFolder, modelsFolder };
}

function say(
  what: string,
  { files, createdAt }: { files: readonly { sizeBytes: number }[]; createdAt: string },
  folder: string,
): void {
  const megabytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1e6;
  process.stdout.write(
    `${pc.green(what)}  ${files.length} files, ${megabytes.toFixed(1)} MB, of ${createdAt}: ${folder}\n`,
  );
}
