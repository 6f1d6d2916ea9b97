import type { Command } from 'commander';
import pc from 'picocolors';
import { bundledModels, provideModels } from '../bundled-models.js';
import { readConfig } from '../config.js';
import { createLog } from '../log.js';
import { startService } from '../supervisor.js';

export function register(program: Command): void {
  program
    .command('serve')
    .description('start everything: embedded PostgreSQL and chain where none are named, API, prover, settler')
    .option('--port <port>', 'of the API; 0 picks a free one')
    .option('--no-examples', 'do not install the bundled example models')
    .action(run);
}

async function run(options: { port?: string; examples: boolean }): Promise<void> {
  if (options.port !== undefined) process.env['VERINFER_PORT'] = options.port;
  const config = readConfig();
  const log = createLog(config, 'supervisor');
  const service = await startService({
    config,
    log,
    prepare: async ({ pool, chain }) => {
      if (options.examples)
        await provideModels(bundledModels, { pool, chain, modelsFolder: config.modelsFolder, log });
    },
  });
  process.stdout.write(
    `${pc.green('verinfer')} serves at ${pc.bold(service.url)}${config.requireKeys ? '' : pc.yellow('  (development mode: no API key is asked for)')}\n`,
  );
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    void service.stop().then(() => process.exit(0));
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}
