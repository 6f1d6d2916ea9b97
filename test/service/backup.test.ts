/** Backup and restore as docs/operating.md tells them, by the command line, with a chain that went on meanwhile. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Json, temporaryFolder } from '../support/service.js';
import { startWholeService, type WholeService } from '../support/whole-service.js';

let folder: string;
test.before(async () => {
  folder = await temporaryFolder();
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

const start = (data: string): Promise<WholeService> =>
  startWholeService({ folder: data, environment: { VERINFER_PROVERS: '1' } });

function verinfer(data: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const env = { PATH: process.env['PATH'], NO_COLOR: '1', VERINFER_DATA: data };
  return new Promise((done) => {
    execFile(process.execPath, ['dist/service/cli.js', ...args], { env }, (error, stdout, stderr) =>
      done({ code: error ? 1 : 0, text: stdout + stderr }),
    );
  });
}

const ask = async ({ url }: WholeService): Promise<Json> => {
  const { samples } = JSON.parse(await readFile('models/digits8x8/samples.json', 'utf8')) as Json;
  const response = await fetch(`${url}/v1/models/digits8x8/inferences`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { data: samples[0].x }, settlement: 'onchain' }),
  });
  return response.json();
};

async function settled({ url }: WholeService, id: string): Promise<Json> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const inference = (await (await fetch(`${url}/v1/inferences/${id}`)).json()) as Json;
    if (inference.state === 'settled' || inference.state === 'failed') return inference;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${id} does not settle`);
}

test('R12 a restored backup serves what it held, and settles on although the chain is ahead of it', async (t) => {
  t.timeout(240_000);
  const [data, backup, moved] = ['data', 'backup', 'moved'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  let service = await start(data);
  const before = await ask(service);
  t.is((await settled(service, before.id)).state, 'settled');
  const receipt = await (await fetch(`${service.url}/v1/receipts/${before.id}`)).text();
  t.regex((await verinfer(data, 'backup', join(folder, 'refused'))).text, /must be free, got a service/);
  await service.stop();
  const made = await verinfer(data, 'backup', backup);
  t.is(made.code, 0, made.text);

  service = await start(data);
  const after = await ask(service);
  const lost = await settled(service, after.id);
  t.is(lost.state, 'settled');
  await service.stop();

  // The database is gone; the chain, which is not ours to restore, has the second settlement.
  await rename(data, moved);
  t.regex((await verinfer(data, 'restore', backup)).text, /^restored/);
  await cp(join(moved, 'chain'), join(data, 'chain'), { recursive: true, force: true });
  service = await start(data);
  try {
    t.is((await settled(service, before.id)).state, 'settled');
    t.is(await (await fetch(`${service.url}/v1/receipts/${before.id}`)).text(), receipt);
    t.is((await fetch(`${service.url}/v1/inferences/${after.id}`)).status, 404);
    const next = await settled(service, (await ask(service)).id);
    t.is(next.state, 'settled');
    t.not(next.settled.transactionHash, lost.settled.transactionHash);
  } finally {
    await service.stop();
  }

  t.regex((await verinfer(data, 'restore', backup)).text, /must be a data folder without a database/);
  t.regex((await verinfer(data, 'backup', backup)).text, /must be an empty folder/);
  const flipped = await readFile(join(backup, 'postgres', 'PG_VERSION'), 'utf8');
  await writeFile(join(backup, 'postgres', 'PG_VERSION'), flipped.replace('8', '7'));
  const refused = await verinfer(join(folder, 'other'), 'restore', backup);
  t.regex(refused.text, /postgres\/PG_VERSION: SHA-256 must be/);
});
