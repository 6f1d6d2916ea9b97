import test from 'ava';
import { JobSimulation } from '../support/job-simulation.js';
import { random, seedFrom } from '../support/random.js';
import { startTestService } from '../support/service.js';

const seeds = Number(process.env['VERINFER_SIMULATIONS'] ?? 30);

test.serial(
  `Q13 jobs under ${seeds} seeded schedules of crashes, late results, lost jobs and lost answers of the chain`,
  async (t) => {
    t.timeout(600_000);
    const service = await startTestService({ prover: false });
    try {
      const first = seedFrom(t.log.bind(t));
      let accepted = 0;
      for (let n = 0; n < seeds; n++) {
        const result = await new JobSimulation(service.pool, service.modelId, random(first + n)).run(50);
        t.deepEqual(result.found, [], `VERINFER_SEED=${first + n}`);
        accepted += result.accepted;
      }
      t.true(accepted > 3 * seeds, `${accepted} inferences`);
    } finally {
      await service.stop();
    }
  },
);
