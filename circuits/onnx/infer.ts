/**
 * Static types of every value, and folding of what is already known: shape arithmetic (Shape, Gather, Concat, …) and
 * constants that pass through it. Sizes are products in bigints and are refused before anything of that size exists.
 */
import { ModelRefused } from '../errors.js';
import { constantValue, foldNode } from './fold.js';
import type { ConstantTensor, Dtype, Graph, GraphNode, ValueInfo } from './graph.js';
import { axisOf, hasAttribute, intAttribute, intsAttribute, refuseNode, whereOf } from './node.js';
import { resizeShape } from './resize.js';
import { broadcastShapes, type NodeContext, type ValueType } from './shape.js';
import { dtypeOf, elementCount } from './tensor.js';
import { integersGiven, reducedAxes, wiringOf } from './wiring.js';
import { convolutionShape, poolShape, transposedConvolutionShape } from './window.js';

/** All values of a graph together, in elements. */
const MAX_TOTAL_ELEMENTS = 2n ** 28n;
/** Constants that folding may create, in elements: weights moved once each, not a bomb. */
const MAX_FOLDED_ELEMENTS = 2 ** 24;

/** Type of every value by name. */
export type ValueTypes = ReadonlyMap<string, ValueType>;

/** The same graph with static output types, Constant and constant-only nodes folded away. */
export function inferGraph(graph: Graph): Graph {
  const { nodes, constants, types } = walk(graph, true);
  const outputs = graph.outputs.map(({ name }): ValueInfo => ({ name, ...types.get(name)! }));
  for (const output of outputs) {
    if (output.shape.some((dim) => dim < 1)) {
      throw new ModelRefused({
        where: `output "${output.name}"`,
        what: 'dimensions',
        expected: 'at least 1',
        got: `[${output.shape.join(',')}]`,
      });
    }
  }
  return { ...graph, outputs, nodes, constants };
}

/** Types of all values of a graph that `loadGraph` returned, or of one rewritten from it. */
export function inferTypes(graph: Graph): ValueTypes {
  return walk(graph, false).types;
}

export function contextOf(
  node: GraphNode,
  graph: Pick<Graph, 'opsets' | 'constants'>,
  types: ValueTypes,
): NodeContext {
  return {
    node,
    opset: graph.opsets.get(node.domain) ?? 1,
    type: (i) => types.get(node.inputs[i] ?? ''),
    constant: (i) => graph.constants.get(node.inputs[i] ?? ''),
  };
}

function walk(
  graph: Graph,
  folds: boolean,
): { nodes: GraphNode[]; constants: Map<string, ConstantTensor>; types: Map<string, ValueType> } {
  const types = new Map<string, ValueType>();
  const constants = new Map(graph.constants);
  let total = 0n;
  let folded = 0;
  const add = (name: string, type: ValueType, where: string): void => {
    total += BigInt(elementCount(type.shape, where));
    if (total > MAX_TOTAL_ELEMENTS) {
      throw new ModelRefused({
        where,
        what: 'elements of all values so far',
        expected: `at most ${MAX_TOTAL_ELEMENTS}`,
        got: String(total),
      });
    }
    types.set(name, { dtype: type.dtype, shape: type.shape });
  };
  for (const input of graph.inputs) add(input.name, input, `input "${input.name}"`);
  for (const [name, tensor] of constants) add(name, tensor, `tensor "${name}"`);
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const context = contextOf(node, { opsets: graph.opsets, constants }, types);
    const outputs = typesOf(context);
    node.outputs.forEach((name, i) => {
      if (name !== '')
        add(
          name,
          outputs[i] ?? refuseNode(node, 'outputs', String(outputs.length), node.outputs.length),
          whereOf(node),
        );
    });
    const values = folds ? foldNode(context, outputs) : undefined;
    if (!values) {
      nodes.push(node);
      continue;
    }
    for (const tensor of values) folded += tensor.data.length;
    if (folded > MAX_FOLDED_ELEMENTS)
      refuseNode(node, 'folded constants', `at most ${MAX_FOLDED_ELEMENTS} elements`, folded);
    node.outputs.forEach((name, i) => name !== '' && constants.set(name, values[i]!));
  }
  return { nodes, constants, types };
}

