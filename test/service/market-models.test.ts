/** Openings of market requests: what is acknowledged can be proved, and is what the requester committed to. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { InputRefused } from '../../circuits/errors.js';
import { importModel } from '../../circuits/import/import.js';
import { compile, type CompiledModel } from '../../circuits/index.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import { ORDERED_RANGE } from '../../circuits/ordered-float.js';
import { SeededRandom } from '../../models/train/random.js';
import { Problem } from '../../service/errors.js';
import type { TensorDtype } from '../../service/inference/tensors.js';
import type { ModelDescription } from '../../service/model-description.js';
import { inputDigestOf, type MarketTerms } from '../../service/chain/market.js';
import {
  committedSignals,
  givenTensors,
  marketModels,
  openedSignals,
} from '../../service/operator/market-models.js';
import type { Opening } from '../../service/operator/openings.js';
import type { ModelRow } from '../../service/store/models.js';
import { randomForest } from '../support/forests.js';
import { smallConvnet } from '../support/graphs.js';
import { random, seedFrom } from '../support/random.js';

const salt = `0x${'5a'.repeat(31)}`;

/** The part of a description that openings are read by. */
function described({ manifest, r1cs }: CompiledModel): ModelDescription {
  return {
    manifest: JSON.parse(JSON.stringify(manifest)) as Record<string, unknown>,
    inputs: manifest.inputs.map(({ name, given, shape }) => ({ name, dtype: given as TensorDtype, shape })),
    rowCount: r1cs.constraintCount,
  } as unknown as ModelDescription;
}

/** The integers of an input, as a requester commits to them. */
const openingOf = (integers: ReadonlyMap<string, Int32Array>): Opening => ({
  inputs: Object.fromEntries([...integers].map(([name, values]) => [name, [...values]])),
  salt,
});

const digits = compile(importModel(readFileSync('models/digits8x8/model.onnx')).graph);

test('integers, quantized floats and ordered floats: the commitment is the circuit’s, and the model rounds to the same integers', (t) => {
  const draw = random(seedFrom(t.log));
  const forest = randomForest(new SeededRandom(7));
  const cases: [string, CompiledModel, Record<string, number[]>][] = [
    ['quantized', digits, { x: Array.from({ length: 64 }, () => draw.below(4096) / 4096) }],
    [
      'integers',
      compile(smallConvnet(draw)),
      { image: Array.from({ length: 36 }, () => draw.below(256) - 128) },
    ],
    ['ordered', compile(importModel(encodeGraph(forest.graph)).graph), { x: [...forest.input()] }],
  ];
  for (const [name, compiled, given] of cases) {
    const inputs = Object.fromEntries(
      compiled.manifest.inputs.map((input, i) => [input.name, Object.values(given)[i]!]),
    );
    const integers = compiled.quantizeInput(inputs);
    const opening = openingOf(integers);
    const description = described(compiled);
    const { publicSignals } = compiled.computeWitness({ inputs: integers, ctx: 1n, salt: BigInt(salt) });
    t.deepEqual(openedSignals(compiled, opening, 1), [publicSignals[1]!], name);
    t.deepEqual(committedSignals(compiled.manifest, opening), [publicSignals[1]!], name);
    const back = givenTensors(description, opening);
    t.deepEqual(
      compiled.quantizeInput(Object.fromEntries([...back].map(([key, values]) => [key, values as never]))),
      integers,
      name,
    );
  }
});

test('every integer of an 8-bit input comes back from the float that stands for it', (t) => {
  const description = described(digits);
  const [{ name, dtype }] = digits.manifest.inputs as unknown as [{ name: string; dtype: string }];
  const low = dtype === 'int8' ? -128 : 0;
  for (let from = low; from < low + 256; from += 64) {
    const values = Array.from({ length: 64 }, (_, i) => from + i);
    const back = givenTensors(description, { inputs: { [name]: values }, salt }).get(name)!;
    t.deepEqual([...digits.quantizeInput({ [name]: back as Float32Array }).get(name)!], values);
  }
});

