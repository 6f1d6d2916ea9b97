/**
 * Random single-operator graphs, several inputs each: reference = circuit = ONNX Runtime, witness satisfied, wires
 * determined. `node dist/test/bench/operators.js [cases a family] [family]`; VERINFER_SEED replays.
 */
import { disagreements } from '../support/operator-agreement.js';
import { OPERATOR_CASES } from '../support/operator-cases.js';
import { random, seedFrom } from '../support/random.js';

/** Inputs drawn for one graph: extremes and zeros come with probability 1/8 each. */
const INPUTS_PER_GRAPH = 25;

/** Operators that share their circuits; whatever no other family names is wiring. */
const FAMILIES: Readonly<Record<string, string>> = {
  convolution: 'QLinearConv ConvInteger',
  'matrix product': 'QLinearMatMul QGemm MatMulInteger',
  rescale: 'Rescale',
  pooling: 'MaxPool',
  activation: 'Relu Clip Gather',
  arithmetic: 'Add Sub Mul Neg Abs Sign CumSum',
  division: 'Div Mod BitShift Pow',
  bitwise: 'BitwiseAnd BitwiseOr BitwiseXor BitwiseNot',
  extremum: 'Max Min ReduceMax ReduceMin ReduceSum ArgMax ArgMin',
  comparison: 'Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Not Where',
  selection: 'Gather_computed Cast',
};

const familyOf = (name: string): string => {
  const type = name.slice(name.indexOf(':') + 1).replace(' ', '_');
  return Object.keys(FAMILIES).find((family) => FAMILIES[family].split(' ').includes(type)) ?? 'wiring';
};

const cases = Number(process.argv[2] ?? 200);
const only = process.argv[3];
const seed = seedFrom(console.log);
const families = [...Object.keys(FAMILIES), 'wiring'].filter(
  (family) => only === undefined || family === only,
);
let total = 0;
let least = Infinity;
const failures: string[] = [];
for (const family of families) {
  const members = Object.entries(OPERATOR_CASES).filter(([name]) => familyOf(name) === family);
  const graphs = Math.ceil(cases / members.length / INPUTS_PER_GRAPH);
  const from = process.cpuUsage().user;
  let ran = 0;
  let wrong = 0;
  for (const [name, draw] of members) {
    for (let k = 0; k < graphs; k++, ran += INPUTS_PER_GRAPH) {
      const r = random((seed + k) >>> 0);
      const found = await disagreements(draw(r), r, INPUTS_PER_GRAPH).catch((error: unknown) =>
        String(error),
      );
      if (found === undefined) continue;
      wrong++;
      failures.push(`${name} seed ${(seed + k) >>> 0}: ${found}`);
    }
  }
  total += ran;
  least = Math.min(least, ran);
  const rate = Math.round((ran * 1e6) / (process.cpuUsage().user - from));
  console.log(
    `${family.padEnd(16)} ${String(ran).padStart(7)} cases of ${members.length} operators  ${wrong} wrong  ${rate} cases a CPU-second`,
  );
}
for (const failure of failures.slice(0, 50)) console.log(failure);
console.log(
  JSON.stringify({
    families: families.length,
    cases: total,
    leastCasesAFamily: families.length > 0 ? least : null,
    mismatches: failures.length,
    seed,
  }),
);
process.exitCode = failures.length === 0 && families.length > 0 ? 0 : 1;
