import test from 'ava';
import { simulate } from '../support/job-simulation.js';
import { startTestService } from '../support/service.js';

test.serial(
  'Q13 jobs under 30 seeded schedules of crashes, late results, lost jobs and lost answers of the chain',
  async (t) => {
    t.timeout(600_000);
    const service = await startTestService({ prover: false });
    try {
      await simulate(t, service, 30);
    } finally {
      await service.stop();
    }
  },
);
