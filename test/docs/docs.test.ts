/**
 * Every fenced block of the documentation is run, or checked, or listed here with the reason why not. Shell blocks of one
 * page run in order in one folder, against one live service; TypeScript is type-checked and run; JSON is validated;
 * `text` behind a shell block is what that block must print.
 */
import test from 'ava';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { z } from 'zod';
import * as schemas from '../../service/schemas.js';
import { compileContracts } from '../../verifier-contracts/build.js';
import { type Block, blocksOf, pages, whereIs } from './blocks.js';
import { skipped } from './skipped.js';
import { documentedUrl, openWorkspace, type Workspace } from './workspace.js';

let workspace: Workspace;
let service: { stop(): Promise<void> } | undefined;
const all = pages().flatMap(blocksOf);
const reasonOf = (block: Block): string | undefined =>
  skipped.find(({ page, contains }) => page === block.page && block.text.includes(contains))?.reason;
const checked = all.filter((block) => reasonOf(block) === undefined);
/** ```ts file:path``` shows a whole file, and must go on doing so. */
const fileOf = ({ note }: Block): string | undefined => /^file:(\S+)$/.exec(note)?.[1];
const of = (wanted: string): Block[] =>
  checked.filter((block) => block.language === wanted && fileOf(block) === undefined);

test.before(async (t) => {
  t.timeout(240_000);
  workspace = await openWorkspace();
  service = await workspace.serve();
});

test.after.always(async () => {
  await service?.stop();
  await workspace?.remove();
});

test('every block has a language that is run or checked, or a reason on the list', (t) => {
  const known = new Set(['sh', 'ts', 'json', 'solidity', 'text']);
  for (const block of checked) {
    t.true(known.has(block.language), `${whereIs(block)}: language "${block.language}"`);
    if (block.language !== 'text') continue;
    const before = all[all.indexOf(block) - 1];
    t.true(
      before?.page === block.page && before.language === 'sh' && reasonOf(before) === undefined,
      `${whereIs(block)}: text must be the output of the shell block above, or be listed`,
    );
  }
  for (const { page, contains, reason } of skipped) {
    t.log(`not run: ${page}, "${contains}": ${reason}`);
    t.true(
      all.some((block) => block.page === page && block.text.includes(contains)),
      `${page}: no block contains "${contains}" any more`,
    );
  }
  t.log(`${all.length} blocks, ${all.length - checked.length} not run`);
});

test('a block that shows a file shows it as it is', async (t) => {
  for (const block of checked.filter((block) => fileOf(block) !== undefined))
    t.is(block.text.trim(), (await readFile(fileOf(block)!, 'utf8')).trim(), whereIs(block));
});

/** What differs between two runs: digests, numbers, times. */
const normalised = (text: string): string =>
  text
    .replace(/0x[0-9a-f]+/g, '0x…')
    .replace(/\b[0-9a-f]{16,}\b/g, '…')
    .replace(/inf_\S+/g, 'inf_…')
    .replace(/-?\d[\d,.]*/g, 'N')
    .replace(/\s+/g, ' ')
    .trim();

/** Each line of the documentation, `…` for any, in this order in what was printed. */
function missingLine(documented: string, printed: string): string | undefined {
  const rest = printed.split('\n').map(normalised);
  for (const line of documented.split('\n').filter((text) => text.trim() !== '' && text.trim() !== '…')) {
    const wanted = normalised(line)
      .split('…')
      .map((part) => part.trim());
    const at = rest.findIndex((text) => {
      let from = 0;
      for (const part of wanted) {
        const found = text.indexOf(part, from);
        if (found < 0) return false;
        from = found + part.length;
      }
      return true;
    });
    if (at < 0) return line;
    rest.splice(0, at + 1);
  }
  return undefined;
}

