/** Result types of the operators of the core domain. */
import { constantValue } from './fold.js';
import { intAttribute, whereOf } from './node.js';
import { resizeShape } from './resize.js';
import { dtypeOf } from './tensor.js';
import { convolutionShape, poolShape, transposedConvolutionShape } from './window.js';
import {
  need,
  same,
  broadcastAs,
  binary,
  comparison,
  matmulShape,
  matmul,
  gemm,
  quantized,
  dequantized,
  globalPool,
  reduction,
  argument,
  topK,
  shapeOfShape,
  constantOfShape,
  range,
  gatherComputed,
  gatherTuples,
  oneHot,
  cast,
  table,
} from './type-rules.js';

const q = '';

export const coreTypes = [
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
  ...table(q, ['DynamicQuantizeLinear'], (context) => [
    { dtype: 'uint8', shape: need(context, 0).shape },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ]),
  ...table(q, ['MaxPool', 'AveragePool', 'LpPool'], (context) => {
    const type = { dtype: need(context, 0).dtype, shape: poolShape(context, need(context, 0).shape) };
    return [type, { dtype: 'int64', shape: type.shape }];
  }),
  ...table(q, ['GlobalAveragePool', 'GlobalMaxPool'], globalPool),
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
];
