import test from 'ava';
import { readFile, writeFile } from 'node:fs/promises';
import { toJSONSchema } from 'zod/v4/core';
import { trustStatements } from '../../service/trust.js';
import { receiptSchema } from '../../service/verifier/schema.js';

const file = 'docs/receipt.schema.json';

test('the published schema is the one that validates (VERINFER_UPDATE=1 writes it)', async (t) => {
  const schema = { title: 'verinfer receipt, version 1', ...toJSONSchema(receiptSchema) };
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (process.env.VERINFER_UPDATE) await writeFile(file, text);
  t.is(await readFile(file, 'utf8'), text);
});

test('the ten trust sentences stand in docs/receipt.md word for word', async (t) => {
  const page = await readFile('docs/receipt.md', 'utf8');
  const statements = trustStatements({ setupClass: 'dev-single-party', contributorCount: 1 });
  t.is(statements.length, 10);
  for (const { sentence } of statements) t.true(page.includes(sentence), sentence);
  const applying = (setupClass: 'dev-single-party' | 'ceremony') =>
    trustStatements({ setupClass, contributorCount: 3 })
      .filter(({ applies }) => applies)
      .map(({ id }) => id);
  t.true(
    applying('dev-single-party').includes('setup-dev') &&
      !applying('dev-single-party').includes('setup-ceremony'),
  );
  t.true(applying('ceremony').includes('setup-ceremony') && !applying('ceremony').includes('setup-dev'));
});
