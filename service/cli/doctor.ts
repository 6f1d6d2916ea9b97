import { access, constants } from 'node:fs/promises';
import type { Command } from 'commander';
import pc from 'picocolors';
import { selectEngine } from '../../prover/index.js';
import { anvilBinary } from '../chain/anvil.js';
import { artifact } from '../chain/artifacts.js';
import { readConfig } from '../config.js';
import { withDatabase } from '../database.js';
import { pinnedFiles, requirePinned } from '../pinned-packages.js';
import { selfTest } from '../inference/self-test.js';
import { runtimeVersion } from '../inference/session.js';

export function register(program: Command): void {
  program.command('doctor').description('say what works on this machine and what is missing').action(run);
}

async function run(): Promise<void> {
  const config = readConfig();
  let failed = 0;
  const check = async (what: string, probe: () => Promise<string> | string): Promise<void> => {
    try {
      process.stdout.write(`${pc.green('ok  ')} ${what}: ${await probe()}\n`);
    } catch (error) {
      failed++;
      process.stdout.write(`${pc.red('FAIL')} ${what}: ${(error as Error).message}\n`);
    }
  };
  await check('platform', () => {
    const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
    if (process.platform !== 'linux' || process.arch !== 'x64')
      throw new Error(`must be linux x64, got ${process.platform} ${process.arch}`);
    if (major < 20 || (major === 20 && minor < 19))
      throw new Error(`Node must be at least 20.19, got ${process.versions.node}`);
    return `${process.platform} ${process.arch}, Node ${process.versions.node}`;
  });
  await check('proving engine', async () => (await selectEngine()).reason);
  await check('ONNX Runtime', async () => `${runtimeVersion}, u8 by s8 self-test: ${await selfTest()}`);
  await check('pinned binaries', async () => {
    await requirePinned();
    return `${pinnedFiles().length} files as pinned`;
  });
  await check('contracts', () => `Settlement is ${artifact('Settlement').bytecode.length / 2 - 1} bytes`);
  await check(
    'chain',
    () =>
      config.rpcUrl ??
      `embedded, ${anvilBinary().includes('node_modules') ? 'bundled anvil' : 'anvil from PATH'}`,
  );
  await check('database', () =>
    withDatabase(
      config,
      async (pool) =>
        ((await pool.query('select version()')).rows[0] as { version: string }).version.split(' on ')[0]!,
    ),
  );
  await check('models folder', async () => {
    await access(config.modelsFolder, constants.W_OK).catch(() => undefined);
    return config.modelsFolder;
  });
  process.exitCode = failed === 0 ? 0 : 1;
}
