/** The circuit's side of circuits/public-signals.ts: which wires are public and what ties them to the computation. */
import { wiresAsTensor, type AffineTensor } from './affine.js';
import { ModelRefused } from './errors.js';
import * as pack from './gadgets/pack.js';
import {
  combinationOf,
  constantTerms,
  constrain as sponge,
  evaluateTerms,
  termsOf,
  type Terms,
} from './gadgets/poseidon.js';
import { rangeCheck } from './gadgets/range.js';
import type { Manifest, TensorInfo } from './manifest.js';
import { inputRange } from './inputs.js';
import { DOMAIN_TAGS, domainTagField, PACKED_DTYPES } from './public-signals.js';
import type { Builder } from './r1cs/builder.js';
import { elementCount } from './tensor.js';

/**
 * Proves   ctx is some field element, the same in a square: a nonlinear row keeps its column of the QAP alive, so
 *          a proof made for one ctx does not verify for another.
 * Cost     1 constraint. Returns ctx's wire.
 */
export function constrainContext(circuit: Builder): number {
  const ctx = circuit.public('ctx', 1, ({ inputs }) => [inputs.ctx]);
  const square = circuit.existsField('square', 1, (assignment) => [assignment.get(ctx) ** 2n]);
  circuit.a.add(ctx, 1);
  circuit.b.add(ctx, 1);
  circuit.c.add(square, 1);
  circuit.enforce('square');
  return ctx;
}

/**
 * Introduces the input tensors, proves each element inside its dtype, and publishes the commitment to them or
 * the packed tensors themselves. Returns the tensors by graph input, and the salt's wire when there is one.
 */
export function constrainInputs(
  circuit: Builder,
  manifest: Manifest,
): { tensors: AffineTensor[]; salt: number } {
  const isCommitted = manifest.inputMode === 'committed';
  const salt = isCommitted ? circuit.existsField('salt', 1, ({ inputs }) => [inputs.salt]) : 0;
  const packed: Terms[] = [];
  const tensors = manifest.inputs.map(({ name, dtype, shape, range }) => {
    const count = elementCount(shape);
    const { min, max } = inputRange(dtype, range);
    const levels = max - min + 1;
    const first = circuit.exists(`${name}/value`, count, (values, at, { inputs }) => {
      const given = inputs.tensors.get(name)!;
      for (let i = 0; i < count; i++) values[at + i] = given[i];
    });
    const lo = new Float64Array(count).fill(min);
    const tensor = wiresAsTensor(shape, first, lo, new Float64Array(count).fill(min + levels - 1));
    rangeCheck(circuit, `${name}/range`, tensor, min, levels);
    packed.push(...pack.constrain(tensor, dtype));
    return tensor;
  });
  if (manifest.inputMode === 'public') {
    publish(circuit, packed);
  } else {
    const message = [
      constantTerms(domainTagField(DOMAIN_TAGS.input)),
      constantTerms(BigInt(manifest.inputByteLength)),
      ...packed,
      termsOf(salt),
    ];
    publish(circuit, [sponge(circuit, 'commitment', message)]);
  }
  return { tensors, salt };
}

/** Publishes the output tensors, packed or committed. Every element is already proven inside its dtype. */
export function constrainOutputs(
  circuit: Builder,
  manifest: Manifest,
  tensors: readonly AffineTensor[],
  salt: number,
): void {
  const packed = tensors.flatMap((tensor, i) => {
    requireDtype(manifest.outputs[i], tensor);
    return pack.constrain(tensor, manifest.outputs[i].dtype);
  });
  if (manifest.outputMode === 'packed') {
    publish(circuit, packed);
    return;
  }
  const tag = constantTerms(domainTagField(DOMAIN_TAGS.output));
  const ownSalt = sponge(circuit, 'salt', [tag, termsOf(salt)]);
  const message = [tag, constantTerms(BigInt(manifest.outputByteLength)), ...packed, ownSalt];
  publish(circuit, [sponge(circuit, 'commitment', message)]);
}

/** One public wire a combination. */
function publish(circuit: Builder, signals: readonly Terms[]): void {
  const combinations = signals.map(combinationOf);
  const first = circuit.public('signal', signals.length, (assignment) =>
    combinations.map((combination) => evaluateTerms(combination, assignment)),
  );
  const one = combinationOf(constantTerms(1n));
  combinations.forEach((combination, i) => {
    circuit.enforceField('signal', combination, one, combinationOf(termsOf(first + i)));
  });
}

/** Only values proven inside their dtype may be packed: a larger one would borrow from its neighbour. */
function requireDtype({ name, dtype }: TensorInfo, { lo, hi }: AffineTensor): void {
  const { bytes, min } = PACKED_DTYPES[dtype];
  for (let i = 0; i < lo.length; i++) {
    if (lo[i] >= min && hi[i] < min + 2 ** (8 * bytes)) continue;
    throw new ModelRefused({
      where: `output "${name}"`,
      what: `element ${i}`,
      expected: `proven inside ${dtype}`,
      got: `[${lo[i]}, ${hi[i]}]`,
    });
  }
}
