import test, { type ExecutionContext } from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { loadGraph } from '../../../circuits/onnx/load.js';
import { operators } from '../../../circuits/onnx/operators.js';
import { canonicalChunks, chunksEqual } from '../../../circuits/onnx/canonical.js';
import { scan } from '../../../circuits/onnx/scan.js';
import * as p from '../../support/protobuf.js';

function refuses(t: ExecutionContext, bytes: Uint8Array, pattern: RegExp, label = ''): void {
  const error = t.throws(() => loadGraph(bytes), { instanceOf: ModelRefused }, label);
  t.regex(error?.message ?? '', pattern, label);
}

/** AttributeProto > GraphProto > NodeProto > …, built from the inside without copying what is inside. */
function nestedSubgraphs(depth: number): number[] {
  const headers: number[][] = [];
  let length = 0;
  for (let i = 0; i < depth; i++) {
    for (const field of [1, 6, 5]) {
      const header = [(field << 3) | 2, ...p.varint(length)];
      headers.push(header);
      length += header.length;
    }
  }
  return headers.reverse().flat();
}

test('the smallest model is accepted, so that a refusal below means what it says', (t) => {
  const graph = loadGraph(p.smallModel());
  t.deepEqual(graph.outputs, [{ name: 'y', dtype: 'uint8', shape: [1, 4] }]);
});

test('F02 external data in any spelling is refused before any path is looked at', (t) => {
  const locations = [
    '../weights',
    '/etc/passwd',
    'weights.bin',
    './a/../../b',
    'file:///etc/passwd',
    '//host/share',
    '..\\w',
    'C:\\w',
    '~/.ssh/id_rsa',
    '',
    'w\u0000.bin',
    '/proc/self/environ',
    '/dev/zero',
    'a/b/c',
    '....//w',
    '%2e%2e/w',
    'link',
    'hard-link',
    'sparse',
    '\\\\host\\share',
  ];
  for (const location of locations) {
    const entry = p.message(13, p.text(1, 'location'), p.text(2, location));
    const offset = p.message(13, p.text(1, 'offset'), p.text(2, '18446744073709551615'));
    const forms = [[entry, p.number(14, 1)], [entry], [entry, offset, p.number(14, 1)]];
    for (const form of forms) {
      const initializers = [p.tensor('w', p.UINT8, [4], ...form)];
      refuses(t, p.smallModel({ initializers }), /external_data must be no external data/, location);
      const attribute = p.node(
        'Constant',
        [],
        ['c'],
        p.tensorAttribute('value', p.tensor('c', p.UINT8, [4], ...form)),
      );
      refuses(
        t,
        p.smallModel({ nodes: [attribute, p.node('Identity', ['x'], ['y'])] }),
        /external data/,
        location,
      );
    }
  }
  refuses(t, p.smallModel({ initializers: [p.tensor('w', p.UINT8, [4], p.number(14, 1))] }), /data_location/);
});

test('F03 ten megabytes of empty nodes are refused by the scan, in no more memory than the file', (t) => {
  const empty = new Uint8Array(10_000_000);
  for (let i = 0; i < empty.length; i += 2) empty[i] = 0x0a;
  const header = [...p.number(1, 8), 0x3a, ...p.varint(empty.length)];
  const bytes = new Uint8Array(header.length + empty.length);
  bytes.set(header);
  bytes.set(empty, header.length);
  const before = process.memoryUsage();
  refuses(t, bytes, /nodes must be at most|fields must be at most/);
  const after = process.memoryUsage();
  t.true(after.heapUsed + after.external - before.heapUsed - before.external < 2 * bytes.length);
});

