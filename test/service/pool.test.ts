import test from 'ava';
import type { Logger } from '../../service/log.js';
import { openPool } from '../../service/store/pool.js';

test('finding-22: a lost connection is reported, but not by a pool that was ended before its server', async (t) => {
  const said: string[] = [];
  const log = { warn: (_: object, text: string) => said.push(text) } as unknown as Logger;
  const pool = openPool('postgres://127.0.0.1:9/none', log);
  pool.emit('error', new Error('terminating connection'), undefined as never);
  t.deepEqual(said, ['database connection lost']);
  await pool.end();
  pool.emit('error', new Error('terminating connection'), undefined as never);
  t.is(said.length, 1);
});
