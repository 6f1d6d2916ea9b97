/** The command line in an auditor's hands: their own proof from the same key, and where two runs part. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { modelId as hashIdentity } from '../../circuits/model-id.js';
import { audit, type AuditReport } from '../../service/audit/audit.js';
import { UnreadableSubject } from '../../service/audit/bundle.js';
import { readSubject } from '../../service/audit/subject.js';
import { auditTable } from '../../service/audit/table.js';
import { type InstalledModel, installModel } from '../../service/install.js';
import { encodeReceipt, withoutOpening } from '../../service/receipt.js';
import { openProvenModel, type ProvenReceipt, proveReceipt } from '../support/proven-model.js';
import { random, seedFrom } from '../support/random.js';

const onnxPath = 'models/digits8x8/model.onnx';
let folder: string;
let modelsFolder: string;
let installed: InstalledModel;
let proven: ProvenReceipt;
const at = (name: string): string => join(folder, name);

test.before(async (t) => {
  folder = await mkdtemp(join(tmpdir(), 'verinfer-auditor-'));
  modelsFolder = at('models');
  installed = await installModel(await readFile(onnxPath), { name: 'digits', modelsFolder });
  proven = await proveReceipt(await openProvenModel(installed.folder), random(seedFrom(t.log)));
  await writeFile(at('receipt.json'), encodeReceipt(proven.receipt));
  await writeFile(at('public.json'), encodeReceipt(withoutOpening(proven.receipt)));
  await writeFile(at('opening.json'), JSON.stringify(proven.opening));
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

const verinfer = async (...args: string[]): Promise<{ code: number; out: string }> => {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['dist/service/cli.js', ...args]);
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: `${stdout}${stderr}` };
  }
};

test('prove takes the input of a receipt and gives another proof of the same outputs, from the same key', async (t) => {
  const { modelId } = installed.description;
  const own = at('own.json');
  const made = await verinfer(
    ...['prove', '--model', modelId, '--models', modelsFolder, '--input', at('receipt.json')],
    ...['--out', own, '--json'],
  );
  t.is(made.code, 0, made.out);
  const { requestId, salt } = JSON.parse(made.out) as { requestId: string; salt: string };
  t.is(salt, proven.opening.salt!);
  const receipt = JSON.parse(await readFile(own, 'utf8')) as typeof proven.receipt;
  t.deepEqual(receipt.outputs, proven.receipt.outputs);
  t.deepEqual(
    receipt.publicSignals.slice(1),
    proven.receipt.publicSignals.slice(1),
    'the same statement but for ctx',
  );
  t.not(receipt.proof, proven.receipt.proof);
  const pins = ['--unsigned', '--model', modelId, '--request', requestId];
  t.is((await verinfer('verify', own, ...pins, '--opening', at('opening.json'))).code, 0);
  const other = await verinfer(
    'verify',
    own,
    '--unsigned',
    '--model',
    `0x${'1'.repeat(64)}`,
    '--request',
    requestId,
  );
  t.is(other.code, 1);
});

test('replay names the tensor at which a run elsewhere parts, for every form of the same input', async (t) => {
  const replay = (...args: string[]) => verinfer('replay', '--model', onnxPath, ...args);
  const first = await replay('--input', at('receipt.json'), '--out', at('here.json'));
  t.is(first.code, 0, first.out);
  t.regex(first.out, /reference and ONNX Runtime agree/);
  const digests = JSON.parse(await readFile(at('here.json'), 'utf8')) as {
    name: string;
    node: string;
    sha256: string;
  }[];
  t.is((await replay('--input', at('opening.json'), '--compare', at('here.json'))).code, 0, 'an opening');
  const planted = digests.map((digest, i) => (i < 3 ? digest : { ...digest, sha256: '0'.repeat(64) }));
  await writeFile(at('there.json'), JSON.stringify(planted));
  const parted = await replay('--input', at('receipt.json'), '--compare', at('there.json'));
  t.is(parted.code, 1);
  t.true(parted.out.includes(`part at node ${digests[3]!.node}, tensor ${digests[3]!.name}`), parted.out);
  const without = await replay('--input', at('public.json'));
  t.not(without.code, 0);
  t.regex(without.out, /client's copy of a receipt/);
});

const failing = ({ checks }: AuditReport): string[] =>
  checks.filter(({ status }) => status === 'fail').map(({ id }) => id);

test('a model id alone is audited from what a server says it is, and the server is believed in nothing', async (t) => {
  const { modelId, identity, manifest } = installed.description;
  const onnx = await readFile(onnxPath);
  const verifyingKey = JSON.parse(await readFile(join(installed.folder, 'vk.json'), 'utf8')) as object;
  let told: object = { identity, manifest, verifyingKey };
  let named = modelId;
  const server = createServer((request, response) => {
    if (request.url === `/v1/models/${named}`) response.end(JSON.stringify(told));
    else if (request.url === `/v1/artifacts/${identity.modelHash.slice(2)}`) response.end(onnx);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const places = { serverUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const report = await audit(await readSubject(modelId, places), {});
  t.deepEqual(failing(report), []);
  for (const id of [
    'model-id',
    'vk-hash',
    'key-safe',
    'onnx',
    'circuit',
    'manifest-recompiled',
    'uniqueness',
  ])
    t.is(report.checks.find((check) => check.id === id)?.status, 'pass', id);

  told = { identity: { ...identity, setupClass: 'ceremony', contributorCount: 9 }, manifest, verifyingKey };
  t.deepEqual(failing(await audit(await readSubject(modelId, places), {})), ['model-id']);

  // A model that says it had a ceremony, and nobody at hand who could show it.
  const ceremonial = {
    ...identity,
    ...{ setupClass: 'ceremony' as const, contributorCount: 9, transcriptDigest: `0x${'7'.repeat(64)}` },
  };
  named = hashIdentity({ ...ceremonial, setupClass: 2 });
  told = { identity: ceremonial, manifest, verifyingKey };
  const unshown = await audit(await readSubject(named, places), {});
  t.deepEqual(failing(unshown), []);
  t.is(unshown.exitCode, 3);
  t.regex(
    auditTable(unshown),
    /INCOMPLETE: not checked that nobody can forge .* \(no ceremony folder at hand\)/,
  );
  const byCommand = await verinfer('audit', named, '--server', places.serverUrl, '--models', at('none'));
  t.is(byCommand.code, 3, byCommand.out);
  named = modelId;

  told = { identity, manifest: { ...manifest, postProcessing: 'another' }, verifyingKey };
  t.true(failing(await audit(await readSubject(modelId, places), {})).includes('manifest'));
  told = { identity: [] };
  await t.throwsAsync(readSubject(modelId, places), { instanceOf: UnreadableSubject });
  const absent = `0x${'2'.repeat(64)}`;
  await t.throwsAsync(readSubject(absent, places), { instanceOf: UnreadableSubject });
});
