import * as z from 'zod/mini';
import {
  type PackedDtype,
  PACKED_DTYPES,
  inputCommitment,
  outputCommitment,
  packElements,
  signalCount,
} from '../../circuits/public-signals.js';
import { MalformedReceipt } from './receipt.js';
import type { Opening, Receipt, Tensor } from './schema.js';

/** What a verifier reads of a manifest. The rest (scales, post-processing, names of labels) rides along, bound by its digest. */
const spec = z.object({ name: z.string(), dtype: z.string(), shape: z.array(z.number()) });
const manifestSchema = z.object({
  inputMode: z.enum(['committed', 'public']),
  outputMode: z.enum(['packed', 'commitment']),
  inputs: z.array(spec).check(z.minLength(1), z.maxLength(64)),
  outputs: z.array(spec).check(z.minLength(1), z.maxLength(64)),
});

export interface TensorSpec {
  readonly name: string;
  readonly dtype: PackedDtype;
  readonly shape: readonly number[];
  readonly elementCount: number;
}

export interface SignalLayout {
  readonly inputMode: 'committed' | 'public';
  readonly outputMode: 'packed' | 'commitment';
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** ctx is signal 0; inputs follow; outputs are the rest. */
  readonly outputStart: number;
  readonly signalCount: number;
}

/** @throws MalformedReceipt for a manifest that does not say how its signals are laid out */
export function signalLayout(manifest: Receipt['manifest']): SignalLayout {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) {
    const where = parsed.error.issues[0].path.join('.');
    throw new MalformedReceipt(`manifest.${where}`, 'as in docs/receipt.md', 'something else');
  }
  const { inputMode, outputMode } = parsed.data;
  const inputs = parsed.data.inputs.map(tensorSpec);
  const outputs = parsed.data.outputs.map(tensorSpec);
  const packed = (specs: readonly TensorSpec[]) =>
    specs.reduce((sum, { dtype, elementCount }) => sum + signalCount(dtype, elementCount), 0);
  const outputStart = 1 + (inputMode === 'committed' ? 1 : packed(inputs));
  const outputSignals = outputMode === 'commitment' ? 1 : packed(outputs);
  return { inputMode, outputMode, inputs, outputs, outputStart, signalCount: outputStart + outputSignals };
}

/** The signals an input must have given: its commitment, or itself. @throws MalformedReceipt, InputRefused */
export function inputSignals(layout: SignalLayout, { inputs, salt }: Opening): bigint[] {
  const packed = packAll(layout.inputs, inputs, 'input');
  if (layout.inputMode === 'public') return packed;
  if (salt === null) throw new MalformedReceipt('opening.salt', '31 bytes for a committed input', 'null');
  return [inputCommitment(packed, byteLength(layout.inputs), BigInt(salt))];
}

/** The signals the outputs must have given; undefined where they are committed and the salt is not at hand. */
export function outputSignals(
  layout: SignalLayout,
  outputs: readonly Tensor[],
  salt: string | null,
): bigint[] | undefined {
  const packed = packAll(layout.outputs, outputs, 'output');
  if (layout.outputMode !== 'commitment') return packed;
  return salt === null ? undefined : [outputCommitment(packed, byteLength(layout.outputs), BigInt(salt))];
}

function packAll(specs: readonly TensorSpec[], tensors: readonly Tensor[], what: string): bigint[] {
  if (tensors.length !== specs.length) {
    throw new MalformedReceipt(`${what}s`, `${specs.length} tensors`, `${tensors.length}`);
  }
  return specs.flatMap((expected, i) => {
    const { name, dtype, shape, values } = tensors[i];
    const isSame = name === expected.name && dtype === expected.dtype && `${shape}` === `${expected.shape}`;
    if (!isSame || values.length !== expected.elementCount) {
      throw new MalformedReceipt(
        `${what} ${i}`,
        `${expected.name} ${expected.dtype}[${expected.shape}]`,
        `${name} ${dtype}[${shape}] of ${values.length} values`,
      );
    }
    return packElements(values, expected.dtype);
  });
}

function byteLength(specs: readonly TensorSpec[]): number {
  return specs.reduce((sum, { dtype, elementCount }) => sum + PACKED_DTYPES[dtype].bytes * elementCount, 0);
}

function tensorSpec({ name, dtype, shape }: z.infer<typeof spec>): TensorSpec {
  if (!(dtype in PACKED_DTYPES)) throw new MalformedReceipt(`manifest ${name}`, 'a packed dtype', dtype);
  const elementCount = shape.reduce((product, dimension) => product * dimension, 1);
  if (!Number.isInteger(elementCount) || elementCount < 1 || elementCount > 1 << 20) {
    throw new MalformedReceipt(`manifest ${name}`, 'between 1 and 2^20 elements', `[${shape}]`);
  }
  return { name, dtype: dtype as PackedDtype, shape, elementCount };
}
