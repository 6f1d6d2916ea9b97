/** The command line as somebody new meets it: every mistake is answered in a line or two, never with a stack. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createProgram } from '../../service/cli/program.js';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verinfer-cli-'));
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

function verinfer(...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    const env = { PATH: process.env['PATH'], NO_COLOR: '1', VERINFER_DATA: folder };
    execFile(process.execPath, ['dist/service/cli.js', ...args], { env }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test('--help shows every command in a group, and every command and option says what it is for', async (t) => {
  const { stdout } = await verinfer('--help');
  const commands = (program: Command): Command[] =>
    program.commands.flatMap((command) => [command as Command, ...commands(command as Command)]);
  const all = commands(createProgram());
  t.true(all.length > 30);
  for (const command of all) {
    t.not(command.description(), '', `${command.name()} has no description`);
    for (const option of command.options) t.not(option.description, '', `${command.name()} ${option.long}`);
  }
  for (const { name } of createProgram().commands.map((command) => ({ name: command.name() })))
    t.regex(stdout, new RegExp(`^  ${name}\\b`, 'm'), name);
  for (const group of ['See it:', 'Serve and ask:', 'Make a model provable:', 'Check:', 'Run it for others:'])
    t.true(stdout.includes(group), group);
});

test('a mistake is answered with what was expected and what was got', async (t) => {
  const noModel = join(folder, 'none.onnx');
  const text = join(folder, 'text.onnx');
  const badInput = join(folder, 'bad.json');
  const notJson = join(folder, 'not.json');
  await writeFile(text, 'This is no model.\n');
  await writeFile(badInput, '{"input": {"dat": [1]}}');
  await writeFile(notJson, 'hello');
  const cases: [string[], RegExp][] = [
    [['verfy'], /unknown command 'verfy'\n\(Did you mean verify\?\)/],
    [['compile'], /missing required argument 'model'/],
    [['compile', noModel], /none\.onnx: must be a file, got nothing of that name/],
    [['compile', folder], /must be a file, got a folder/],
    [['compile', text], /is it an ONNX file\?/],
    [['compile', 'models/digits8x8/float.onnx'], /node ".+" \(\w+\): .+ must be .+, got /],
    [
      ['prove', '--model', 'models/digits8x8', '--input', badInput],
      /must be the folder of an installed model/,
    ],
    [['replay', '--model', 'models/digits8x8/model.onnx', '--input', badInput], /input/],
    [['verify', notJson], /expectations: modelId or vkHash must be given by the reader/],
    [['audit', notJson, '--model', `0x${'1'.repeat(64)}`, '--request', `0x${'1'.repeat(64)}`], /must be/],
    [['keys', 'create', '--tenant', 'Not Good'], /--tenant: must be lower-case letters, digits and dashes/],
    [['api'], /DATABASE_URL must name a PostgreSQL server, got nothing/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr, stdout } = await verinfer(...args);
    t.not(code, 0, args.join(' '));
    t.regex(`${stdout}${stderr}`, expected, args.join(' '));
    t.notRegex(stderr, /^\s+at .*:\d+/m, `${args.join(' ')}: a stack`);
    t.true(stderr.split('\n').length < 12, args.join(' '));
  }
});

test('a receipt that is none is INVALID, with exit code 1 and no stack', async (t) => {
  const file = join(folder, 'receipt.json');
  await writeFile(file, '{"version": 1}');
  const { code, stdout, stderr } = await verinfer(
    'verify',
    file,
    '--model',
    `0x${'1'.repeat(64)}`,
    '--request',
    `0x${'2'.repeat(64)}`,
  );
  t.is(code, 1);
  t.regex(stdout, /FAIL .*is a receipt of version 1/);
  t.regex(stdout, /INVALID/);
  t.is(stderr, '');
});
