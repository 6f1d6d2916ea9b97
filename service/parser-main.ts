/** The parser process: one ONNX file on standard input, one answer on standard output, and the end. */
import { readFileSync, writeSync } from 'node:fs';
import { ModelRefused } from '../circuits/errors.js';
import { importModel } from '../circuits/import/import.js';
import type { ParseRequest, ParserAnswer } from './parser.js';

const request = JSON.parse(process.argv[2] ?? '{}') as ParseRequest;
write(answer());

function answer(): Uint8Array[] {
  try {
    const { executedModel, executedGraph, notes } = importModel(readFileSync(0), request);
    const { inputs, outputs, nodes } = executedGraph;
    return [
      header({
        status: 'parsed',
        modelBytes: executedModel.length,
        notes,
        inputs,
        outputs,
        nodeCount: nodes.length,
      }),
      executedModel,
    ];
  } catch (error) {
    if (!(error instanceof ModelRefused)) throw error;
    const { where, what, expected, got } = error;
    return [header({ status: 'refused', refusal: { where, what, expected, got } })];
  }
}

function header(value: ParserAnswer): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function write(parts: readonly Uint8Array[]): void {
  for (const part of parts) for (let at = 0; at < part.length;) at += writeSync(1, part, at);
}
