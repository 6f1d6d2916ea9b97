/** Random tree ensembles against ONNX Runtime, sample by sample: integers, labels, scores, constraints. */
import * as ort from 'onnxruntime-node';
import { check, compile } from '../../../circuits/index.js';
import { ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import { openSession } from '../../../circuits/quantize/calibrate.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { SeededRandom } from '../../../models/train/random.js';
import { randomForest } from '../../support/forests.js';

export interface TreeTally {
  forests: number;
  /** Rules that would depend on the leaf that was reached, and the like. */
  refused: number;
  samples: number;
  /** Labels that differ although the scores are further apart than the stated bound. */
  wrongLabels: number;
  /** Labels that differ inside the bound: float32 sums of the uploaded file that a rounding decides. */
  closeLabels: number;
  readonly failures: string[];
}

export interface TreeCampaign {
  readonly seed: number;
  readonly forests: number;
  readonly samples: number;
  /** Samples of each forest whose witness is computed and checked. */
  readonly witnesses: number;
}

export async function runTreeCampaign(campaign: TreeCampaign): Promise<TreeTally> {
  const tally: TreeTally = {
    forests: 0,
    refused: 0,
    samples: 0,
    wrongLabels: 0,
    closeLabels: 0,
    failures: [],
  };
  for (let i = 0; i < campaign.forests; i++) await runForest(campaign.seed + i, campaign, tally);
  return tally;
}

async function runForest(
  seed: number,
  { samples, witnesses }: TreeCampaign,
  tally: TreeTally,
): Promise<void> {
  const random = new SeededRandom(seed);
  const forest = randomForest(random);
  const bytes = encodeGraph(forest.graph);
  const uploaded = await openSession(bytes);
  tally.forests++;
  let imported: ReturnType<typeof importModel>;
  try {
    imported = importModel(bytes);
  } catch (error) {
    if (!(error instanceof ModelRefused)) throw error;
    tally.refused++;
    return;
  }
  const fail = (what: string): void =>
    void tally.failures.push(`seed ${seed} (${forest.description}): ${what}`);
  const model = compile(imported.graph);
  const executed = await openSession(imported.executedModel);
  const name = model.manifest.outputs[0]!.name;
  const bound = Number(/within (\S+) of/.exec(imported.notes.join())?.[1]) + 2 ** -18;
  for (let sample = 0; sample < samples; sample++) {
    const x = forest.input();
    const inputs = model.quantizeInput({ x });
    const ours = model.reference(inputs).get(name)!;
    const feeds = { x: new ort.Tensor('float32', x, [1, forest.features]) };
    const [original, returned] = [await uploaded.run(feeds), await executed.run(feeds)];
    tally.samples++;
    if (String(ours) !== String(returned[name]!.data)) fail(`integers ${ours} and ${returned[name]!.data}`);
    const [a, b] = [original['scores']!.data, returned['scores']!.data] as [Float32Array, Float32Array];
    if (!isProbit(forest.description) && !alike(a, b, bound)) fail(`scores ${a} and ${b}`);
    if (original['label'] && String(original['label'].data) !== String(returned['label']!.data)) {
      if (!forest.isExact && isClose(ours, model.manifest.outputs[0]!.quantization!.scale, bound))
        tally.closeLabels++;
      else {
        tally.wrongLabels++;
        fail(`labels ${original['label'].data} and ${returned['label']!.data} at [${x}]`);
      }
    }
    if (sample >= witnesses) continue;
    const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 2n });
    if (!check(model.r1cs, witness).ok) fail('the honest witness fails a constraint');
    if (String(outputs.get(name)) !== String(ours)) fail('the witness carries other outputs');
  }
  if (!checkUniqueness(model.r1cs, { givenWires: model.givenWires }).ok) fail('not unique');
}

/** PROBIT is infinitely steep at 0 and 1, and no number outside. */
function isProbit(description: string): boolean {
  return description.includes('PROBIT') || description.endsWith('transform 4');
}

function alike(a: Float32Array, b: Float32Array, bound: number): boolean {
  // A transform has a slope of at most 2 where it is used; SOFTMAX_ZERO divides by what may be 0.
  return a.every(
    (x, i) =>
      Object.is(x, b[i]) || (Number.isNaN(x) && Number.isNaN(b[i]!)) || Math.abs(x - b[i]!) <= 2 * bound,
  );
}

/** Two scores, or a score and a threshold, nearer to each other than the bound. */
function isClose(integers: ArrayLike<number>, scale: number, bound: number): boolean {
  const values = [...Array.from(integers, (q) => q * scale), 0, 0.5].sort((p, q) => p - q);
  return values.some((value, i) => i > 0 && value - values[i - 1]! <= bound);
}
