/**
 * The closed table of operators a file may use: what is not here is refused before anything is read from it.
 * A row gives the number of inputs and outputs and every attribute with its kind, over all opsets accepted; what
 * an operator's attributes mean, and which values can be proved, is said where it is lowered or constrained.
 */
export type AttributeKind = 'int' | 'float' | 'string' | 'ints' | 'floats' | 'strings' | 'tensor';

export interface OperatorRow {
  readonly domain: string;
  readonly type: string;
  /** Inclusive counts. */
  readonly inputs: readonly [number, number];
  readonly outputs: readonly [number, number];
  readonly attributes: ReadonlyMap<string, AttributeKind>;
}

/** Opset versions whose operators the table describes, by domain. */
export const opsetRange: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['', [1, 27]],
  ['ai.onnx.ml', [1, 5]],
  ['com.microsoft', [1, 1]],
  ['onnx.brevitas', [1, 1]],
  ['qonnx.custom_op.general', [1, 2]],
]);

const MANY = 1024;

const kinds: Readonly<Record<string, AttributeKind>> = {
  i: 'int',
  f: 'float',
  s: 'string',
  is: 'ints',
  fs: 'floats',
  ss: 'strings',
  t: 'tensor',
};

const unary = (type: string, attributes = ''): string => `${type} 1 1 ${attributes}`.trim();
const pool = 'auto_pad:s ceil_mode:i dilations:is kernel_shape:is pads:is strides:is';
const conv = 'auto_pad:s dilations:is group:i kernel_shape:is pads:is strides:is';
const reduce = 'axes:is keepdims:i noop_with_empty_axes:i';
const quant = 'Quant 4 1 narrow:i rounding_mode:s signed:i';
const binary = 'axis:i broadcast:i consumed_inputs:is';
const tree =
  'aggregate_function:s base_values:fs nodes_falsenodeids:is nodes_featureids:is nodes_hitrates:fs nodes_missing_value_tracks_true:is ' +
  'nodes_modes:ss nodes_nodeids:is nodes_treeids:is nodes_truenodeids:is nodes_values:fs post_transform:s';

