import test from 'ava';
import { mutationCampaign } from './support/mutation/campaign.js';

test('U07 of the mutants of verifier, market, receipt and nonce code at least 90 % are noticed', async (t) => {
  t.timeout(1_800_000);
  const { survivors, ...score } = await mutationCampaign({ contracts: 24, code: 12 }, () => undefined);
  t.log(score);
  for (const survivor of survivors) t.log(survivor);
  t.true(score.mutants >= 30);
  t.true(score.score >= 0.9);
});
