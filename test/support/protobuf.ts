/** Protobuf by hand: what an attacker writes, which no library would. */
export type Bytes = readonly number[];

export function varint(value: number | bigint): Bytes {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return out;
}

const tag = (field: number, wireType: number): Bytes => varint((field << 3) | wireType);

export const number = (field: number, value: number | bigint): Bytes => [...tag(field, 0), ...varint(value)];
export const bytes = (field: number, content: Bytes): Bytes => [
  ...tag(field, 2),
  ...varint(content.length),
  ...content,
];
export const text = (field: number, content: string): Bytes => bytes(field, [...Buffer.from(content)]);
export const message = (field: number, ...parts: readonly Bytes[]): Bytes => bytes(field, parts.flat());
export const fixed32 = (field: number, content: Bytes): Bytes => [...tag(field, 5), ...content];

export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT64 = 7;

export function tensor(
  name: string,
  dtype: number,
  dims: readonly (number | bigint)[],
  ...rest: readonly Bytes[]
): Bytes {
  return [...dims.flatMap((dim) => number(1, dim)), ...number(2, dtype), ...text(8, name), ...rest.flat()];
}

export const raw = (content: Bytes): Bytes => bytes(9, content);

export function value(name: string, dtype: number, dims: readonly (number | string)[]): Bytes {
  const shape = dims.map((dim) => message(1, typeof dim === 'number' ? number(1, dim) : text(2, dim)));
  return [...text(1, name), ...message(2, message(1, number(1, dtype), message(2, ...shape)))];
}

export function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...rest: readonly Bytes[]
): Bytes {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, type),
    ...rest.flat(),
  ];
}

/** Attribute types of AttributeProto. */
export const intAttribute = (name: string, content: number | bigint): Bytes =>
  message(5, text(1, name), number(3, content), number(20, 2));
export const intsAttribute = (name: string, content: readonly (number | bigint)[]): Bytes =>
  message(5, text(1, name), ...content.map((item) => number(8, item)), number(20, 7));
export const tensorAttribute = (name: string, content: Bytes): Bytes =>
  message(5, text(1, name), bytes(5, content), number(20, 4));

export interface GraphParts {
  readonly nodes?: readonly Bytes[];
  readonly initializers?: readonly Bytes[];
  readonly inputs?: readonly Bytes[];
  readonly outputs?: readonly Bytes[];
  readonly extra?: readonly Bytes[];
}

export function graph({
  nodes = [],
  initializers = [],
  inputs = [],
  outputs = [],
  extra = [],
}: GraphParts): Bytes {
  return [
    ...nodes.flatMap((content) => bytes(1, content)),
    ...text(2, 'g'),
    ...initializers.flatMap((content) => bytes(5, content)),
    ...inputs.flatMap((content) => bytes(11, content)),
    ...outputs.flatMap((content) => bytes(12, content)),
    ...extra.flat(),
  ];
}

export interface ModelParts extends GraphParts {
  readonly opset?: number;
  readonly modelExtra?: readonly Bytes[];
  readonly domains?: readonly string[];
}

export function model(parts: ModelParts): Uint8Array {
  const { opset = 17, modelExtra = [], domains = [] } = parts;
  return Uint8Array.from([
    ...number(1, 8),
    ...bytes(7, graph(parts)),
    ...message(8, text(1, ''), number(2, opset)),
    ...domains.flatMap((domain) => message(8, text(1, domain), number(2, 1))),
    ...modelExtra.flat(),
  ]);
}

/** x: uint8[1,4] → Identity → y; the smallest model the loader accepts. */
export function smallModel(change: Partial<ModelParts> = {}): Uint8Array {
  return model({
    nodes: [node('Identity', ['x'], ['y'])],
    inputs: [value('x', UINT8, [1, 4])],
    outputs: [value('y', UINT8, [1, 4])],
    ...change,
  });
}
