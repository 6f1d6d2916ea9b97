/** Declared inputs and outputs of the file: tensors of known type and, with what the caller says, of known shape. */
import type { ValueInfoProto } from 'onnx-buf';
import { ModelRefused } from '../errors.js';
import type { ValueInfo } from './graph.js';
import { dtypeOf, elementCount, fourBitTypes } from './tensor.js';

function tensorType(info: ValueInfoProto, where: string) {
  const value = info.type?.value;
  if (value?.case === 'tensorType') return value.value;
  throw new ModelRefused({ where, what: 'type', expected: 'a tensor', got: value?.case ?? 'none' });
}

export function readInput(info: ValueInfoProto, given: readonly number[] | undefined): ValueInfo {
  const where = `input "${info.name}"`;
  if (info.name === '') throw new ModelRefused({ where, what: 'name', expected: 'not empty', got: '""' });
  const type = tensorType(info, where);
  const narrow = fourBitTypes.get(type.elemType);
  const dtype = narrow?.dtype ?? dtypeOf(type.elemType, where);
  const dims = type.shape?.dim;
  if (!dims && !given)
    throw new ModelRefused({
      where,
      what: 'shape',
      expected: 'declared, or given as an option',
      got: 'none',
    });
  if (dims && given && dims.length !== given.length) {
    throw new ModelRefused({
      where,
      what: 'shape option',
      expected: `of rank ${dims.length}`,
      got: `[${given.join(',')}]`,
    });
  }
  const shape = (dims ?? given!).map((dim, axis) => {
    const declared = typeof dim === 'object' && dim.value.case === 'dimValue' ? dim.value.value : undefined;
    // −1 is how some exporters spell an unknown dimension.
    const isStatic = declared !== undefined && declared >= 0n;
    const option = given?.[axis];
    if (isStatic && option !== undefined && BigInt(option) !== declared) {
      throw new ModelRefused({
        where,
        what: `shape option, axis ${axis}`,
        expected: String(declared),
        got: String(option),
      });
    }
    if (isStatic) return Number(declared);
    if (option !== undefined) return option;
    const symbol =
      typeof dim === 'object' && dim.value.case === 'dimParam' ? `"${dim.value.value}"` : 'unknown';
    throw new ModelRefused({
      where,
      what: `dimension ${axis}`,
      expected: `a number, or given as an option (--shape ${info.name}=…)`,
      got: symbol,
    });
  });
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new ModelRefused({
      where,
      what: 'dimensions',
      expected: 'at least 1',
      got: `[${shape.join(',')}]`,
    });
  }
  elementCount(shape, where);
  return { name: info.name, dtype, shape, ...(narrow && { range: narrow.range }) };
}

/** Dtype and shape are what inference finds; the declaration is only checked for being a tensor. */
export function readOutput(
  name: string,
  info: ValueInfoProto | undefined,
  defined: ReadonlySet<string>,
): ValueInfo {
  const where = `output "${name}"`;
  if (info?.type?.value.case !== undefined) tensorType(info, where);
  if (!defined.has(name))
    throw new ModelRefused({ where, what: 'value', expected: 'computed by the graph', got: 'undefined' });
  return { name, dtype: 'float32', shape: [] };
}
