/** ONNX bytes → the executed graph: what is proven, and the ONNX bytes that ONNX Runtime runs beside it as the oracle. */
import { encodeGraph } from '../onnx/encode.js';
import type { Graph } from '../onnx/graph.js';
import { ModelRefused } from '../errors.js';
import { inferTypes } from '../onnx/infer.js';
import { loadGraph, type LoadOptions } from '../onnx/load.js';
import { defaultCostLimits, estimateCost, type CostEstimate, type CostLimits } from './estimate.js';
import { withoutDoubles } from './doubles.js';
import { lower } from './lowering.js';

export interface ImportedModel {
  /** Integer operators between a leading QuantizeLinear and a trailing DequantizeLinear: the compiler's input. */
  readonly graph: Graph;
  /** The executed graph as an ONNX file: QOperator form, to be run without graph optimisation. */
  readonly executedModel: Uint8Array;
  readonly executedGraph: Graph;
  /** Upper bounds, from shapes alone. */
  readonly estimate: CostEstimate;
  /** What was rewritten in a way that a user should know. */
  readonly notes: readonly string[];
}

export interface ImportOptions extends LoadOptions {
  readonly costLimits?: CostLimits;
}

/** Throws ModelRefused naming node, attribute, expected and got. */
export function importModel(bytes: Uint8Array, options: ImportOptions = {}): ImportedModel {
  const { metadata, ...loaded } = loadGraph(bytes, options);
  const { integer: bare, executed, notes } = lower(withoutDoubles(loaded));
  const integer = metadata ? { ...bare, metadata } : bare;
  const estimate = estimateCost(integer, options.costLimits ?? defaultCostLimits);
  return { estimate, graph: integer, executedModel: encodeGraph(executed), executedGraph: executed, notes };
}

/** Double precision is read for what only compares (circuits/quantize/decision-graph.ts); nothing else computes in it. */
export function refuseDoubles(graph: Graph): void {
  for (const [name, { dtype }] of [...graph.constants, ...inferTypes(graph)])
    if (dtype === 'float64')
      throw new ModelRefused({ where: `value "${name}"`, what: 'dtype', expected: 'float32', got: dtype });
}
