/** The systemd unit and the compose file name what is there: verbs, variables, binaries; systemd itself reads the unit. */
import test from 'ava';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { variables } from '../../service/config.js';
import { createProgram } from '../../service/cli/program.js';
import { others } from './tables.js';

const unit = readFileSync('docs/deploy/verinfer.service', 'utf8');
const compose = readFileSync('docs/deploy/compose.yaml', 'utf8');

for (const [name, text] of [
  ['verinfer.service', unit],
  ['compose.yaml', compose],
] as const) {
  test(`${name} uses variables, verbs and options that exist`, (t) => {
    const known = new Set([...Object.keys(variables.shape), ...Object.keys(others)]);
    for (const variable of text.match(/\bVERINFER_[A-Z_]+/g) ?? []) t.true(known.has(variable), variable);
    const program = createProgram();
    const calls = [
      ...text.matchAll(/dist\/service\/cli\.js["']?,? ["']?([a-z-]+)["']?((?:,? ["']?--[a-z-]+["']?)*)/g),
    ];
    t.true(calls.length > 0);
    for (const [, verb, options] of calls) {
      const command = program.commands.find((candidate) => candidate.name() === verb);
      t.truthy(command, verb);
      for (const option of options!.match(/--[a-z-]+/g) ?? [])
        t.true(
          command!.options.some(({ long }) => long === option),
          `${verb} ${option}`,
        );
    }
  });
}

test('the compose file runs every part, and the chain it names', (t) => {
  for (const part of ['api', 'prover', 'settler', 'deploy', 'postgres', 'chain'])
    t.regex(compose, new RegExp(`^  ${part}:$`, 'm'));
  const binary = /"(node_modules\/[^"]+)"/.exec(compose)![1]!;
  t.true(existsSync(binary), binary);
});

const withSystemd = existsSync('/usr/bin/systemd-analyze') ? test : test.skip;

withSystemd('systemd accepts the unit', async (t) => {
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', [
    'verify',
    'docs/deploy/verinfer.service',
  ]);
  t.is(stdout + stderr, '');
});
