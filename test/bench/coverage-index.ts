/** INDEX.json of a folder of public models, and the rules that put an item out of scope. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CoverageItem {
  readonly id: string;
  readonly category: string;
  readonly quant: string;
  readonly ops: Readonly<Record<string, number>>;
  /** Names of the graph inputs that are no initializers, in order of input_K. */
  readonly inputs: readonly string[];
  readonly inputTypes: readonly string[];
  readonly outputTypes: readonly string[];
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Folders of the vectors. */
  readonly vectors: readonly string[];
  /** The vectors were computed with model_fixed.onnx. */
  readonly fixed: boolean;
  /** Some file of the item is ONNX. */
  readonly isOnnx: boolean;
}

interface RawItem {
  readonly id: string;
  readonly category: string;
  readonly quant: string;
  readonly ops: Record<string, number>;
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly outputs: readonly { readonly name: string; readonly type: string }[];
  readonly run_input_shapes?: Readonly<Record<string, readonly number[] | null>> | null;
  readonly vectors: readonly { readonly dir: string | null }[];
  readonly files: readonly string[];
}

export function readIndex(root: string): CoverageItem[] {
  const { items } = JSON.parse(readFileSync(join(root, 'INDEX.json'), 'utf8')) as {
    items: readonly RawItem[];
  };
  return items.map(({ id, category, quant, ops, inputs, outputs, run_input_shapes, vectors, files }) => ({
    id,
    category,
    quant,
    ops,
    inputs: inputs.map(({ name }) => name),
    inputTypes: inputs.map(({ type }) => type),
    outputTypes: outputs.map(({ type }) => type),
    shapes: Object.fromEntries(
      inputs.flatMap(({ name }) => {
        const shape = run_input_shapes?.[name];
        return shape ? [[name, shape]] : [];
      }),
    ),
    // Vectors of another file format (a prover's own fixed-point outputs) stand beside these.
    vectors: vectors.flatMap(({ dir }) => (dir ? [dir] : [])),
    fixed: files.includes('model_fixed.onnx'),
    isOnnx: files.some((name) => name.endsWith('.onnx')),
  }));
}

const controlFlow = ['If', 'Loop', 'Scan', 'SequenceMap'];
const quantizers = [
  'QuantizeLinear',
  'DequantizeLinear',
  'com.microsoft:QuantizeLinear',
  'com.microsoft:DequantizeLinear',
];

/** The rule that puts an item out of scope, or undefined. From its operators and types alone, never its name. */
export function outOfScope(item: CoverageItem): string | undefined {
  const types = Object.keys(item.ops);
  const has = (names: readonly string[]): boolean => names.some((name) => types.includes(name));
  if (types.includes('DynamicQuantizeLinear'))
    return 'dynamic quantization: DynamicQuantizeLinear computes scales at run time';
  if (has(controlFlow)) return 'control flow';
  if (
    types.some((type) =>
      /^(Sequence|Optional|SplitToSequence|ConcatFromSequence|String|Regex|TfIdf)/.test(type),
    )
  )
    return 'sequence, optional or string operators';
  if ([...item.inputTypes, ...item.outputTypes].some((type) => /string|seq|map|optional/.test(type)))
    return 'sequence, map or string types';
  if (types.every((type) => quantizers.includes(type)) && types.length > 0)
    return 'lone Quantize/Dequantize nodes';
  return undefined;
}

/** The rule for what only reading the graph can tell: a scale or zero point that is no constant. */
export const dynamicQuantization =
  /quantization parameters computed or given at run time are dynamic quantization/;

/**
 * A size that is an input at run time: shapes, axes, pads, slices or counts of operators whose output shape follows from
 * them, or from the values themselves (NonZero, Unique). Such a graph is not static, so it is no quantized item; it counts
 * as refused all the same.
 */
export const notStatic =
  /got ai\.onnx:(NonZero|Unique)\b|\(Compress\): condition must be a constant|\((ConstantOfShape|Range|Reshape|Expand|Tile|Pad|Slice|Split|Resize|Upsample|TopK|OneHot|Squeeze|Unsqueeze|Reduce\w+)\)[^"]*must be (a constant|constant), got (a value computed at run time|none)/;

/**
 * Arithmetic that is integer or Q/DQ-enclosed, in an ONNX file. DequantizeLinear of constants alone encloses nothing: where
 * floats enter, floats leave, and no operator between them makes an integer, the arithmetic is float.
 */
export function isQuantized({ quant, isOnnx, ops, inputTypes, outputTypes }: CoverageItem): boolean {
  if (quant === 'float' || !isOnnx) return false;
  const isFloatOutside = [...inputTypes, ...outputTypes].every((type) => type.startsWith('float'));
  const makesIntegers = Object.keys(ops).some((type) => /Quant|QLinear|QGemm|Integer|Cast/.test(type));
  return makesIntegers || !isFloatOutside;
}

export const netCategories: readonly string[] = ['cnn', 'mlp', 'linear', 'tree', 'generative/autoencoder'];
