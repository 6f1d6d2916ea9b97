import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { ModelRefused } from '../../circuits/errors.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import { parseModelFile } from '../../service/parser.js';
import { seedModels } from '../circuits/onnx/fuzz.js';
import { model, node, smallModel, tensor, value } from '../support/protobuf.js';

const folder = mkdtempSync(join(tmpdir(), 'verinfer-parser-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

test('a model comes back as the executed graph, parsed in another process', async (t) => {
  const [qdq] = seedModels();
  const parsed = await parseModelFile(file('qdq.onnx', qdq));
  t.deepEqual(parsed.inputs, [{ name: 'x', dtype: 'float32', shape: [1, 1, 6, 6] }]);
  t.true(loadGraph(parsed.executedModel).nodes.some(({ type }) => type === 'QLinearConv'));
});

test('a refusal crosses the process boundary with where, what, expected, got', async (t) => {
  const bytes = smallModel({ nodes: [node('Loop', ['x'], ['y'])] });
  const error = await t.throwsAsync(parseModelFile(file('loop.onnx', bytes)), { instanceOf: ModelRefused });
  t.is(error?.where, 'node "Loop_0" (Loop)');
  t.is(error?.got, 'ai.onnx:Loop');
});

test('F01 the parser process is killed at its limits of time and memory, and the caller goes on', async (t) => {
  const weights = new Array<number>(3_000_000).fill(1);
  const big = model({
    nodes: [node('Reshape', ['w', 's'], ['r']), node('Identity', ['x'], ['y'])],
    initializers: [
      tensor('w', 2, [weights.length], [0x4a, 0xc0, 0x8d, 0xb7, 0x01, ...weights]),
      tensor('s', 7, [1], [0x38, ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]),
    ],
    inputs: [value('x', 2, [1])],
    outputs: [value('y', 2, [1])],
  });
  const path = file('big.onnx', big);
  const limits = { message: /parsing must be within its limits of time and memory/ };
  await t.throwsAsync(parseModelFile(path, {}, { memoryMiB: 60 }), { instanceOf: ModelRefused, ...limits });
  await t.throwsAsync(parseModelFile(path, {}, { timeoutMs: 20 }), { instanceOf: ModelRefused, ...limits });
  await t.throwsAsync(parseModelFile(path, {}, { answerBytes: 10 }), { instanceOf: ModelRefused, ...limits });
});

test('F09 only one bare regular file is read: no link, folder, device or archive', async (t) => {
  const good = file('good.onnx', smallModel());
  symlinkSync(good, join(folder, 'link.onnx'));
  mkdirSync(join(folder, 'folder.onnx'));
  execFileSync('mkfifo', [join(folder, 'pipe.onnx')]);
  for (const name of ['link.onnx', 'folder.onnx', 'pipe.onnx', 'absent.onnx']) {
    await t.throwsAsync(parseModelFile(join(folder, name)), { instanceOf: ModelRefused }, name);
  }
  await t.throwsAsync(parseModelFile('/dev/zero'), { instanceOf: ModelRefused });
  const zip = Buffer.concat([Buffer.from('PK\u0003\u0004'), Buffer.from(smallModel())]);
  const tar = Buffer.concat([Buffer.from('../../model.onnx'.padEnd(512, '\0')), Buffer.from(smallModel())]);
  for (const [name, bytes] of [
    ['a.zip', zip],
    ['a.gz', gzipSync(smallModel())],
    ['a.tar', tar],
  ] as const) {
    await t.throwsAsync(parseModelFile(file(name, bytes)), { instanceOf: ModelRefused }, name);
  }
  linkSync(good, join(folder, 'hard.onnx'));
  await t.notThrowsAsync(
    parseModelFile(join(folder, 'hard.onnx')),
    'a hard link to a model is that model; nothing else is ever opened',
  );
});