test('F03 every count is bounded before decoding', (t) => {
  const limits = {
    sizeBytes: 1000,
    fields: 35,
    nodes: 1,
    tensors: 1,
    typedNumbers: 3,
    nameBytes: 8,
    textBytes: 100,
  };
  const check = (bytes: Uint8Array, pattern: RegExp): void => {
    const error = t.throws(() => scan(bytes, limits), { instanceOf: ModelRefused });
    t.regex(error?.message ?? '', pattern);
  };
  t.notThrows(() => scan(p.smallModel(), limits));
  check(p.smallModel({ modelExtra: [p.text(6, 'x'.repeat(2000))] }), /size must be at most 1000/);
  check(
    p.smallModel({ nodes: [p.node('Identity', ['x'], ['z']), p.node('Identity', ['z'], ['y'])] }),
    /nodes must be at most 1/,
  );
  check(
    p.smallModel({ initializers: [p.tensor('a', 2, []), p.tensor('b', 2, [])] }),
    /tensors must be at most 1/,
  );
  check(
    p.smallModel({ initializers: [p.tensor('a', 7, [4], ...[1, 2, 3, 4].map((x) => p.number(7, x)))] }),
    /numbers outside raw data/,
  );
  check(p.smallModel({ modelExtra: [p.text(6, 'x'.repeat(101))] }), /at most 100 bytes/);
  check(p.smallModel({ inputs: [p.value('x'.repeat(9), 2, [1])] }), /at most 8 bytes/);
  check(
    p.smallModel({ modelExtra: Array.from({ length: 40 }, () => p.message(14)) }),
    /fields must be at most 35/,
  );
});

test('F04 nesting, cycles, duplicate names and undefined values are refused', (t) => {
  refuses(
    t,
    p.smallModel({ nodes: [[...p.node('If', ['x'], ['y']), ...nestedSubgraphs(5000)]] }),
    /no subgraphs/,
  );
  const sequence = (depth: number): p.Bytes =>
    depth === 0 ? p.message(1, p.number(1, 1)) : p.message(4, p.message(1, sequence(depth - 1)));
  refuses(
    t,
    p.smallModel({ inputs: [[...p.text(1, 'x'), ...p.message(2, sequence(40))]] }),
    /nesting must be at most/,
  );
  refuses(
    t,
    p.smallModel({ modelExtra: [p.message(25, p.text(1, 'f'), p.message(7, p.node('f', ['a'], ['b'])))] }),
    /no function bodies/,
  );
  const identity = (from: string, to: string): p.Bytes => p.node('Identity', [from], [to]);
  for (let length = 1; length <= 40; length++) {
    const ring = Array.from({ length }, (_, i) => identity(`r${i}`, `r${(i + 1) % length}`));
    refuses(t, p.smallModel({ nodes: [identity('x', 'y'), ...ring] }), /a cycle/, `cycle of ${length}`);
  }
  refuses(t, p.smallModel({ nodes: [identity('x', 'y'), identity('x', 'y')] }), /a second definition/);
  refuses(t, p.smallModel({ nodes: [identity('x', 'x'), identity('x', 'y')] }), /a second definition/);
  refuses(t, p.smallModel({ initializers: [p.tensor('y', 2, [1], p.raw([1]))] }), /a second definition/);
  refuses(
    t,
    p.smallModel({ initializers: [p.tensor('w', 2, [1], p.raw([1])), p.tensor('w', 2, [1], p.raw([2]))] }),
    /a second initializer/,
  );
  refuses(t, p.smallModel({ inputs: [p.value('x', 2, [1]), p.value('x', 2, [1])] }), /a second definition/);
  refuses(t, p.smallModel({ outputs: [p.value('y', 2, [1]), p.value('y', 2, [1])] }), /unique names/);
  for (const name of ['missing', 'Y', 'x ', 'y:0', 'x.'])
    refuses(t, p.smallModel({ nodes: [identity(name, 'y')] }), /undefined/, name);
  refuses(t, p.smallModel({ outputs: [p.value('z', 2, [1])] }), /undefined/);
  refuses(t, p.smallModel({ inputs: [], nodes: [] }), /undefined|at least one/);
  refuses(t, p.smallModel({ outputs: [] }), /at least one/);
});

