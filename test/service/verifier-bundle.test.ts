import test from 'ava';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { encodeReceipt } from '../../service/receipt.js';
import type { Proof, VerifyingKey } from '../../prover/keys.js';
import { verify, verifyReceipt } from '../../service/verifier/index.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

const bundles = new Map<string, Promise<Rolldown.RolldownOutput>>();

/** What a web page gets: vite's defaults for a library, browser conditions, minified. */
function bundle(part: 'verifier' | 'client' = 'verifier'): Promise<Rolldown.RolldownOutput> {
  const known = bundles.get(part);
  if (known) return known;
  const entry = path.join(process.cwd(), `dist/service/${part}/index.js`);
  const made = build({
    configFile: false,
    logLevel: 'silent',
    build: { write: false, minify: true, lib: { entry, formats: ['es'], fileName: part } },
  }).then((output) => (Array.isArray(output) ? output[0] : output) as Rolldown.RolldownOutput);
  bundles.set(part, made);
  return made;
}

test('the browser bundle of the verifier is at most 200 kB gzip, in one piece', async (t) => {
  const { output } = await bundle();
  t.is(output.length, 1);
  const code = output[0].type === 'chunk' ? output[0].code : '';
  const gzip = gzipSync(code, { level: 9 }).length;
  t.log(`${(gzip / 1000).toFixed(1)} kB gzip`);
  t.true(gzip < 200_000);
});

for (const part of ['verifier', 'client'] as const) {
  test(`the ${part}'s bundle holds no GPL code, no node: import, no eval and no WASM`, async (t) => {
    const { output } = await bundle(part);
    const [chunk] = output;
    if (chunk.type !== 'chunk') return t.fail();
    const packages = new Set(
      chunk.moduleIds.flatMap((id) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? []),
    );
    t.deepEqual([...packages].sort(), ['@noble/curves', '@noble/hashes', 'canonicalize', 'zod']);
    for (const name of packages) {
      const manifest = JSON.parse(await readFile(`node_modules/${name}/package.json`, 'utf8'));
      t.regex(manifest.license, /^(MIT|Apache-2\.0|BSD-3-Clause)$/, name);
    }
    t.deepEqual(chunk.imports, []);
    for (const forbidden of [/from ?["']node:/, /\brequire\(/, /\beval\(/, /\bWebAssembly\b/]) {
      t.false(forbidden.test(chunk.code), `${forbidden}`);
    }
    t.log(`${(gzipSync(chunk.code, { level: 9 }).length / 1000).toFixed(1)} kB gzip`);
  });
}

test('the bundle gives the verdict that the package gives', async (t) => {
  const { output } = await bundle();
  const folder = await mkdtemp(path.join(tmpdir(), 'verinfer-bundle-'));
  try {
    const file = path.join(folder, 'verifier.mjs');
    await writeFile(file, output[0].type === 'chunk' ? output[0].code : '');
    const { receipt, expectations } = await stageReceipt(stageModel(41));
    const texts = [
      encodeReceipt(receipt),
      encodeReceipt({ ...receipt, proof: `${receipt.proof.slice(0, -1)}0` }),
    ];
    const script = `import { verifyReceipt } from ${JSON.stringify(file)};
      const [texts, expectations] = JSON.parse(process.argv[1]);
      for (const text of texts) console.log(JSON.stringify((await verifyReceipt(text, expectations)).checks));`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--no-experimental-require-module', '--input-type=module', '--eval', script],
      JSON.stringify([texts, expectations]),
    ]);
    const lines = stdout.trim().split('\n');
    for (const [i, text] of texts.entries()) {
      t.deepEqual(JSON.parse(lines[i]), (await verifyReceipt(text, expectations)).checks);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.serial(
  'a warm verification costs little more than its pairing equation, and the key is decoded once',
  async (t) => {
    const { receipt, content, expectations } = await stageReceipt(stageModel(42));
    const text = encodeReceipt(receipt);
    const key = content.verifyingKey as VerifyingKey;
    const proof = content.proof as Proof;
    /** Processor time: the machine is shared, and waiting for a core is not verifying. */
    const cost = async (act: () => Promise<boolean>): Promise<number> => {
      const before = process.cpuUsage();
      t.true(await act());
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const whole: number[] = [];
    const equation: number[] = [];
    for (let i = 0; i < 40; i++) {
      whole.push(await cost(async () => (await verifyReceipt(text, expectations)).valid));
      equation.push(await cost(() => verify(key, content.publicSignals, proof)));
    }
    const median = (values: number[]) => values.slice(10).sort((a, b) => a - b)[15]!;
    t.log(
      `${(median(whole) / median(equation)).toFixed(2)} times; first of all ${(whole[0]! / median(whole)).toFixed(0)} times the later ones`,
    );
    t.true(median(whole) < 2.2 * median(equation));
  },
);
