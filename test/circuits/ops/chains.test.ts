/** Operators in a row: the circuit proves what the reference says, whatever was put off or moved on the way. */
import test from 'ava';
import { check } from '../../../circuits/index.js';
import { campaign } from '../../support/campaign.js';
import { chainInputs, compileChain } from '../../support/chains.js';
import { random, seedFrom } from '../../support/random.js';

const chainCount = campaign(200, 2_000);

test(`C24 ${chainCount} chains of operators prove, and equal their reference`, (t) => {
  const seed = seedFrom(t.log);
  for (let k = 0; k < chainCount; k++) {
    const r = random((seed + k) >>> 0);
    const model = compileChain(r);
    for (const inputs of chainInputs(model, r)) {
      const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
      t.deepEqual(check(model.r1cs, witness, { labels: model.labels }), { ok: true }, `chain ${k}`);
      t.deepEqual(outputs, model.reference(inputs), `chain ${k}`);
    }
  }
});
