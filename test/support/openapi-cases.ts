/**
 * Requests made from an OpenAPI document and from nothing else: for every parameter and every property of a body, what its
 * schema allows at its bounds and what it forbids; for every operation, bodies, headers and media types it does not take.
 */
import type { Random } from './random.js';

/** As much of JSON Schema as the document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

export interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** A request as it goes over the wire. */
export interface Sent {
  readonly query: readonly (readonly [string, string])[];
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer<ArrayBuffer>;
}

export interface Case {
  /** What was done to the valid request: where, and what. */
  readonly what: string;
  readonly sent: Sent;
  /** The body as a value, where it is one: the document must say whether it is allowed. */
  readonly value?: unknown;
}

export const resolve = (document: OpenApiDocument, schema: Schema): Schema =>
  schema.$ref === undefined
    ? schema
    : resolve(document, document.components.schemas[schema.$ref.split('/').at(-1)!]!);

const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: [deep(levels - 1)] });
/** Of every type, and of none that a property wants twice. */
const anything: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    -1,
    1.5,
    9_007_199_254_740_993,
    1e300,
    '',
    ' ',
    'x',
    '😀',
    'a\u0000b',
    '\u202eevil',
    [],
    {},
  ],
  ...['../../etc/passwd', "' or 1=1 --", '<script>', [[[[]]]], [null], { zzz: 1 }, { length: 5 }],
  ...[deep(12), 'x'.repeat(20_000), Array.from({ length: 5_000 }, () => 0)],
];

/** What a schema allows at its bounds, and what lies one beyond. */
function bounds(schema: Schema): unknown[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema;
  const around = (n: number | undefined): number[] => (n === undefined ? [] : [n - 1, n, n + 1]);
  const lengths = [...around(minLength), ...around(maxLength)].filter((n) => n >= 0);
  const counts = [...around(minItems), ...around(maxItems)].filter((n) => n >= 0 && n <= 1_000);
  return [
    ...around(minimum),
    ...around(maximum),
    ...(schema.enum ?? []),
    ...(schema.enum ?? []).map((each) => `${String(each)} `),
    ...lengths.map((n) => 'a'.repeat(n)),
    ...counts.map((n) => Array.from({ length: n }, () => ({}))),
    ...(schema.pattern === undefined ? [] : nearly(schema.pattern)),
  ];
}

