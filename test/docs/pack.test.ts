/** What `npm pack` makes, in an empty project: it imports, its bin runs, and the verifier needs no GPL package. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { encodeReceipt } from '../../service/receipt.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

const run = promisify(execFile);
/** All that `verinfer/verifier` and `verinfer/client` may load, each under a permissive licence. */
const free = ['@noble/curves', '@noble/hashes', 'canonicalize', 'mcl-wasm', 'zod'];

let folder: string;
let tarball: string;
let files: string[];

test.before(async (t) => {
  t.timeout(120_000);
  folder = await mkdtemp(join(tmpdir(), 'verinfer-pack-'));
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--offline', '--pack-destination', folder],
    {
      maxBuffer: 2 ** 26,
    },
  );
  const [packed] = JSON.parse(stdout) as [{ filename: string; size: number; files: { path: string }[] }];
  tarball = join(folder, packed.filename);
  files = packed.files.map(({ path }) => path);
  t.log(`${files.length} files, ${(packed.size / 1e6).toFixed(1)} MB packed`);
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

/** A project with the package installed, and of our dependencies only those named. */
async function project(name: string, dependencies: readonly string[]): Promise<string> {
  const root = join(folder, name);
  await mkdir(join(root, 'node_modules', 'verinfer'), { recursive: true });
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(root, 'node_modules', 'verinfer')]);
  for (const dependency of dependencies) {
    const place = join(root, 'node_modules', dependency);
    await mkdir(dirname(place), { recursive: true });
    await symlink(join(process.cwd(), 'node_modules', dependency), place);
  }
  return root;
}

const script = (root: string, text: string, ...args: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, ['--input-type=module', '--eval', text, ...args], { cwd: root });

test('the package holds what it needs and neither tests, secrets nor data', (t) => {
  for (const path of [
    'README.md',
    'LICENSE',
    'dist/service/cli.js',
    'dist/service/verifier/index.d.ts',
    'dist/service/client/index.js',
    'dist/dashboard/index.html',
    'verifier-contracts/out/Settlement.json',
    'models/lenet5/model.onnx',
    'prover/native/build.sh',
  ])
    t.true(files.includes(path), path);
  const stray = files.filter((path) =>
    /(^|\/)(test|\.data|coverage|node_modules)\/|\.key$|\.zkey$|\.tsbuildinfo$/.test(path),
  );
  t.deepEqual(stray, []);
});

test('verifier and client load and verify with nothing but permissive packages there', async (t) => {
  t.timeout(60_000);
  for (const name of free) {
    const { license } = JSON.parse(await readFile(`node_modules/${name}/package.json`, 'utf8')) as {
      license: string;
    };
    t.regex(license, /^(MIT|Apache-2\.0|BSD-3-Clause)$/, name);
  }
  const root = await project('verifier', free);
  t.false(existsSync(join(root, 'node_modules', 'snarkjs')));
  const { receipt, expectations } = await stageReceipt(stageModel(5));
  const { stdout } = await script(
    root,
    `import { verifyReceipt } from 'verinfer/verifier';
     import { Client } from 'verinfer/client';
     const [receipt, expectations] = JSON.parse(process.argv[1]);
     const { valid } = await verifyReceipt(receipt, expectations);
     const forged = await verifyReceipt(receipt.replace('"proof":"0x', '"proof":"0xf'), expectations);
     console.log(valid, forged.valid, typeof new Client({ url: 'http://127.0.0.1:9' }).infer);`,
    JSON.stringify([encodeReceipt(receipt), expectations]),
  );
  t.is(stdout.trim(), 'true false function');
  await t.throwsAsync(script(root, `await import('verinfer/dist/service/cli.js');`), {
    message: /ERR_PACKAGE_PATH_NOT_EXPORTED/,
  });
});

test('its bin runs in an empty project', async (t) => {
  t.timeout(120_000);
  const everything = readdirSync('node_modules')
    .filter((name) => !name.startsWith('.') && name !== 'verinfer')
    .flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join('node_modules', name)).map((part) => `${name}/${part}`)
        : [name],
    );
  const root = await project('cli', everything);
  const manifest = JSON.parse(await readFile(join(root, 'node_modules/verinfer/package.json'), 'utf8')) as {
    version: string;
    bin: { verinfer: string };
  };
  const bin = join(root, 'node_modules/verinfer', manifest.bin.verinfer);
  const verinfer = (...args: string[]): Promise<{ stdout: string }> =>
    run(process.execPath, [bin, ...args], { cwd: root, env: { PATH: process.env['PATH'], NO_COLOR: '1' } });
  t.is((await verinfer('--version')).stdout.trim(), manifest.version);
  const model = 'node_modules/verinfer/models/digits8x8';
  t.regex((await verinfer('compile', join(model, 'model.onnx'))).stdout, /^total\s+1,?788\s/m);
  const made = (await verinfer('setup', join(model, 'model.onnx'), '--models', 'models')).stdout;
  const { samples } = JSON.parse(await readFile(join(root, model, 'samples.json'), 'utf8')) as {
    samples: { x: number[] }[];
  };
  await writeFile(
    join(root, 'input.json'),
    JSON.stringify({ input: { data: samples[0]!.x }, nonce: `0x${'7'.repeat(64)}` }),
  );
  const [, modelId, place] = /modelId (0x[0-9a-f]{64})\nfolder {2}(\S+)/.exec(made)!;
  await verinfer('prove', '--model', place!, '--input', 'input.json');
  const verdict = await verinfer(
    'verify',
    'receipt.json',
    '--model',
    modelId!,
    '--request',
    `0x${'7'.repeat(64)}`,
    '--unsigned',
  );
  t.regex(verdict.stdout, /valid {2}verified offline: true/);
});
