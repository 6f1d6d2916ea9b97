/** `make readme`: runs the demo and pastes what it printed between the README's markers, so that it is never typed. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const { stdout, stderr, status } = spawnSync('make', ['-s', 'demo'], {
  encoding: 'utf8',
  maxBuffer: 2 ** 24,
});
if (status !== 0) {
  process.stderr.write(stderr);
  throw new Error(`make demo must end with 0, got ${status}`);
}
// A terminal rewrites its progress line; of each line only the last writing stands.
const shown = stripVTControlCharacters(stdout)
  .split('\n')
  .map((line) => line.split('\r').at(-1)!.trimEnd())
  .filter((line) => !line.includes('receipt saved'))
  .join('\n')
  .trim();
const readme = readFileSync('README.md', 'utf8');
const [before, rest] = readme.split('<!-- demo:begin -->');
const after = rest?.split('<!-- demo:end -->')[1];
if (after === undefined) throw new Error('README.md must hold the markers demo:begin and demo:end');
writeFileSync(
  'README.md',
  `${before}<!-- demo:begin -->\n\`\`\`text\n${shown}\n\`\`\`\n<!-- demo:end -->${after}`,
);
