import { InputRefused, MalformedFile, ModelRefused } from '../circuits/errors.js';

/** Every public error, once: docs/errors.md and the OpenAPI document are printed from this table. */
export const problems = {
  'invalid-json': { status: 400, title: 'The body is not acceptable JSON' },
  'invalid-request': { status: 400, title: 'A field is missing, unknown or out of range' },
  'invalid-input': { status: 422, title: 'The input does not fit the model' },
  'model-refused': { status: 422, title: 'The model cannot be served with proofs' },
  unauthorized: { status: 401, title: 'No valid API key' },
  forbidden: { status: 403, title: 'The API key lacks the scope' },
  'not-found': { status: 404, title: 'No such resource' },
  'method-not-allowed': { status: 405, title: 'Method not allowed here' },
  'idempotency-mismatch': { status: 422, title: 'This Idempotency-Key was used with another body' },
  'not-ready': { status: 503, title: 'Not ready yet' },
  'not-cancellable': { status: 409, title: 'The inference has left the state in which it can be cancelled' },
  'receipt-pending': { status: 409, title: 'The proof is not finished' },
  'setup-too-weak': { status: 422, title: "The model's setup class is below the minimum demanded" },
  'settlement-unavailable': { status: 422, title: 'This model or service cannot settle that way' },
  'body-too-large': { status: 413, title: 'The body is larger than allowed' },
  'unsupported-encoding': { status: 415, title: 'Compressed or non-JSON bodies are not accepted' },
  'quota-exhausted': { status: 429, title: 'Cost units of this period are used up' },
  'queue-full': { status: 429, title: 'Too many unproven inferences' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'model-busy': { status: 409, title: 'The model is not in a state that allows this' },
  'webhook-refused': { status: 422, title: 'The webhook address is not allowed' },
  unavailable: { status: 503, title: 'A part of the service is down; nothing was accepted' },
  internal: { status: 500, title: 'Internal error' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

/** Why an accepted inference ended as `failed`: stands in its `error.code`. */
export const failures = {
  'answer-mismatch': 'ONNX Runtime and the integer reference disagree; the answer is withdrawn',
  'proof-timeout': 'The proof passed its deadline and its process was killed',
  'prover-crashed': 'The prover process died on this job three times',
  'prover-refused': 'The prover rejected the witness or the model artifacts',
  'input-expired': 'The private input was erased before the proof was made',
  cancelled: 'Cancelled by its owner',
  'settlement-failed': 'The chain refused the settlement',
} as const;

export type FailureCode = keyof typeof failures;

export interface FieldIssue {
  readonly field: string;
  readonly expected: string;
  readonly got?: string;
}

/** A refusal on its way to the client as an RFC 9457 document. `detail` is public: no paths, no inputs of others. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly issues: readonly FieldIssue[] = [],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(`${code}: ${detail}`);
  }
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly instance: string;
  readonly issues?: readonly FieldIssue[];
}

export function problemDocument(problem: Problem, requestId: string): ProblemDocument {
  const { status, title } = problems[problem.code];
  return {
    type: `urn:verinfer:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problem.detail,
    instance: `urn:verinfer:request:${requestId}`,
    ...(problem.issues.length > 0 ? { issues: problem.issues } : {}),
  };
}

/** Anything thrown below the routes becomes a Problem here; unknown errors keep their text to themselves. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InputRefused)
    return new Problem('invalid-input', error.message, [
      { field: error.where, expected: `${error.what} ${error.expected}`, got: error.got },
    ]);
  if (error instanceof ModelRefused || error instanceof MalformedFile)
    return new Problem('model-refused', error.message, [
      { field: error.where, expected: `${error.what} ${error.expected}`, got: error.got },
    ]);
  if (isDatabaseDown(error))
    return new Problem('unavailable', 'the database cannot be reached', [], { 'Retry-After': '2' });
  return new Problem('internal', 'something failed inside; the log has it under this instance');
}

function isDatabaseDown(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string')
    return /Connection terminated|timeout exceeded when trying to connect/.test(String(error));
  // 57P0x: shutting down or starting; 08xxx: connection lost; 53xxx: out of disk, memory or connections;
  // 25006: read-only; 58xxx: I/O error; XX001, XX002: a page that does not match its checksum.
  return /^(57P0|08|53|25006|58|XX00[12]|ECONNREFUSED|ECONNRESET|EPIPE)/.test(code);
}