/** `type inputs outputs attributes…`; counts as n, m-n or n+. */
const tables: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['Abs', 'Neg', 'Relu', 'Sigmoid', 'Tanh', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Floor', 'Ceil'].map(
      (type) => unary(type, 'consumed_inputs:is'),
    ),
    ...[
      'Acos',
      'Acosh',
      'Asin',
      'Asinh',
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
    ].map((type) => unary(type)),
    ...['Softplus', 'Softsign', 'HardSwish', 'Mish', 'Not', 'BitwiseNot', 'Identity', 'IsNaN'].map((type) =>
      unary(type),
    ),
    ...['LeakyRelu', 'Elu', 'Celu', 'ThresholdedRelu'].map((type) =>
      unary(type, 'alpha:f consumed_inputs:is'),
    ),
    unary('Selu', 'alpha:f gamma:f consumed_inputs:is'),
    unary('HardSigmoid', 'alpha:f beta:f consumed_inputs:is'),
    unary('Gelu', 'approximate:s'),
    unary('Shrink', 'bias:f lambd:f'),
    unary('Swish', 'alpha:f'),
    unary('IsInf', 'detect_negative:i detect_positive:i'),
    ...['Add', 'Sub', 'Mul', 'Div', 'And', 'Or', 'Xor', 'Equal', 'Greater', 'Less', 'Pow'].map(
      (type) => `${type} 2 1 ${binary}`,
    ),
    ...['GreaterOrEqual', 'LessOrEqual', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'].map(
      (type) => `${type} 2 1`,
    ),
    'PRelu 2 1 consumed_inputs:is',
    'Mod 2 1 fmod:i',
    'BitShift 2 1 direction:s',
    ...['Max', 'Min', 'Sum', 'Mean'].map((type) => `${type} 1+ 1 consumed_inputs:is`),
    'Where 3 1',
    'Clip 1-3 1 max:f min:f consumed_inputs:is',
    'Gemm 2-3 1 alpha:f beta:f transA:i transB:i broadcast:i',
    'MatMul 2 1',
    'MatMulInteger 2-4 1',
    `Conv 2-3 1 ${conv}`,
    `ConvInteger 2-4 1 ${conv}`,
    `ConvTranspose 2-3 1 ${conv} output_padding:is output_shape:is`,
    `QLinearConv 8-9 1 ${conv}`,
    'QLinearMatMul 8 1',
    'QuantizeLinear 2-3 1 axis:i block_size:i output_dtype:i precision:i saturate:i',
    'DequantizeLinear 2-3 1 axis:i block_size:i output_dtype:i',
    'DynamicQuantizeLinear 1 3',
    `MaxPool 1 1-2 ${pool} storage_order:i`,
    `AveragePool 1 1 ${pool} count_include_pad:i`,
    'LpPool 1 1 auto_pad:s ceil_mode:i dilations:is kernel_shape:is p:i pads:is strides:is',
    'GlobalAveragePool 1 1',
    'GlobalMaxPool 1 1',
    'BatchNormalization 5 1-5 consumed_inputs:is epsilon:f is_test:i momentum:f spatial:i training_mode:i',
    'InstanceNormalization 3 1 epsilon:f consumed_inputs:is',
    'LRN 1 1 alpha:f beta:f bias:f size:i',
    'Dropout 1-3 1-2 is_test:i ratio:f seed:i consumed_inputs:is',
    'Softmax 1 1 axis:i',
    'LogSoftmax 1 1 axis:i',
    'Hardmax 1 1 axis:i',
    ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2'].map(
      (type) => `${type} 1-2 1 ${reduce}`,
    ),
    ...['ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp'].map((type) => `${type} 1-2 1 ${reduce}`),
    'ArgMax 1 1 axis:i keepdims:i select_last_index:i',
    'ArgMin 1 1 axis:i keepdims:i select_last_index:i',
    'TopK 1-2 2 axis:i k:i largest:i sorted:i',
    'CumSum 2 1 exclusive:i reverse:i',
    'CumProd 2 1 exclusive:i reverse:i',
    'Reshape 1-2 1 allowzero:i shape:is consumed_inputs:is',
    'Flatten 1 1 axis:i',
    'Transpose 1 1 perm:is',
    'Squeeze 1-2 1 axes:is',
    'Unsqueeze 1-2 1 axes:is',
    'Concat 1+ 1 axis:i',
    'Split 1-2 1+ axis:i num_outputs:i split:is',
    'Slice 1-5 1 axes:is ends:is starts:is',
    'Gather 2 1 axis:i',
    'GatherElements 2 1 axis:i',
    'GatherND 2 1 batch_dims:i',
    'Compress 2 1 axis:i',
    'ReverseSequence 2 1 batch_axis:i time_axis:i',
    'CenterCropPad 2 1 axes:is',
    'ScatterElements 3 1 axis:i reduction:s',
    'ScatterND 3 1 reduction:s',
    'Expand 2 1',
    'Tile 2 1',
    'Pad 1-4 1 mode:s pads:is paddings:is value:f',
    'Shape 1 1 end:i start:i',
    'Size 1 1',
    'Cast 1 1 saturate:i to:i round_mode:s',
    'CastLike 2 1 saturate:i round_mode:s',
    'BitCast 1 1 to:i',
    'Constant 0 1 value:t value_float:f value_floats:fs value_int:i value_ints:is',
    'ConstantOfShape 1 1 value:t',
    'Range 3 1',
    'EyeLike 1 1 dtype:i k:i',
    'OneHot 3 1 axis:i',
    'Trilu 1-2 1 upper:i',
    'DepthToSpace 1 1 blocksize:i mode:s',
    'SpaceToDepth 1 1 blocksize:i',
    'Upsample 1-2 1 height_scale:f mode:s scales:fs width_scale:f',
    'Resize 1-4 1 antialias:i axes:is coordinate_transformation_mode:s cubic_coeff_a:f exclude_outside:i extrapolation_value:f ' +
      'keep_aspect_ratio_policy:s mode:s nearest_mode:s',
    'Einsum 1+ 1 equation:s',
    'LayerNormalization 2-3 1-3 axis:i epsilon:f stash_type:i',
  ],
  'com.microsoft': [
    'QuantizeLinear 2-3 1 axis:i block_size:i',
    'DequantizeLinear 2-3 1 axis:i block_size:i',
    'QGemm 6-9 1 alpha:f transA:i transB:i',
    'QLinearAdd 7-8 1',
    'QLinearMul 7-8 1',
    'QLinearConcat 2+ 1 axis:i',
    'QLinearSigmoid 4-5 1',
    'QLinearLeakyRelu 4-5 1 alpha:f',
    'QLinearAveragePool 4-5 1 auto_pad:s ceil_mode:i channels_last:i count_include_pad:i kernel_shape:is pads:is strides:is',
    'QLinearGlobalAveragePool 4-5 1 channels_last:i',
    'QLinearSoftmax 4-5 1 axis:i opset:i',
    'QLinearReduceMean 4-5 1 axes:is keepdims:i',
    'Gelu 1 1',
    'FusedConv 2-4 1 ' + conv + ' activation:s activation_params:fs',
    'FusedGemm 2-3 1 alpha:f beta:f transA:i transB:i activation:s activation_alpha:f activation_beta:f activation_gamma:f',
  ],
  'onnx.brevitas': [quant],
  'qonnx.custom_op.general': [quant],
  'ai.onnx.ml': [
    `TreeEnsembleRegressor 1 1 ${tree} n_targets:i target_ids:is target_nodeids:is target_treeids:is target_weights:fs`,
    `TreeEnsembleClassifier 1 2 ${tree} class_ids:is class_nodeids:is class_treeids:is class_weights:fs classlabels_int64s:is classlabels_strings:ss`,
    'TreeEnsemble 1 1 aggregate_function:i leaf_targetids:is leaf_weights:t membership_values:t n_targets:i nodes_falseleafs:is ' +
      'nodes_falsenodeids:is nodes_featureids:is nodes_hitrates:t nodes_missing_value_tracks_true:is nodes_modes:t nodes_splits:t ' +
      'nodes_trueleafs:is nodes_truenodeids:is post_transform:i tree_roots:is',
    'LinearClassifier 1 2 classlabels_ints:is classlabels_strings:ss coefficients:fs intercepts:fs multi_class:i post_transform:s',
    'LinearRegressor 1 1 coefficients:fs intercepts:fs post_transform:s targets:i',
    'SVMClassifier 1 2 classlabels_ints:is classlabels_strings:ss coefficients:fs kernel_params:fs kernel_type:s post_transform:s ' +
      'prob_a:fs prob_b:fs rho:fs support_vectors:fs vectors_per_class:is',
    'SVMRegressor 1 1 coefficients:fs kernel_params:fs kernel_type:s n_supports:i one_class:i post_transform:s rho:fs support_vectors:fs',
    'Scaler 1 1 offset:fs scale:fs',
    'Normalizer 1 1 norm:s',
    'ArrayFeatureExtractor 2 1',
    'FeatureVectorizer 1+ 1 inputdimensions:is',
    'Binarizer 1 1 threshold:f',
    'OneHotEncoder 1 1 cats_int64s:is cats_strings:ss zeros:i',
    'Imputer 1 1 imputed_value_floats:fs imputed_value_int64s:is replaced_value_float:f replaced_value_int64:i',
    'LabelEncoder 1 1 classes_strings:ss default_float:f default_int64:i default_string:s default_tensor:t keys_floats:fs keys_int64s:is ' +
      'keys_strings:ss keys_tensor:t values_floats:fs values_int64s:is values_strings:ss values_tensor:t',
    'ZipMap 1 1 classlabels_int64s:is classlabels_strings:ss',
  ],
};

/** Rows by `domain:type`. */
export const operators: ReadonlyMap<string, OperatorRow> = new Map(
  Object.entries(tables).flatMap(([domain, rows]) =>
    rows.map((row) => parseRow(domain, row)).map((row) => [`${domain}:${row.type}`, row]),
  ),
);

function parseRow(domain: string, row: string): OperatorRow {
  const [type, inputs, outputs, ...attributes] = row.split(/\s+/);
  return {
    domain,
    type: type!,
    inputs: parseCount(inputs!),
    outputs: parseCount(outputs!),
    attributes: new Map(
      attributes.map((text) => {
        const [name, kind] = text.split(':');
        return [name!, kinds[kind!]!];
      }),
    ),
  };
}

function parseCount(text: string): readonly [number, number] {
  if (text.endsWith('+')) return [Number(text.slice(0, -1)), MANY];
  const [low, high] = text.split('-').map(Number);
  return [low!, high ?? low!];
}