test('F05 shape bombs are refused by arithmetic, before anything of that size exists', (t) => {
  const started = Date.now();
  const shape = (values: readonly bigint[]): p.Bytes =>
    p.tensor('s', p.INT64, [values.length], ...values.map((x) => p.number(7, x)));
  const bombs = [
    [2n ** 51n],
    [2n ** 40n, 2n ** 40n],
    [2n ** 62n, 4n],
    [65536n, 65536n],
    [-5n],
    [2n ** 63n - 1n, 2n],
  ];
  for (const bomb of bombs) {
    for (const [type, nodes] of [
      ['ConstantOfShape', [p.node('ConstantOfShape', ['s'], ['c']), p.node('Identity', ['x'], ['y'])]],
      ['Expand', [p.node('Expand', ['x', 's'], ['y'])]],
      ['Reshape', [p.node('Reshape', ['x', 's'], ['y'])]],
      ['Tile', [p.node('Tile', ['x', 's'], ['y'])]],
    ] as const) {
      refuses(t, p.smallModel({ nodes, initializers: [shape(bomb)] }), /./, `${type} ${bomb}`);
    }
    refuses(t, p.smallModel({ initializers: [p.tensor('w', p.UINT8, bomb)] }), /./, `tensor ${bomb}`);
    refuses(t, p.smallModel({ inputs: [p.value('x', p.UINT8, bomb.map(Number))] }), /./, `input ${bomb}`);
  }
  for (let length = 20; length <= 60; length++) {
    const chain = Array.from({ length }, (_, i) =>
      p.node('Concat', [i ? `d${i}` : 'x', i ? `d${i}` : 'x'], [`d${i + 1}`], p.intAttribute('axis', 0)),
    );
    const nodes = [...chain, p.node('Identity', [`d${length}`], ['y'])];
    if (length >= 25) refuses(t, p.smallModel({ nodes }), /elements/, `doubling ${length}`);
  }
  for (const dim of [0, 'N', 'batch', -1])
    refuses(t, p.smallModel({ inputs: [p.value('x', p.UINT8, [1, dim])] }), /dimension/, String(dim));
  refuses(
    t,
    p.smallModel({ inputs: [[...p.text(1, 'x'), ...p.message(2, p.message(1, p.number(1, 2)))]] }),
    /shape/,
  );
  const pads = [p.tensor('s', p.INT64, [4], ...[0n, 2n ** 40n, 0n, 2n ** 40n].map((x) => p.number(7, x)))];
  refuses(t, p.smallModel({ nodes: [p.node('Pad', ['x', 's'], ['y'])], initializers: pads }), /elements/);
  t.true(Date.now() - started < 20_000);
});

