/** A cold reader: from the README to a model of their own, served with proofs, in at most ten commands. */
import test from 'ava';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { documentedUrl, openWorkspace } from './workspace.js';

test('the README leads to an own model served with proofs in at most ten commands', async (t) => {
  t.timeout(300_000);
  const readme = await readFile('README.md', 'utf8');
  const section = /<!-- own-model:begin -->\n```sh\n([\s\S]*?)```\n<!-- own-model:end -->/.exec(readme)?.[1];
  const commands = (section ?? '').trim().split('\n');
  t.true(commands.length > 3 && commands.length <= 10, `${commands.length} commands`);
  t.regex(commands[0]!, /^git clone /);
  t.true(commands.some((line) => line.includes(`make start &`) && line.includes(documentedUrl)));
  const workspace = await openWorkspace();
  try {
    await mkdir(join(workspace.folder, '.data'), { mode: 0o711 });
    // All but the clone: the folder is one, and built.
    const { code, stdout, stderr } = await workspace.shell(commands.slice(1).join('\n'), {
      VERINFER_LOG: 'warn',
    });
    if (code !== 0) t.log(stderr.slice(-2000));
    t.is(code, 0, stdout.slice(-500));
    t.regex(stdout, /^total\s+1,?788\s/m);
    t.regex(stdout, /^3 public signals$/m);
    t.regex(stdout, /pass {2}the proof holds/);
    t.regex(stdout, /valid {2}verified offline: true/);
  } finally {
    await workspace.remove();
  }
});
