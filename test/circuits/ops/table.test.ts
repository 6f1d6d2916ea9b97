/** docs/operators.md is the operator table: UPDATE_DOCS=1 rewrites it. */
import test from 'ava';
import { readFileSync, writeFileSync } from 'node:fs';
import { OPS } from '../../../circuits/ops/index.js';

const FILE = 'docs/operators.md';

function page(): string {
  const rows = OPS.map(
    ({ domain, type, supports }) => `| ${type} | ${domain === '' ? 'ai.onnx' : domain} | ${supports} |`,
  );
  return [
    '# Operators a circuit carries',
    '',
    'The executed graph (QOperator form, docs/architecture.md) consists of these; import rewrites everything else it',
    'accepts into them, and refuses the rest with node, attribute, expected and got. Generated from circuits/ops/index.ts.',
    '',
    '| operator | domain | what of it |',
    '|---|---|---|',
    ...rows.sort(),
    '',
  ].join('\n');
}

test('docs/operators.md lists every operator of the table', (t) => {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(FILE, page());
  t.is(readFileSync(FILE, 'utf8'), page());
});