function typesOf(context: NodeContext): readonly ValueType[] {
  const { node } = context;
  const wirings = wiringOf(context);
  if (wirings) return wirings.map(({ shape }) => ({ dtype: need(context, 0).dtype, shape }));
  const rule = rules[`${node.domain}:${node.type}`];
  return rule ? rule(context) : refuseNode(node, 'operator', 'one whose shape can be inferred', node.type);
}

type Rule = (context: NodeContext) => readonly ValueType[];

function need(context: NodeContext, i: number): ValueType {
  return context.type(i) ?? refuseNode(context.node, `input ${i}`, 'present', 'absent');
}

const same: Rule = (context) => [need(context, 0)];

function broadcastAs(dtype: (context: NodeContext) => Dtype, from = 0): Rule {
  return (context) => {
    const shapes = context.node.inputs.map((_, i) => need(context, i).shape);
    // Before opset 7 a second operand was aligned at `axis`; nothing recent writes that.
    if (context.opset < 7 && hasAttribute(context.node, 'axis'))
      refuseNode(context.node, 'axis', 'absent (opset 7 broadcasting)', 'given');
    const shape = broadcastShapes(...shapes.slice(from));
    if (!shape)
      refuseNode(
        context.node,
        'input shapes',
        'broadcastable',
        shapes.map((s) => `[${s.join(',')}]`).join(' '),
      );
    return [{ dtype: dtype(context), shape: broadcastShapes(...shapes)! }];
  };
}

const binary = broadcastAs((context) => {
  const dtypes = new Set(context.node.inputs.map((_, i) => need(context, i).dtype));
  if (dtypes.size !== 1) refuseNode(context.node, 'input dtypes', 'alike', [...dtypes]);
  return need(context, 0).dtype;
});
const comparison = broadcastAs(() => 'bool');

/** Output shape of A·B with numpy's rules for vectors and stacked matrices. */
export function matmulShape(node: GraphNode, a: readonly number[], b: readonly number[]): number[] {
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  const stack = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  if (a.length === 0 || b.length === 0 || !stack || left.at(-1) !== right.at(-2)) {
    refuseNode(node, 'input shapes', 'matrices that multiply', `[${a.join(',')}] [${b.join(',')}]`);
  }
  return [...stack, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

function matmul(dtype: Dtype | undefined, b = 1): Rule {
  return (context) => [
    {
      dtype: dtype ?? need(context, 0).dtype,
      shape: matmulShape(context.node, need(context, 0).shape, need(context, b).shape),
    },
  ];
}

function gemm(dtype: (context: NodeContext) => Dtype, b: number): Rule {
  return (context) => {
    const left = need(context, 0).shape;
    const right = need(context, b).shape;
    if (left.length !== 2 || right.length !== 2)
      refuseNode(context.node, 'input ranks', '2 and 2', `${left.length} and ${right.length}`);
    const [m, k] = intAttribute(context.node, 'transA', 0) ? [left[1]!, left[0]!] : [left[0]!, left[1]!];
    const [k2, n] = intAttribute(context.node, 'transB', 0) ? [right[1]!, right[0]!] : [right[0]!, right[1]!];
    if (k !== k2) refuseNode(context.node, 'inner dimensions', 'alike', `${k} and ${k2}`);
    return [{ dtype: dtype(context), shape: [m, n] }];
  };
}

/** The dtype of a zero point, or the default when it is left out. */
function zeroPointDtype(i: number, fallback: Dtype): (context: NodeContext) => Dtype {
  return (context) => context.type(i)?.dtype ?? fallback;
}

const quantized: Rule = (context) => {
  const code = intAttribute(context.node, 'output_dtype', 0);
  const dtype = context.type(2)?.dtype ?? (code === 0 ? 'uint8' : dtypeOf(code, whereOf(context.node)));
  return [{ dtype, shape: need(context, 0).shape }];
};
const dequantized: Rule = (context) => [{ dtype: 'float32', shape: need(context, 0).shape }];

const globalPool: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const channelsLast = intAttribute(context.node, 'channels_last', 0) !== 0;
  return [
    {
      dtype,
      shape: shape.map((dim, axis) =>
        axis === 0 || axis === (channelsLast ? shape.length - 1 : 1) ? dim : 1,
      ),
    },
  ];
};

const reduction: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const axes = reducedAxes(context);
  const keeps = intAttribute(context.node, 'keepdims', 1) !== 0;
  return [{ dtype, shape: shape.flatMap((dim, axis) => (!axes.has(axis) ? [dim] : keeps ? [1] : [])) }];
};

