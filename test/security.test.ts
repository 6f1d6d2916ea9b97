/**
 * Every attack of the catalogue has a home: a test whose title carries its id, or a line in docs/security.md
 * that says why it does not apply, or that it is still open. A row cannot be in two of these at once.
 */
import test from 'ava';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const ROWS: Record<string, number> = {
  C: 29,
  P: 14,
  S: 13,
  M: 23,
  R: 13,
  Q: 14,
  A: 20,
  F: 12,
  T: 13,
  V: 9,
  U: 7,
};

const ids = Object.entries(ROWS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(2, '0')}`),
);

/** Ids on the `test(` lines of the suite, and on forge's `function test…` and `invariant…` lines. */
function tested(): Set<string> {
  const found = new Set<string>();
  const names = readdirSync('test', { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((file) => /\.(test\.ts|t\.sol)$/.test(file))) {
    const text = readFileSync(join('test', name), 'utf8');
    const titles =
      text.match(/^\s*(?:[\w.]*[tT]est(?:\.serial)?\(\s*(['"`]).*?\1|function (?:test|invariant)\w*)/gms) ??
      [];
    for (const title of titles) for (const id of title.match(/[A-Z]\d\d(?!\d)/g) ?? []) found.add(id);
  }
  return found;
}

/** `| C22 | not applicable | reason |` and `| V05 | open | reason |` rows of docs/security.md. */
function listed(): Map<string, string> {
  const rows = readFileSync('docs/security.md', 'utf8').matchAll(
    /^\| ([A-Z]\d\d) \| (not applicable|open) \| (.+) \|$/gm,
  );
  return new Map([...rows].map((row) => [row[1]!, row[2]!]));
}

test('every attack id is tested, or listed with a reason, and never both', (t) => {
  const inTests = tested();
  const inDocs = listed();
  t.deepEqual(
    ids.filter((id) => !inTests.has(id) && !inDocs.has(id)),
    [],
    'neither tested nor listed',
  );
  t.deepEqual(
    ids.filter((id) => inTests.has(id) && inDocs.has(id)),
    [],
    'tested, so take the line out of docs/security.md',
  );
});
