/** Every operator: random cases, compared with ONNX Runtime; wire mutations. `bench-operators` runs many more. */
import test from 'ava';
import { check, compile, type CompiledModel } from '../../../circuits/index.js';
import { OPS } from '../../../circuits/ops/index.js';
import { mutateWires } from '../../support/lie.js';
import { disagreement, operatorInputs, referenceOrRefusal } from '../../support/operator-agreement.js';
import { OPERATOR_CASES, type OperatorCase } from '../../support/operator-cases.js';
import { random, seedFrom, type Random } from '../../support/random.js';

/** Operators with a test file of their own. */
const ELSEWHERE = /^ai\.onnx\.ml:|^verinfer:TreeEnsemble$/;

test('every operator of the table has cases', (t) => {
  for (const { domain, type } of OPS) {
    const name = `${domain}:${type}`;
    t.true(name in OPERATOR_CASES || ELSEWHERE.test(name), name);
  }
});

/** A case and inputs that it answers: division by 0 or a result beyond int32 has no witness to mutate. */
function answered(
  draw: (r: Random) => OperatorCase,
  r: Random,
): readonly [CompiledModel, ReadonlyMap<string, Int32Array>] {
  for (;;) {
    const { graph, ranges } = draw(r);
    const model = compile(graph);
    const inputs = operatorInputs(model, r, ranges);
    if (referenceOrRefusal(model, inputs) !== 'refused') return [model, inputs];
  }
}

for (const [name, draw] of Object.entries(OPERATOR_CASES)) {
  test(`C23 ${name}: reference ≡ constrain ≡ ONNX Runtime on random cases`, async (t) => {
    const seed = seedFrom(t.log);
    for (let k = 0; k < 12; k++) {
      const r = random(seed + k);
      t.is(await disagreement(draw(r), r), undefined, `seed ${seed + k}`);
    }
  });

  test(`C01 ${name}: every wire changed alone is rejected`, (t) => {
    const r = random(seedFrom(t.log));
    const [model, inputs] = answered(draw, r);
    const { witness } = model.computeWitness({ inputs, ctx: 3n, salt: 4n });
    t.deepEqual(check(model.r1cs, witness, { labels: model.labels }), { ok: true });
    const { accepted } = mutateWires(model.r1cs, model.program, witness, r);
    const unexplained = accepted.filter(
      ({ label, lie }) => !/is-zero inverse/.test(label) && !(label === 'context/ctx' && lie === 'negated'),
    );
    t.deepEqual(unexplained, []);
  });
}
