/**
 * What a classifier's answer is dressed in: the names of its classes. A proof speaks of numbers, so ZipMap and string
 * labels are taken off when a file is loaded; the manifest names what was taken off, outside the proof. It travels in the
 * metadata of a graph, so that a quantized model keeps it.
 */
import { ModelRefused } from './errors.js';

/** `ZipMap`: class names of the columns of `tensor`. `LabelEncoder`: the text that each integer in `tensor` stands for. */
export interface AnswerStep {
  readonly operator: 'ZipMap' | 'LabelEncoder';
  /** An output of the graph. */
  readonly tensor: string;
  /** Name of the uploaded file's own output. */
  readonly output: string;
  readonly labels: readonly string[] | readonly number[];
}

export const ANSWERS_KEY = 'verinfer.answers';

/** The steps of a graph's metadata. Throws ModelRefused for what cannot be read or names no output. */
export function answersOf(
  metadata: ReadonlyMap<string, string> | undefined,
  outputs: readonly string[],
): readonly AnswerStep[] {
  const text = metadata?.get(ANSWERS_KEY);
  if (text === undefined) return [];
  let steps: unknown;
  try {
    steps = JSON.parse(text);
  } catch {
    return refuse('text', 'JSON', text.slice(0, 40));
  }
  if (!Array.isArray(steps)) return refuse('text', 'a list', typeof steps);
  return steps.map((step) => readStep(step as Partial<AnswerStep>, outputs));
}

function readStep(step: Partial<AnswerStep>, outputs: readonly string[]): AnswerStep {
  const { operator, tensor, output, labels } = step ?? {};
  if (operator !== 'ZipMap' && operator !== 'LabelEncoder')
    return refuse('operator', 'ZipMap or LabelEncoder', operator);
  if (typeof tensor !== 'string' || !outputs.includes(tensor))
    return refuse('tensor', `one of ${outputs.join(', ')}`, tensor);
  if (typeof output !== 'string') return refuse('output', 'a name', output);
  const isList = (type: string): boolean =>
    Array.isArray(labels) && labels.every((label) => typeof label === type);
  if (!labels || (!isList('string') && !isList('number')))
    return refuse('labels', 'all strings or all numbers', labels);
  return { operator, tensor, output, labels };
}

function refuse(what: string, expected: string, got: unknown): never {
  throw new ModelRefused({ where: `metadata "${ANSWERS_KEY}"`, what, expected, got: String(got) });
}
