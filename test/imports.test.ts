/** The arrows of docs/architecture.md, executed: every import of every source file is read. */
import test from 'ava';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

const FOLDERS = ['circuits', 'prover', 'service', 'verifier-contracts', 'models'] as const;

/** What a folder may import besides itself and packages. */
const ARROWS: Record<(typeof FOLDERS)[number], (target: string) => boolean> = {
  circuits: () => false,
  prover: (target) =>
    [
      'circuits/field.ts',
      'circuits/errors.ts',
      'circuits/public-signals.ts',
      'circuits/model-id.ts',
    ].includes(target) || target.startsWith('circuits/r1cs/'),
  service: (target) => target.startsWith('circuits/') || target.startsWith('prover/'),
  'verifier-contracts': () => false,
  models: (target) => target.startsWith('circuits/'),
};

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

/** Path of a relative import, as a source file. */
const targetOf = (file: string, specifier: string): string =>
  normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');

test('every import follows the arrows circuits ← prover ← service', (t) => {
  const wrong: string[] = [];
  let read = 0;
  for (const folder of FOLDERS) {
    for (const file of sourceFiles(folder)) {
      for (const { fileName } of ts.preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles) {
        if (!fileName.startsWith('.')) continue;
        read += 1;
        const target = targetOf(file, fileName);
        if (!target.startsWith(`${folder}/`) && !ARROWS[folder](target)) wrong.push(`${file} → ${target}`);
      }
    }
  }
  t.deepEqual(wrong, []);
  t.true(read > 0);
});

test('no import cycle', (t) => {
  const edges = new Map<string, string[]>();
  for (const file of FOLDERS.flatMap(sourceFiles)) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022);
    const targets: string[] = [];
    for (const statement of source.statements) {
      if (!ts.isImportDeclaration(statement) || statement.importClause?.isTypeOnly === true) continue;
      const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
      if (specifier.startsWith('.')) targets.push(targetOf(file, specifier));
    }
    edges.set(file, targets);
  }
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of edges.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of edges.keys()) visit(file, []);
  t.deepEqual(cycles, []);
});

test('the top level holds only what the layout names', (t) => {
  const allowed = new Set([
    ...['circuits', 'prover', 'verifier-contracts', 'service', 'test', 'models', 'docs'],
    ...[
      'Makefile',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
    ],
    ...['node_modules', 'dist', 'coverage'],
  ]);
  t.deepEqual(
    readdirSync('.').filter((name) => !name.startsWith('.') && !allowed.has(name)),
    [],
  );
});

test('no room is called utils, helpers, common or misc', (t) => {
  const wrong = /(^|\/)(utils?|helpers?|common|misc)(\/|\.tsx?$)/;
  t.deepEqual(
    FOLDERS.flatMap(sourceFiles).filter((file) => wrong.test(file)),
    [],
  );
});