/** Terms of a request that this opening opens, where any does. */
function termsOf(
  modelId: string,
  { manifest }: CompiledModel,
  opening: Opening,
  inputSignalCount = 1,
): MarketTerms {
  let inputDigest = 'none';
  try {
    inputDigest = inputDigestOf(committedSignals(manifest, opening));
  } catch {
    // It opens nothing.
  }
  return { modelId, inputDigest, inputSignalCount } as MarketTerms;
}

const openOf =
  (row: ModelRow, compiled: CompiledModel) =>
  (modelId: string, opening: Opening): Promise<void> =>
    marketModels({
      find: async (id) => (id === row.id ? row : null),
      isProvable: async () => true,
      circuit: async () => compiled,
    }).open(termsOf(modelId, compiled, opening), opening);

test('M09 an opening that cannot be proved is refused before anything is put at stake', async (t) => {
  const [input] = digits.manifest.inputs;
  const right = Array.from({ length: 64 }, () => 1);
  const row = { id: 'm', description: described(digits) } as unknown as ModelRow;
  const open = openOf(row, digits);
  await t.notThrowsAsync(open('m', { inputs: { [input!.name]: right }, salt }));
  for (const inputs of [
    {},
    { [input!.name]: right.slice(1) },
    { [input!.name]: [...right, 1] },
    { [input!.name]: [300, ...right.slice(1)] },
    { [input!.name]: [-129, ...right.slice(1)] },
    { [input!.name]: [0.5, ...right.slice(1)] },
    { [input!.name]: right, another: [1] },
    { another: right },
    { [input!.name]: [2 ** 32 + 1, ...right.slice(1)] },
  ]) {
    await t.throwsAsync(open('m', { inputs, salt }), { instanceOf: InputRefused }, JSON.stringify(inputs));
  }
  await t.throwsAsync(open('other', { inputs: { [input!.name]: right }, salt }), {
    instanceOf: InputRefused,
  });
  // A place in the order of floats that is no finite number, and one that is none at all.
  const forest = compile(importModel(encodeGraph(randomForest(new SeededRandom(7)).graph)).graph);
  const features = forest.manifest.inputs[0]!.shape.reduce((a, b) => a * b, 1);
  const tree = { id: 't', description: described(forest) } as unknown as ModelRow;
  const openPlaces = (place: number) => {
    const inputs = { [forest.manifest.inputs[0]!.name]: Array.from({ length: features }, () => place) };
    return openOf(tree, forest)('t', { inputs, salt });
  };
  for (const place of [...ORDERED_RANGE, 0x7f800000])
    await t.throwsAsync(openPlaces(place), { instanceOf: Problem });
  await t.throwsAsync(openPlaces(0x7fc00000), { instanceOf: InputRefused });
  await t.notThrowsAsync(openPlaces(0x7f7fffff));
});

test('finding-56: who knows no opening costs an operator no witness, and one opening costs one', async (t) => {
  const [input] = digits.manifest.inputs;
  const opening: Opening = { inputs: { [input!.name]: Array.from({ length: 64 }, () => 1) }, salt };
  const row = { id: 'm', description: described(digits) } as unknown as ModelRow;
  const witnesses: (() => Promise<CompiledModel>)[] = [async () => digits];
  let count = 0;
  const { open } = marketModels({
    find: async () => row,
    isProvable: async () => true,
    circuit: () => {
      count += 1;
      return witnesses.at(-1)!();
    },
  });
  const terms = termsOf('m', digits, opening);
  for (const salt of ['0x00', '0x01'])
    await t.throwsAsync(open(terms, { ...opening, salt }), { instanceOf: InputRefused, message: /digest/ });
  t.is(count, 0);
  // An operator that cannot look just now looks again.
  witnesses.push(() => Promise.reject(new Error('no disk')));
  await t.throwsAsync(open(terms, opening), { message: 'no disk' });
  witnesses.pop();
  await Promise.all([open(terms, opening), open(terms, opening)]);
  await open(terms, opening);
  t.is(count, 2);
  // Nor does one that has no proof, sent again and again.
  const wrong = { ...terms, inputSignalCount: 2 };
  for (let i = 0; i < 3; i++)
    await t.throwsAsync(open(wrong, opening), { instanceOf: InputRefused, message: /inputSignalCount/ });
  t.is(count, 3);
});
