/** A service on a chain of its own choosing: `verinfer deploy`, then a settler that finds what it needs. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAnvil, type Anvil } from '../../service/chain/anvil.js';
import type { Deployment } from '../../service/chain/deployment.js';
import { temporaryFolder } from '../support/service.js';

let folder: string;
let anvil: Anvil;
test.before(async () => {
  folder = await temporaryFolder();
  anvil = await startAnvil();
  await writeFile(join(folder, 'chain.key'), anvil.privateKeys[1]!, { mode: 0o600 });
});
test.after.always(async () => {
  await anvil?.stop();
  await rm(folder, { recursive: true, force: true });
});

function deploy(...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    NO_COLOR: '1',
    VERINFER_DATA: join(folder, 'data'),
    VERINFER_RPC_URL: anvil.rpcUrl,
    VERINFER_CHAIN_KEY_FILE: join(folder, 'chain.key'),
  };
  return new Promise((done) => {
    execFile(process.execPath, ['dist/service/cli.js', 'deploy', ...args], { env }, (_, stdout, stderr) =>
      done(stdout + stderr),
    );
  });
}

test.serial(
  'verinfer deploy puts the contracts on the chain, once, and --use takes only our own code',
  async (t) => {
    t.timeout(120_000);
    const file = join(folder, 'deployment.json');
    const first = await deploy('--out', file);
    t.regex(first, /^deployed on chain 31337, code compared/);
    const deployment = JSON.parse(await readFile(file, 'utf8')) as Deployment;
    t.true(first.includes(deployment.settlement));
    t.regex(await deploy(), /must have no contracts yet, got Settlement/);
    t.is(await deploy('--if-missing'), '');
    t.regex(await deploy('--use', file), /^found on chain 31337/);
    const swapped = join(folder, 'swapped.json');
    await writeFile(swapped, JSON.stringify({ ...deployment, settlement: deployment.market }));
    t.regex(await deploy('--use', swapped), /code of Settlement/);
  },
);