for (const page of pages()) {
  const blocks = blocksOf(page).filter((block) => block.language === 'sh' && reasonOf(block) === undefined);
  if (blocks.length === 0) continue;
  test.serial(`the commands of ${page} do what it says`, async (t) => {
    t.timeout(300_000);
    const mark = (block: Block): string => `=== ${whereIs(block)}`;
    const script = blocks.map((block) => `echo '${mark(block)}'\n${block.text}\n`).join('');
    const { code, stdout, stderr } = await workspace.shell(script);
    const last = stdout.split('=== ').at(-1) ?? '';
    if (code !== 0) t.log(`${stdout.slice(-2000)}\n${stderr.slice(-2000)}`);
    t.is(code, 0, `ended in the block at ${last.split('\n')[0]}`);
    for (const block of blocks) {
      const next = all[all.findIndex((other) => whereIs(other) === whereIs(block)) + 1];
      if (next?.page !== page || next.language !== 'text' || reasonOf(next) !== undefined) continue;
      const printed = stdout.split(`${mark(block)}\n`)[1]?.split('\n=== ')[0] ?? '';
      const missing = missingLine(next.text, printed);
      if (missing !== undefined) t.log(printed);
      t.is(missing, undefined, `${whereIs(next)}: is not printed`);
    }
  });
}

test.serial('TypeScript blocks are type-checked and run', async (t) => {
  t.timeout(180_000);
  const files = await Promise.all(
    of('ts').map(async (block, index) => {
      const name = join(workspace.folder, `block-${index}.ts`);
      await writeFile(name, block.text.replaceAll(documentedUrl, workspace.url));
      return { block, name };
    }),
  );
  t.true(files.length > 0);
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
    typeRoots: ['node_modules/@types'],
    strict: true,
    skipLibCheck: true,
  };
  const program = ts.createProgram(
    files.map(({ name }) => name),
    options,
  );
  for (const { block, name } of files) {
    const source = program.getSourceFile(name);
    const complaints = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ];
    t.deepEqual(
      complaints.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
      [],
      whereIs(block),
    );
    const script = name.replace(/\.ts$/, '.js');
    const compilerOptions = { target: options.target!, module: ts.ModuleKind.ESNext };
    await writeFile(
      script,
      ts.transpileModule(block.text.replaceAll(documentedUrl, workspace.url), { compilerOptions }).outputText,
    );
    const run = await promisify(execFile)(process.execPath, [script], {
      cwd: workspace.folder,
      timeout: 60_000,
    }).catch((error: Error & { stderr?: string }) =>
      t.fail(`${whereIs(block)}: ${error.stderr ?? error.message}`),
    );
    if (typeof run === 'object' && run) t.log(`${whereIs(block)}: ${run.stdout.trim().split('\n').at(-1)}`);
  }
});

test('JSON blocks are what the API schemas say', (t) => {
  const byId = new Map(
    Object.values(schemas).flatMap((value) =>
      value instanceof z.ZodType ? [[value.meta()?.id, value] as const] : [],
    ),
  );
  t.true(of('json').length > 0);
  for (const block of of('json')) {
    const value: unknown = JSON.parse(block.text);
    const schema = byId.get(block.note);
    if (!schema) t.fail(`${whereIs(block)}: "${block.note}" must be a schema of service/schemas.ts`);
    else t.deepEqual(schema.safeParse(value).error?.issues, undefined, whereIs(block));
  }
});

test('Solidity blocks compile against the interfaces', async (t) => {
  t.timeout(120_000);
  const root = join(workspace.folder, 'solidity');
  await promisify(execFile)('mkdir', ['-p', root]);
  await promisify(execFile)('cp', ['-r', 'verifier-contracts/interfaces', join(root, 'interfaces')]);
  const blocks = of('solidity');
  t.true(blocks.length > 0);
  for (const [index, { text }] of blocks.entries()) await writeFile(join(root, `Block${index}.sol`), text);
  await writeFile(
    join(root, 'DigitGate.sol'),
    (await readFile('docs/examples/DigitGate.sol', 'utf8')).replaceAll('../../verifier-contracts/', './'),
  );
  t.notThrows(() => compileContracts(root));
});
