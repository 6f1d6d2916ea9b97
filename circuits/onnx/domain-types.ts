/** Result types of the operators of other domains: ONNX Runtime's, ai.onnx.ml, QONNX, and the compiler's own. */
import { axisOf, hasAttribute, intAttribute, intsAttribute, refuseNode, whereOf } from './node.js';
import { broadcastShapes, type NodeContext } from './shape.js';
import { dtypeOf } from './tensor.js';
import { convolutionShape, poolShape } from './window.js';
import {
  type Rule,
  need,
  same,
  gemm,
  zeroPointDtype,
  quantized,
  dequantized,
  globalPool,
  table,
} from './type-rules.js';

const microsoft = 'com.microsoft';
const ml = 'ai.onnx.ml';

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

export const domainTypes = [
  ...table(
    microsoft,
    ['FusedGemm'],
    gemm((context) => need(context, 0).dtype, 1),
  ),
  ...table(microsoft, ['FusedConv'], (context) => [
    {
      dtype: need(context, 0).dtype,
      shape: convolutionShape(context, need(context, 0).shape, need(context, 1).shape),
    },
  ]),
  ...table(microsoft, ['QuantizeLinear'], quantized),
  ...table(microsoft, ['DequantizeLinear'], dequantized),
  ...table(microsoft, ['QLinearAveragePool'], (context) => [
    { dtype: need(context, 0).dtype, shape: poolShape(context, need(context, 0).shape) },
  ]),
  ...table(microsoft, ['QLinearGlobalAveragePool'], globalPool),
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
];
