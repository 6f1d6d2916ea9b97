import test from 'ava';
import { killCampaign } from '../support/kill-campaign.js';
import { random, seedFrom } from '../support/random.js';

const kills = Number(process.env['VERINFER_TEST_KILLS'] ?? 200);

test.serial(
  `Q01 kill -9 of API, prover host, settler and PostgreSQL at ${kills} random moments loses no accepted job and settles none twice`,
  async (t) => {
    t.timeout(kills * 30_000 + 120_000);
    const result = await killCampaign(random(seedFrom(t.log.bind(t))), kills);
    t.log(result);
    t.deepEqual(result.lost, []);
    t.is(result.doubled, 0);
    t.is(result.doubleSettled, 0);
    t.true(result.accepted >= kills, 'there were jobs in flight');
    const slowest = Math.max(...Object.values(result.slowestRestartMs));
    t.true(slowest <= 10_000, `restart within 10 s, slowest ${slowest} ms`);
  },
);