test('F06 operators outside the table are refused at every opset, and the table names no control flow', (t) => {
  const forbidden = (
    'If Loop Scan SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence ' +
    'ConcatFromSequence Optional OptionalGetElement OptionalHasElement RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli ' +
    'Multinomial StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer ImageDecoder LSTM GRU RNN Attention NonZero Unique ' +
    'NonMaxSuppression DFT STFT MelWeightMatrix HannWindow HammingWindow BlackmanWindow GridSample AffineGrid Det DeformConv RoiAlign ' +
    'MaxRoiPool MaxUnpool Col2Im TensorScatter RotaryEmbedding RMSNormalization GroupNormalization LpNormalization ' +
    'MeanVarianceNormalization NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss Adagrad Adam Momentum Gradient GlobalLpPool ' +
    'Scatter Affine ATen Crop GRUUnit GivenTensorFill ImageScaler ParametricSoftplus Scale ScaledTanh PythonOp Call Function'
  ).split(' ');
  for (const type of forbidden) {
    t.false(operators.has(`:${type}`), type);
    for (let opset = 6; opset <= 27; opset++)
      refuses(
        t,
        p.smallModel({ opset, nodes: [p.node(type, ['x'], ['y'])] }),
        /operator must be one of/,
        `${type} ${opset}`,
      );
  }
  // Of the table, but with sizes that an input would decide.
  for (const type of ['Compress', 'ReverseSequence', 'CenterCropPad'])
    refuses(t, p.smallModel({ nodes: [p.node(type, ['x', 'x'], ['y'])] }), /must be a constant/, type);
  for (const domain of [
    'custom',
    'com.microsoft.experimental',
    'org.pytorch.aten',
    'ai.onnx.preview',
    'com.ms.internal.nhwc',
    'verinfer',
  ]) {
    for (const type of ['Identity', 'Relu', 'Conv', 'Rescale']) {
      refuses(
        t,
        p.smallModel({ domains: [domain], nodes: [p.node(type, ['x'], ['y'], p.text(7, domain))] }),
        /operator must be one of/,
        `${domain}:${type}`,
      );
    }
  }
  refuses(
    t,
    p.smallModel({
      nodes: [p.node('QLinearAdd', ['x', 'x', 'x', 'x', 'x', 'x', 'x'], ['y'], p.text(7, 'com.microsoft'))],
    }),
    /domain/,
  );
  for (const opset of [0, 28, 99, 2 ** 31 - 1])
    refuses(t, p.smallModel({ opset }), /version must be 1 to 27/, String(opset));
  refuses(
    t,
    p.smallModel({ modelExtra: [p.message(8, p.text(1, ''), p.number(2, 13))] }),
    /import must be one version/,
  );
  refuses(
    t,
    p.smallModel({ modelExtra: [p.message(8, p.text(1, 'ai.onnx'), p.number(2, 13))] }),
    /import must be one version/,
  );
  refuses(
    t,
    p.smallModel({
      nodes: [
        p.node('Identity', ['x'], ['y'], p.message(5, p.text(1, 'body'), p.message(6), p.number(20, 5))),
      ],
    }),
    /no subgraphs/,
  );
  refuses(t, p.smallModel({ inputs: [p.value('x', 8, [1])] }), /string/);
  refuses(t, p.smallModel({ initializers: [p.tensor('s', 8, [1], p.text(6, 'a'))] }), /no string tensors/);
});

test('F07 data that does not fit its dimensions or dtype is refused', (t) => {
  const cases: [string, p.Bytes, RegExp][] = [
    ['raw too short', p.tensor('w', p.UINT8, [4], p.raw([1, 2, 3])), /raw data bytes must be 4/],
    ['raw too long', p.tensor('w', p.UINT8, [4], p.raw([1, 2, 3, 4, 5])), /raw data bytes must be 4/],
    ['no data', p.tensor('w', p.UINT8, [4]), /raw data bytes must be 4/],
    ['raw and typed', p.tensor('w', p.UINT8, [1], p.raw([1]), p.number(5, 1)), /raw or typed/],
    [
      'typed too long',
      p.tensor('w', p.INT64, [1], p.number(7, 1), p.number(7, 2)),
      /typed data elements must be 1/,
    ],
    ['wrong typed field', p.tensor('w', p.INT64, [1], p.number(5, 1)), /data of another type/],
    ['two typed fields', p.tensor('w', p.INT64, [1], p.number(5, 1), p.number(7, 1)), /data of another type/],
    ['int8 out of range', p.tensor('w', p.INT8, [1], p.number(5, 200)), /inside int8/],
    ['uint8 negative', p.tensor('w', p.UINT8, [1], p.number(5, -1)), /inside uint8/],
    ['NaN', p.tensor('w', p.FLOAT, [1], p.raw([0, 0, 192, 127])), /NaN/],
    ['bool 2', p.tensor('w', 9, [1], p.raw([2])), /0 or 1/],
    ['float16', p.tensor('w', 10, [1], p.raw([0, 0])), /float16/],
    ['NaN in double', p.tensor('w', 11, [1], p.raw([0, 0, 0, 0, 0, 0, 248, 127])), /NaN/],
    ['unknown dtype', p.tensor('w', 99, [1], p.raw([0])), /type code 99/],
    ['undefined dtype', p.tensor('w', 0, [1], p.raw([0])), /type code 0/],
    ['no name', p.tensor('', p.UINT8, [1], p.raw([0])), /not empty/],
  ];
  for (const [label, tensor, pattern] of cases)
    refuses(t, p.smallModel({ initializers: [tensor] }), pattern, label);
});

