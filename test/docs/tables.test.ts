/** The generated pages are what the code says now: UPDATE_DOCS=1 (`make docs`) rewrites them. */
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { variables } from '../../service/config.js';
import { generatedPages, others } from './tables.js';

for (const [path, text] of generatedPages()) {
  test(`${path} is what the code says`, async (t) => {
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(path, text);
    t.is(await readFile(path, 'utf8').catch(() => ''), text, `stale: run make docs`);
  });
}

test('every setting says what it does, and why its default is what it is', (t) => {
  for (const [name, schema] of Object.entries(variables.shape)) {
    const { description, why } = (schema.meta() ?? {}) as { description?: string; why?: string };
    t.true((description ?? '').length > 10, `${name} has no description`);
    t.true(name === 'VERINFER_PORT' || (why ?? '').length > 10, `${name} has no reason`);
  }
});

test('every variable that the service reads is documented', (t) => {
  const sources = readdirSync('service', { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const read = new Set(
    sources.flatMap((name) => readFileSync(join('service', name), 'utf8').match(/\bVERINFER_[A-Z_]+/g) ?? []),
  );
  t.true(read.size > 20);
  const documented = new Set([...Object.keys(variables.shape), ...Object.keys(others)]);
  t.deepEqual(
    [...read].filter((name) => !documented.has(name)),
    [],
  );
});