const argument: Rule = (context) => {
  const { shape } = need(context, 0);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), shape.length);
  const keeps = intAttribute(context.node, 'keepdims', 1) !== 0;
  return [{ dtype: 'int64', shape: shape.flatMap((dim, i) => (i !== axis ? [dim] : keeps ? [1] : [])) }];
};

const topK: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', -1), shape.length);
  const k = hasAttribute(context.node, 'k')
    ? intAttribute(context.node, 'k', 1)
    : integersGiven(context, 'K', 1)?.[0];
  if (k === undefined || k < 1 || k > shape[axis]!) refuseNode(context.node, 'K', `1 to ${shape[axis]}`, k);
  const out = shape.map((dim, i) => (i === axis ? k : dim));
  return [
    { dtype, shape: out },
    { dtype: 'int64', shape: out },
  ];
};

const shapeOfShape: Rule = (context) => {
  const rank = need(context, 0).shape.length;
  const bound = (name: string, fallback: number): number => {
    const given = intAttribute(context.node, name, fallback);
    return Math.min(Math.max(given < 0 ? given + rank : given, 0), rank);
  };
  return [{ dtype: 'int64', shape: [Math.max(0, bound('end', rank) - bound('start', 0))] }];
};

const constantOfShape: Rule = (context) => {
  const value = context.node.attributes.get('value');
  return [
    {
      dtype: value?.kind === 'tensor' ? value.value.dtype : 'float32',
      shape: integersGiven(context, 'shape', 0)!,
    },
  ];
};

const range: Rule = (context) => {
  const [start, limit, step] = [0, 1, 2].map((i) => {
    const constant = context.constant(i);
    return constant
      ? Number(constant.data[0])
      : refuseNode(context.node, `input ${i}`, 'a constant', 'a value computed at run time');
  }) as [number, number, number];
  if (step === 0) refuseNode(context.node, 'delta', 'not 0', 0);
  return [{ dtype: need(context, 0).dtype, shape: [Math.max(0, Math.ceil((limit - start) / step))] }];
};

const gatherComputed: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), shape.length);
  return [{ dtype, shape: [...shape.slice(0, axis), ...need(context, 1).shape, ...shape.slice(axis + 1)] }];
};

/** GatherND by computed indices; by constant ones it is wiring. */
const gatherTuples: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const indices = need(context, 1).shape;
  const batch = intAttribute(context.node, 'batch_dims', 0);
  const depth = indices.at(-1) ?? 0;
  if (batch < 0 || batch >= indices.length || batch + depth > shape.length)
    refuseNode(context.node, 'indices', `of depth at most ${shape.length - batch}`, [...indices]);
  return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
};

const oneHot: Rule = (context) => {
  const { shape } = need(context, 0);
  const depth = integersGiven(context, 'depth', 1)![0]!;
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', -1), shape.length + 1);
  return [{ dtype: need(context, 2).dtype, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] }];
};

const cast: Rule = (context) => [
  {
    dtype: dtypeOf(intAttribute(context.node, 'to', 0), whereOf(context.node)),
    shape: need(context, 0).shape,
  },
];