test('F07 scales that are zero, negative, subnormal, infinite or not float32 are refused', (t) => {
  const f32 = (x: number): number[] => [...new Uint8Array(Float32Array.of(x).buffer)];
  const withScale = (scale: p.Bytes, zeroPoint: p.Bytes): Uint8Array =>
    p.model({
      nodes: [
        p.node('DequantizeLinear', ['x', 's', 'z'], ['f']),
        p.node('QuantizeLinear', ['f', 's2', 'z2'], ['y']),
      ],
      inputs: [p.value('x', p.UINT8, [1, 4])],
      outputs: [p.value('y', p.UINT8, [1, 4])],
      initializers: [
        scale,
        zeroPoint,
        p.tensor('s2', p.FLOAT, [], p.raw(f32(0.5))),
        p.tensor('z2', p.UINT8, [], p.raw([3])),
      ],
    });
  const zero = p.tensor('z', p.UINT8, [], p.raw([3]));
  t.notThrows(() => importModel(withScale(p.tensor('s', p.FLOAT, [], p.raw(f32(0.25))), zero)));
  for (const scale of [0, -0, -1, 1e-40, Infinity, -Infinity, 1.1e-38]) {
    t.throws(
      () => importModel(withScale(p.tensor('s', p.FLOAT, [], p.raw(f32(scale))), zero)),
      { instanceOf: ModelRefused, message: /positive normal float32/ },
      String(scale),
    );
  }
  t.throws(() => importModel(withScale(p.tensor('s', p.INT8, [], p.raw([1])), zero)), {
    instanceOf: ModelRefused,
  });
  t.throws(
    () =>
      importModel(
        withScale(p.tensor('s', p.FLOAT, [], p.raw(f32(1))), p.tensor('z', p.INT8, [], p.raw([3]))),
      ),
    { message: /zero point dtype/ },
  );
  t.throws(
    () =>
      importModel(
        withScale(
          p.tensor('s', p.FLOAT, [3], p.raw([...f32(1), ...f32(1), ...f32(1)])),
          p.tensor('z', p.UINT8, [3], p.raw([0, 0, 0])),
        ),
      ),
    { instanceOf: ModelRefused },
  );
});

test('F08 a file with two readings is refused', (t) => {
  const good = [...p.smallModel()];
  const cases: [string, Uint8Array, RegExp][] = [
    ['two graphs', p.smallModel({ modelExtra: [p.message(7, p.text(2, 'other'))] }), /present once/],
    ['two IR versions', p.smallModel({ modelExtra: [p.number(1, 7)] }), /present once/],
    ['unknown field of the model', p.smallModel({ modelExtra: [p.number(30, 1)] }), /unknown field/],
    [
      'unknown field of a node',
      p.smallModel({ nodes: [p.node('Identity', ['x'], ['y'], p.number(50, 1))] }),
      /unknown field/,
    ],
    [
      'two op types',
      p.smallModel({ nodes: [p.node('Identity', ['x'], ['y'], p.text(4, 'Relu'))] }),
      /present once/,
    ],
    ['overlong varint', Uint8Array.from([0x08, 0x88, 0x00, ...good.slice(2)]), /minimal varint/],
    ['overlong tag', Uint8Array.from([0x88, 0x00, 0x08, ...good.slice(2)]), /minimal varint/],
    ['varint of 11 bytes', Uint8Array.from([0x08, ...new Array<number>(10).fill(0xff), 1]), /64-bit varint/],
    ['trailing byte', Uint8Array.from([...good, 0]), /unknown field|truncated/],
    ['trailing half field', Uint8Array.from([...good, 0x72, 0x05]), /at most 0 bytes/],
    ['group', Uint8Array.from([...good, 0x73, 0x74]), /wire type/],
    ['wrong wire type', Uint8Array.from([...good, ...p.text(5, '7')]), /wire type 0/],
    [
      'attribute with two values',
      p.smallModel({
        nodes: [
          p.node(
            'Flatten',
            ['x'],
            ['y'],
            p.message(5, p.text(1, 'axis'), p.number(3, 1), p.fixed32(2, [0, 0, 128, 63]), p.number(20, 2)),
          ),
        ],
      }),
      /only the int field/,
    ],
    [
      'attribute twice',
      p.smallModel({
        nodes: [p.node('Flatten', ['x'], ['y'], p.intAttribute('axis', 1), p.intAttribute('axis', 0))],
      }),
      /given once/,
    ],
    [
      'attribute of another kind',
      p.smallModel({ nodes: [p.node('Flatten', ['x'], ['y'], p.intsAttribute('axis', [1]))] }),
      /attribute axis must be int/,
    ],
    [
      'unknown attribute',
      p.smallModel({ nodes: [p.node('Flatten', ['x'], ['y'], p.intAttribute('axes', 1))] }),
      /unknown/,
    ],
    [
      'int32 beyond its width',
      p.smallModel({ initializers: [p.tensor('w', p.UINT8, [1], p.number(5, 2n ** 40n))] }),
      /32-bit integer/,
    ],
    ['empty file', new Uint8Array(0), /at least 1 byte/],
  ];
  for (const [label, bytes, pattern] of cases) refuses(t, bytes, pattern, label);
});

