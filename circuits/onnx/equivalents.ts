/**
 * Operators that are other operators in disguise, rewritten as those once every type is known: CastLike and BitCast as
 * Cast, CumProd as products, QONNX's Quant as QuantizeLinear, Clip and DequantizeLinear, and the feature operators of
 * ai.onnx.ml as casts, moves and comparisons.
 */
import type { Graph, GraphNode } from './graph.js';
import { bitCast, castLike, cumulativeProduct } from './core-equivalents.js';
import { EquivalentWriter, type Rewriting } from './equivalent-writer.js';
import * as features from './feature-equivalents.js';
import { contextOf, inferGraph, inferTypes } from './infer.js';
import { quant } from './qonnx-quant.js';

const FEATURES = 'ai.onnx.ml';
/** Opset of the core operators that are written where a file imports none. */
const CORE_OPSET = 18;

/** The same graph without the operators above. */
export function withoutDisguises(graph: Graph): Graph {
  if (!graph.nodes.some((node) => rewritingOf(node))) return graph;
  const writer = new EquivalentWriter(graph, inferTypes(graph));
  for (const node of graph.nodes) {
    const rewriting = rewritingOf(node);
    if (rewriting) rewriting(writer, contextOf(node, graph, writer.types));
    else writer.keep(node);
  }
  const opsets = new Map(graph.opsets);
  if (!opsets.has('')) opsets.set('', CORE_OPSET);
  return inferGraph({ ...graph, opsets, constants: writer.constants, nodes: writer.nodes });
}

function rewritingOf(node: GraphNode): Rewriting | undefined {
  const rewriting = rewritings[`${node.domain}:${node.type}`];
  return (
    rewriting &&
    ((writer, context) => {
      writer.begin(node);
      rewriting(writer, context);
    })
  );
}

const rewritings: Readonly<Record<string, Rewriting>> = {
  ':CastLike': castLike,
  ':BitCast': bitCast,
  ':CumProd': cumulativeProduct,
  'onnx.brevitas:Quant': quant,
  'qonnx.custom_op.general:Quant': quant,
  [`${FEATURES}:Scaler`]: features.scaler,
  [`${FEATURES}:FeatureVectorizer`]: features.featureVectorizer,
  [`${FEATURES}:ArrayFeatureExtractor`]: features.arrayFeatureExtractor,
  [`${FEATURES}:OneHotEncoder`]: features.oneHotEncoder,
  [`${FEATURES}:Binarizer`]: features.binarizer,
  [`${FEATURES}:Imputer`]: features.imputer,
  [`${FEATURES}:LabelEncoder`]: features.labelEncoder,
};
