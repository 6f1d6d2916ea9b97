import { elementQuantization, quantizeValue, type InputBoundary } from './boundary.js';
import { InputRefused } from './errors.js';
import { orderedFloat } from './ordered-float.js';
import { PACKED_DTYPES, type PackedDtype } from './public-signals.js';
import { elementCount } from './tensor.js';

/** What a caller supplies: numbers by graph input, row-major. */
export type GivenInputs = Readonly<Record<string, ArrayLike<number>>>;

/** Floats become integers by the model's own QuantizeLinear; integers are checked and passed on. */
export function quantizeInputs(
  boundaries: readonly InputBoundary[],
  given: GivenInputs,
): ReadonlyMap<string, Int32Array> {
  for (const name of Object.keys(given)) {
    if (!boundaries.some((boundary) => boundary.name === name)) {
      refuse(`input "${name}"`, 'name', boundaries.map((boundary) => boundary.name).join(' or '), name);
    }
  }
  const integers = new Map<string, Int32Array>();
  for (const { name, dtype, shape, quantization, isOrdered } of boundaries) {
    const values = Object.hasOwn(given, name) ? given[name] : undefined;
    if (values === undefined) refuse(`input "${name}"`, 'value', 'given', 'none');
    requireCount(name, shape, values);
    if (isOrdered) {
      const ordered = new Int32Array(values.length);
      for (let i = 0; i < values.length; i++) {
        // A finite number that float32 cannot hold would be rounded to infinity.
        if (
          typeof values[i] !== 'number' ||
          (Number.isFinite(values[i]) && !Number.isFinite(Math.fround(values[i])))
        )
          refuse(`input "${name}"`, `element ${i}`, 'a float32', String(values[i]));
        ordered[i] = orderedFloat(values[i]);
      }
      integers.set(name, ordered);
      continue;
    }
    if (quantization === undefined) {
      for (let i = 0; i < values.length; i++) {
        if (Number.isInteger(values[i]) && values[i] >= -0x80000000 && values[i] <= 0x7fffffff) continue;
        refuse(
          `input "${name}"`,
          `element ${i}`,
          'an integer from -2147483648 to 2147483647',
          String(values[i]),
        );
      }
      integers.set(name, Int32Array.from(values));
      continue;
    }
    const quantized = new Int32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        refuse(`input "${name}"`, `element ${i}`, 'a finite number', String(value));
      }
      quantized[i] = quantizeValue(value, elementQuantization(quantization, shape, i), dtype);
    }
    integers.set(name, quantized);
  }
  return requireIntegerInputs(boundaries, integers);
}

/** What an element of an input may be. Wires are int32: of uint32 the upper half is not accepted (ops/carried.ts). */
export function inputRange(
  dtype: PackedDtype,
  range: readonly [number, number] | undefined,
): { readonly min: number; readonly max: number } {
  if (range) return { min: range[0], max: range[1] };
  const { bytes, min } = PACKED_DTYPES[dtype];
  return { min, max: dtype === 'bool' ? 1 : Math.min(min + 2 ** (8 * bytes), 2 ** 31) - 1 };
}

/** Every input there, of the right size, and inside its dtype. */
export function requireIntegerInputs(
  boundaries: readonly InputBoundary[],
  inputs: ReadonlyMap<string, Int32Array>,
): ReadonlyMap<string, Int32Array> {
  for (const { name, dtype, shape, given } of boundaries) {
    const values = inputs.get(name) ?? refuse(`input "${name}"`, 'value', 'given', 'none');
    requireCount(name, shape, values);
    const { min, max } = inputRange(dtype, given.range);
    for (let i = 0; i < values.length; i++) {
      if (values[i] < min || values[i] > max) {
        refuse(`input "${name}"`, `element ${i}`, `from ${min} to ${max}`, String(values[i]));
      }
    }
  }
  return inputs;
}

function requireCount(name: string, shape: readonly number[], values: ArrayLike<number>): void {
  const count = elementCount(shape);
  if (values.length !== count) {
    refuse(
      `input "${name}"`,
      'shape',
      `[${shape.join(',')}] (${count} elements)`,
      `${values.length} elements`,
    );
  }
}

function refuse(where: string, what: string, expected: string, got: string): never {
  throw new InputRefused({ where, what, expected, got });
}
