import test, { type ExecutionContext } from 'ava';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bareEnvironment, withoutNetwork } from '../../service/confinement.js';
import { createLog } from '../../service/log.js';
import { parserCommand } from '../../service/parser.js';
import { ProverChild } from '../../service/proving/child.js';
import { probe, type ProbeTargets } from '../support/probe.js';

const probeModule = fileURLToPath(new URL('../support/probe.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'verinfer-confinement-'));
const models = mkdtempSync(join(tmpdir(), 'verinfer-models-'));
const secretFile = join(folder, 'secret');
writeFileSync(secretFile, 'a secret');
const listener = createServer((socket) => socket.destroy());

const targets = (): ProbeTargets => ({
  ...{ secretFile, folder },
  port: (listener.address() as AddressInfo).port,
});

test.before(() => new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve)));
test.after.always(() => {
  listener.close();
  for (const made of [folder, models]) rmSync(made, { recursive: true, force: true });
});

function assertConfined(t: ExecutionContext, findings: Record<string, string>): void {
  const { environment, 'reach the network': network, ...files } = findings;
  for (const [what, result] of Object.entries(files)) t.is(result, 'ERR_ACCESS_DENIED', what);
  // A shell sets PWD by itself; it is `/`.
  const known = [...Object.keys(bareEnvironment), 'PWD'];
  t.deepEqual(
    environment!.split(',').filter((name) => !known.includes(name)),
    [],
  );
  if (withoutNetwork().length === 0) t.log('this kernel gives no network namespace: not tried');
  else t.not(network, 'done', 'reach the network');
  t.deepEqual(readdirSync(folder), ['secret']);
}

test.serial('U02 the probe itself finds everything open in a process like any other', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--input-type=module', '--eval'],
    `import { probe } from ${JSON.stringify(probeModule)};
     const found = await probe(${JSON.stringify({ ...targets(), secretFile: join(models, 'absent') })});
     console.log(JSON.stringify(found));`,
  ]);
  const found = JSON.parse(stdout) as Awaited<ReturnType<typeof probe>>;
  for (const what of [
    'list the root',
    'write a file',
    'make a folder',
    'start a process',
    'reach the network',
  ])
    t.is(found[what], 'done', what);
  rmSync(join(folder, 'written'));
  rmSync(join(folder, 'made'), { recursive: true });
  rmSync(fileURLToPath(new URL('../support/planted.js', import.meta.url)));
});

test.serial('U02 the parser process has no network, no files, no children and no environment', async (t) => {
  const [file, ...args] = parserCommand({}, undefined, probeModule);
  const { stdout } = await promisify(execFile)(file!, [...args.slice(0, -1), JSON.stringify(targets())], {
    env: bareEnvironment,
    cwd: '/',
  });
  assertConfined(t, JSON.parse(stdout) as Record<string, string>);
});

test.serial(
  'U02 the prover process has no network, the models to read, no children and no environment',
  async (t) => {
    const child = new ProverChild(
      probeModule,
      {
        ...{ threadCount: 1, memoryBytes: 2 ** 32, deadlineMs: 30_000, recycleAfter: 10, niceness: 0 },
        readableFolders: [models],
      },
      createLog({ logLevel: 'silent' }, 'test'),
    );
    t.teardown(() => child.close());
    const job = { modelId: 'probe', folder: JSON.stringify(targets()), files: {}, engine: 'auto' as const };
    const end = await child.run({ type: 'load', job });
    if (end.kind !== 'refused') return t.fail(JSON.stringify(end));
    assertConfined(t, JSON.parse(end.detail) as Record<string, string>);
  },
);