/** Texts that a pattern of ours takes, or takes but for a character. */
function nearly(pattern: string): string[] {
  const prefix = /^\^\(?([a-z]+_|0x)/.exec(pattern)?.[1] ?? '';
  const size = Number(/\{(?:\d+,)?(\d+)\}/.exec(pattern)?.[1] ?? 8);
  const whole = prefix + 'a'.repeat(size);
  return [
    whole,
    `${whole}a`,
    whole.slice(0, -1),
    whole.toUpperCase(),
    `${whole}\n`,
    `z${whole}`,
    `${whole}é`,
  ];
}

type Path = readonly (string | number)[];

function replaced(value: unknown, [head, ...rest]: Path, replacement: unknown): unknown {
  if (head === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((each, i) => (i === head ? replaced(each, rest, replacement) : each));
  const object = (value ?? {}) as Record<string, unknown>;
  const changed = { ...object, [head]: replaced(object[head], rest, replacement) };
  // JSON has no undefined: the property is left out.
  if (changed[head] === undefined) delete changed[head];
  return changed;
}

/** Every place of a body that the schema names, with its schema. */
function places(document: OpenApiDocument, given: Schema, at: Path = []): { at: Path; schema: Schema }[] {
  const schema = resolve(document, given);
  const named = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
    places(document, inner, [...at, name]),
  );
  const any =
    typeof schema.additionalProperties === 'object'
      ? places(document, schema.additionalProperties, [...at, 'x'])
      : [];
  const item = schema.items ? places(document, schema.items, [...at, 0]) : [];
  return at.length > 6 ? [] : [{ at, schema }, ...named, ...any, ...item];
}

function bodyCases(document: OpenApiDocument, schema: Schema, valid: Sent, draw: Random): Case[] {
  const start: unknown = JSON.parse(String(valid.body));
  const all = places(document, schema);
  const of = (what: string, value: unknown): Case => ({
    what,
    value,
    sent: { ...valid, body: JSON.stringify(value) },
  });
  const each = all.flatMap(({ at, schema: own }) => {
    const where = `body.${at.join('.')}`;
    const values = [...anything, ...bounds(own)];
    return [
      ...values.map((value) => of(`${where} = ${short(value)}`, replaced(start, at, value))),
      ...(at.length > 0 ? [of(`${where} left out`, replaced(start, at, undefined))] : []),
      ...['zzz', 'constructor', 'toString'].map((name) =>
        of(`${where}.${name} added`, replaced(start, [...at, name], 1)),
      ),
    ];
  });
  const several = Array.from({ length: 4 * all.length }, () => {
    const chosen = Array.from({ length: 2 + draw.below(2) }, () => draw.pick(all));
    const value = chosen.reduce<unknown>(
      (sum, { at, schema: own }) => replaced(sum, at, draw.pick([...anything, ...bounds(own), undefined])),
      start,
    );
    return of(`${chosen.map(({ at }) => at.join('.')).join(', ')} changed`, value ?? null);
  });
  return [...each, ...several, ...wireCases(valid)];
}

/** Bodies that are no value of JSON, or not one that JSON.parse and everyone else agree on. */
function wireCases(valid: Sent): Case[] {
  const text = String(valid.body);
  const raw: Record<string, string | Buffer<ArrayBuffer>> = {
    empty: '',
    'cut short': text.slice(0, -1),
    'followed by more': `${text}{}`,
    'with a byte order mark': `\ufeff${text}`,
    'in UTF-16': Buffer.from(text, 'utf16le'),
    'not UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    'with a lone surrogate': text.replace('{', '{"a":"\\ud800",'),
    'with a key twice': text.replace('{', '{"settlement":"none","settlement":"none",'),
    'with __proto__': text.replace('{', '{"__proto__":{"admin":true},'),
    'with 10,000 digits': `{"count":${'9'.repeat(10_000)}}`,
    'with NaN': '{"count":NaN}',
    'a thousand deep': `${'['.repeat(1_000)}${']'.repeat(1_000)}`,
    'above the limit': JSON.stringify({ model: 'x'.repeat(70_000) }),
  };
  const types = ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/jsonp', ''];
  return [
    ...Object.entries(raw).map(([what, body]) => ({ what: `body ${what}`, sent: { ...valid, body } })),
    ...types.map((type) => ({
      what: `Content-Type ${type || 'absent'}`,
      sent: { ...valid, headers: { ...valid.headers, 'Content-Type': type } },
    })),
    ...['gzip', 'br', 'deflate, gzip'].map((encoding) => ({
      what: `Content-Encoding ${encoding}`,
      sent: { ...valid, headers: { ...valid.headers, 'Content-Encoding': encoding } },
    })),
  ];
}

function parameterCases({ in: place, name, schema, required }: Parameter, valid: Sent): Case[] {
  const values = [...anything.map(text), ...bounds(schema).map(text), 'null', '1e309', '0x10', '%00', '+1'];
  const put = (value: string): Sent => {
    if (place === 'path') return { ...valid, params: { ...valid.params, [name]: value } };
    if (place === 'header') return { ...valid, headers: { ...valid.headers, [name]: value } };
    return { ...valid, query: [...valid.query.filter(([known]) => known !== name), [name, value]] };
  };
  // Longer than a request line may be, or no header text: a client cannot send these.
  const sendable = (value: string): boolean =>
    value.length < 4_000 && (place !== 'header' || /^[\x20-\x7e]*$/.test(value));
  return [
    ...values
      .filter(sendable)
      .map((value) => ({ what: `${place}.${name} = ${short(value)}`, sent: put(value) })),
    ...(place === 'query'
      ? [
          {
            what: `query.${name} twice`,
            sent: { ...put('1'), query: [...put('1').query, [name, '2'] as const] },
          },
          {
            what: `query.${name}[x]`,
            sent: { ...valid, query: [...valid.query, [`${name}[x]`, '1'] as const] },
          },
          ...(required
            ? [
                {
                  what: `query.${name} left out`,
                  sent: { ...valid, query: valid.query.filter(([n]) => n !== name) },
                },
              ]
            : []),
        ]
      : []),
  ];
}

/** For every operation alike. */
function commonCases(valid: Sent): Case[] {
  const withHeader = (name: string, value: string): Case => ({
    what: `${name}: ${short(value)}`,
    sent: { ...valid, headers: { ...valid.headers, [name]: value } },
  });
  return [
    { what: 'valid', sent: valid },
    { what: 'an unknown query parameter', sent: { ...valid, query: [...valid.query, ['zzz', '1']] } },
    { what: 'query.__proto__', sent: { ...valid, query: [...valid.query, ['__proto__[admin]', '1']] } },
    ...['x'.repeat(129), '', 'a b', 'abc'].map((key) => withHeader('Idempotency-Key', key)),
    ...['', 'Basic YTpi', 'Bearer ', 'Bearer vk_x_y'].map((value) => withHeader('Authorization', value)),
    ...['text/html', '*/*;q=0', 'x'.repeat(3_000)].map((value) => withHeader('Accept', value)),
    withHeader('X-HTTP-Method-Override', 'DELETE'),
    withHeader('Last-Event-ID', '-1'),
    ...(valid.body === undefined
      ? [{ what: 'a body where none is taken', sent: { ...valid, body: '{"a":1}' } }]
      : []),
  ];
}

export function casesOf(
  document: OpenApiDocument,
  operation: DocumentedOperation,
  valid: Sent,
  draw: Random,
): Case[] {
  const json = operation.requestBody?.content['application/json']?.schema;
  return [
    ...commonCases(valid),
    ...(operation.parameters ?? []).flatMap((parameter) => parameterCases(parameter, valid)),
    ...(json ? bodyCases(document, json, valid, draw) : []),
    ...(operation.requestBody && !json ? wireCases({ ...valid, body: '{"a":1}' }) : []),
  ];
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
const short = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 40);