function rows(shape: readonly number[]): number {
  return shape.length === 1 ? 1 : shape[0]!;
}

const classifier: Rule = (context) => {
  const labels =
    intsAttribute(context.node, 'classlabels_int64s') ?? intsAttribute(context.node, 'classlabels_ints');
  if (!labels) refuseNode(context.node, 'class labels', 'integers', 'strings');
  const n = rows(need(context, 0).shape);
  return [
    { dtype: 'int64', shape: [n] },
    { dtype: 'float32', shape: [n, labels.length] },
  ];
};

function regressor(targets: (context: NodeContext) => number): Rule {
  return (context) => [{ dtype: 'float32', shape: [rows(need(context, 0).shape), targets(context)] }];
}

const q = '';
const microsoft = 'com.microsoft';
const ml = 'ai.onnx.ml';

function table(domain: string, types: readonly string[], rule: Rule): [string, Rule][] {
  return types.map((type) => [`${domain}:${type}`, rule]);
}

const rules: Readonly<Record<string, Rule>> = Object.fromEntries([
  ...table(
    q,
    [
      'Abs',
      'Neg',
      'Relu',
      'Sigmoid',
      'Tanh',
      'Exp',
      'Log',
      'Sqrt',
      'Reciprocal',
      'Floor',
      'Ceil',
      'Acos',
      'Acosh',
      'Asin',
      'Asinh',
    ],
    same,
  ),
  ...table(
    q,
    [
      'Atan',
      'Atanh',
      'Cos',
      'Cosh',
      'Sin',
      'Sinh',
      'Tan',
      'Erf',
      'Sign',
      'Round',
      'Softplus',
      'Softsign',
      'HardSwish',
      'Mish',
    ],
    same,
  ),
  ...table(
    q,
    [
      'Not',
      'BitwiseNot',
      'LeakyRelu',
      'Elu',
      'Celu',
      'ThresholdedRelu',
      'Selu',
      'HardSigmoid',
      'Gelu',
      'Shrink',
      'Swish',
      'Clip',
    ],
    same,
  ),
  ...table(
    q,
    [
      'BatchNormalization',
      'InstanceNormalization',
      'LRN',
      'Softmax',
      'LogSoftmax',
      'Hardmax',
      'CumSum',
      'CumProd',
      'LayerNormalization',
    ],
    same,
  ),
  ...table(q, ['ScatterElements', 'ScatterND'], same),
  ...table(q, ['IsNaN', 'IsInf'], (context) => [{ dtype: 'bool', shape: need(context, 0).shape }]),
  ...table(
    q,
    [
      'Add',
      'Sub',
      'Mul',
      'Div',
      'And',
      'Or',
      'Xor',
      'BitwiseAnd',
      'BitwiseOr',
      'BitwiseXor',
      'Mod',
      'BitShift',
      'PRelu',
    ],
    binary,
  ),
  ...table(q, ['Max', 'Min', 'Sum', 'Mean'], binary),
  ...table(
    q,
    ['Pow'],
    broadcastAs((context) => need(context, 0).dtype),
  ),
  ...table(q, ['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual'], comparison),
  ...table(
    q,
    ['Where'],
    broadcastAs((context) => need(context, 1).dtype),
  ),
  ...table(
    q,
    ['Gemm'],
    gemm((context) => need(context, 0).dtype, 1),
  ),
  ...table(
    microsoft,
    ['FusedGemm'],
    gemm((context) => need(context, 0).dtype, 1),
  ),
  ...table(q, ['MatMul'], matmul(undefined)),
  ...table(q, ['MatMulInteger'], matmul('int32')),
  ...table(q, ['QLinearMatMul'], (context) => [
    {
      dtype: need(context, 7).dtype,
      shape: matmulShape(context.node, need(context, 0).shape, need(context, 3).shape),
    },
  ]),
  ...table(q, ['Conv'], (context) => [
    {
      dtype: need(context, 0).dtype,
      shape: convolutionShape(context, need(context, 0).shape, need(context, 1).shape),
    },
  ]),
  ...table(microsoft, ['FusedConv'], (context) => [
    {
      dtype: need(context, 0).dtype,
      shape: convolutionShape(context, need(context, 0).shape, need(context, 1).shape),
    },
  ]),
  ...table(q, ['ConvInteger'], (context) => [
    { dtype: 'int32', shape: convolutionShape(context, need(context, 0).shape, need(context, 1).shape) },
  ]),
  ...table(q, ['QLinearConv'], (context) => [
    {
      dtype: need(context, 7).dtype,
      shape: convolutionShape(context, need(context, 0).shape, need(context, 3).shape),
    },
  ]),
  ...table(q, ['ConvTranspose'], (context) => [
    {
      dtype: need(context, 0).dtype,
      shape: transposedConvolutionShape(context, need(context, 0).shape, need(context, 1).shape),
    },
  ]),
  ...table(q, ['QuantizeLinear'], quantized),
  ...table(q, ['DequantizeLinear'], dequantized),
  ...table(microsoft, ['QuantizeLinear'], quantized),
  ...table(microsoft, ['DequantizeLinear'], dequantized),
  ...table(q, ['DynamicQuantizeLinear'], (context) => [
    { dtype: 'uint8', shape: need(context, 0).shape },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ]),
  ...table(q, ['MaxPool', 'AveragePool', 'LpPool'], (context) => {
    const type = { dtype: need(context, 0).dtype, shape: poolShape(context, need(context, 0).shape) };
    return [type, { dtype: 'int64', shape: type.shape }];
  }),
  ...table(microsoft, ['QLinearAveragePool'], (context) => [
    { dtype: need(context, 0).dtype, shape: poolShape(context, need(context, 0).shape) },
  ]),
  ...table(q, ['GlobalAveragePool', 'GlobalMaxPool'], globalPool),
  ...table(microsoft, ['QLinearGlobalAveragePool'], globalPool),
  ...table(
    q,
    [
      'ReduceMean',
      'ReduceSum',
      'ReduceMax',
      'ReduceMin',
      'ReduceProd',
      'ReduceL1',
      'ReduceL2',
      'ReduceSumSquare',
    ],
    reduction,
  ),
  ...table(q, ['ReduceLogSum', 'ReduceLogSumExp'], reduction),
  ...table(q, ['ArgMax', 'ArgMin'], argument),
  ...table(q, ['TopK'], topK),
  ...table(q, ['Shape'], shapeOfShape),
  ...table(q, ['Size'], () => [{ dtype: 'int64', shape: [] }]),
  ...table(q, ['Constant'], (context) => [constantValue(context.node)]),
  ...table(q, ['ConstantOfShape'], constantOfShape),
  ...table(q, ['Range'], range),
  ...table(q, ['EyeLike'], (context) => {
    const code = intAttribute(context.node, 'dtype', 0);
    return [
      {
        dtype: code === 0 ? need(context, 0).dtype : dtypeOf(code, whereOf(context.node)),
        shape: need(context, 0).shape,
      },
    ];
  }),
  ...table(q, ['OneHot'], oneHot),
  ...table(q, ['Cast', 'BitCast'], cast),
  ...table(q, ['CastLike'], (context) => [{ dtype: need(context, 1).dtype, shape: need(context, 0).shape }]),
  ...table(q, ['Gather'], gatherComputed),
  ...table(q, ['Trilu'], same),
  ...table(q, ['GatherND'], gatherTuples),
  ...table(q, ['GatherElements'], (context) => [
    { dtype: need(context, 0).dtype, shape: need(context, 1).shape },
  ]),
  ...table(q, ['Resize', 'Upsample'], (context) => [
    { dtype: need(context, 0).dtype, shape: resizeShape(context).shape },
  ]),
  ...table('verinfer', ['OrderedFloat'], (context) => [{ dtype: 'int32', shape: need(context, 0).shape }]),
  ...table('verinfer', ['TreeEnsemble'], (context) => [
    { dtype: 'int32', shape: [need(context, 0).shape[0]!, intAttribute(context.node, 'targets', 1)] },
  ]),
  ...table('verinfer', ['Rescale'], (context) => {
    const shapes = context.node.inputs.map((_, i) => need(context, i).shape);
    const shape =
      broadcastShapes(...shapes) ?? refuseNode(context.node, 'input shapes', 'broadcastable', 'others');
    return [{ dtype: dtypeOf(intAttribute(context.node, 'to', 0), whereOf(context.node)), shape }];
  }),
  ...table('onnx.brevitas', ['Quant'], same),
  ...table('qonnx.custom_op.general', ['Quant'], same),
  ...table(microsoft, ['QGemm'], gemm(zeroPointDtype(8, 'float32'), 3)),
  ...table(microsoft, ['QLinearAdd', 'QLinearMul'], (context) => {
    const shape = broadcastShapes(need(context, 0).shape, need(context, 3).shape);
    return [
      {
        dtype: need(context, 0).dtype,
        shape: shape ?? refuseNode(context.node, 'input shapes', 'broadcastable', 'others'),
      },
    ];
  }),
  ...table(microsoft, ['QLinearConcat'], (context) => {
    const shapes = context.node.inputs.flatMap((_, i) =>
      i >= 2 && (i - 2) % 3 === 0 ? [need(context, i).shape] : [],
    );
    const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), shapes[0]!.length);
    return [
      {
        dtype: need(context, 2).dtype,
        shape: shapes[0]!.map((dim, i) => (i === axis ? shapes.reduce((sum, s) => sum + s[axis]!, 0) : dim)),
      },
    ];
  }),
  ...table(microsoft, ['QLinearSigmoid', 'QLinearLeakyRelu', 'QLinearSoftmax', 'Gelu'], same),
  ...table(ml, ['TreeEnsembleClassifier', 'LinearClassifier', 'SVMClassifier'], classifier),
  ...table(
    ml,
    ['TreeEnsembleRegressor', 'TreeEnsemble'],
    regressor((context) => intAttribute(context.node, 'n_targets', 1)),
  ),
  ...table(
    ml,
    ['LinearRegressor'],
    regressor((context) => intAttribute(context.node, 'targets', 1)),
  ),
  ...table(
    ml,
    ['SVMRegressor'],
    regressor(() => 1),
  ),
  ...table(ml, ['Scaler', 'Normalizer', 'Binarizer'], (context) => [
    { dtype: 'float32', shape: need(context, 0).shape },
  ]),
  ...table(ml, ['Imputer'], same),
  ...table(ml, ['OneHotEncoder'], (context) => {
    const count =
      intsAttribute(context.node, 'cats_int64s')?.length ??
      refuseNode(context.node, 'categories', 'cats_int64s', 'cats_strings');
    return [{ dtype: 'float32', shape: [...need(context, 0).shape, count] }];
  }),
  ...table(ml, ['LabelEncoder'], (context) => {
    if (!hasAttribute(context.node, 'values_int64s'))
      refuseNode(context.node, 'values', 'values_int64s', [...context.node.attributes.keys()].join(', '));
    return [{ dtype: 'int64', shape: need(context, 0).shape }];
  }),
  ...table(ml, ['ArrayFeatureExtractor'], (context) => {
    const { dtype, shape } = need(context, 0);
    return [
      {
        dtype,
        shape: [...(shape.length === 1 ? [1] : shape.slice(0, -1)), need(context, 1).shape.at(-1) ?? 1],
      },
    ];
  }),
  ...table(ml, ['FeatureVectorizer'], (context) => {
    const widths =
      intsAttribute(context.node, 'inputdimensions') ??
      context.node.inputs.map((_, i) => need(context, i).shape.at(-1)!);
    return [{ dtype: 'float32', shape: [rows(need(context, 0).shape), widths.reduce((a, b) => a + b, 0)] }];
  }),
]);
