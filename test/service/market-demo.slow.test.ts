import test from 'ava';
import { runMarketDemo } from '../../service/operator/demo.js';

test('three operators, killed at random, serve a market whose books balance to the wei', async (t) => {
  t.timeout(900_000);
  const result = await runMarketDemo({
    requestCount: 18,
    model: 'models/digits8x8/model.onnx',
    killEveryMs: 4_000,
    say: (line) => t.log(line),
  });
  t.true(result.isBalanced);
  t.true(result.kills > 0);
  t.is(result.fulfilled, 15);
  t.is(result.refunded, 3);
  t.deepEqual(
    result.operators.map(({ differenceWei }) => differenceWei),
    [0n, 0n, 0n],
  );
});