test('F08 fields in another order and unpacked numbers have the same canonical form', (t) => {
  const packed = p.smallModel({ initializers: [p.tensor('w', p.INT64, [2], p.bytes(7, [1, 2]))] });
  const unpacked = p.smallModel({
    initializers: [
      [...p.text(8, 'w'), ...p.number(7, 1), ...p.number(7, 2), ...p.number(2, p.INT64), ...p.number(1, 2)],
    ],
  });
  for (const bytes of [packed, unpacked]) t.notThrows(() => loadGraph(bytes));
  t.deepEqual(Buffer.concat(canonicalChunks(packed)), Buffer.concat(canonicalChunks(unpacked)));
  t.false(chunksEqual(canonicalChunks(packed), unpacked));
});

test('F10 names are short and printable', (t) => {
  const names = [
    'a\u0000',
    'a\nb',
    '\u202Eevil',
    'a\u200Bb',
    '<script>',
    'a&amp;',
    'é',
    '\u0007',
    'a\tb',
    '\u007f',
    'x'.repeat(513),
    'x'.repeat(1_000_000),
    '\ud83d\ude00',
    '\u2066a',
    'b>',
    '\u00a0',
  ];
  const places: ((name: string) => Uint8Array)[] = [
    (name) => p.smallModel({ nodes: [p.node('Identity', ['x'], ['y'], p.text(3, name))] }),
    (name) => p.smallModel({ nodes: [p.node('Identity', ['x'], [name])], outputs: [p.value(name, 2, [1])] }),
    (name) =>
      p.smallModel({ inputs: [p.value(name, 2, [1, 4])], nodes: [p.node('Identity', [name], ['y'])] }),
    (name) => p.smallModel({ initializers: [p.tensor(name, p.UINT8, [1], p.raw([1]))] }),
  ];
  for (const name of names)
    for (const place of name.length > 1000 ? places.slice(0, 1) : places)
      refuses(t, place(name), /printable ASCII|at most 512 bytes/, JSON.stringify(name.slice(0, 20)));
});

test('F12 a small file that asks for 2^28 constraints is refused by its price', (t) => {
  const f32 = (x: number): number[] => [...new Uint8Array(Float32Array.of(x).buffer)];
  for (let side = 1000; side <= 8000; side += 140) {
    const bytes = p.model({
      nodes: [
        p.node('DequantizeLinear', ['x', 's'], ['f']),
        p.node('Sigmoid', ['f'], ['g']),
        p.node('QuantizeLinear', ['g', 's'], ['y']),
      ],
      inputs: [p.value('x', p.UINT8, [side, 8000])],
      outputs: [p.value('y', p.UINT8, [side, 8000])],
      initializers: [p.tensor('s', p.FLOAT, [], p.raw(f32(0.5)))],
    });
    t.true(bytes.length < 300);
    t.throws(() => importModel(bytes), {
      instanceOf: ModelRefused,
      message: /estimated constraints so far must be at most|elements must be at most/,
    });
  }
});
