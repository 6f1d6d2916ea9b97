import { InputRefused, MalformedFile, ModelRefused } from '../circuits/errors.js';

/** Every public error, once: docs/errors.md and the OpenAPI document are printed from this table. */
export const problems = {
  'invalid-json': {
    status: 400,
    title: 'The body is not acceptable JSON',
    remedy:
      'Send one JSON object in UTF-8: no duplicate keys, at most 32 levels deep, numbers of at most 78 digits.',
  },
  'invalid-request': {
    status: 400,
    title: 'A field is missing, unknown or out of range',
    remedy: '`issues` names each field and what it must be.',
  },
  'invalid-input': {
    status: 422,
    title: 'The input does not fit the model',
    remedy: '`GET /v1/models/{id}` shows the shape and dtype of every input.',
  },
  'model-refused': {
    status: 422,
    title: 'The model cannot be served with proofs',
    remedy:
      'The detail names node, attribute, what is expected and what was found; `verinfer compile` says the same offline.',
  },
  unauthorized: {
    status: 401,
    title: 'No valid API key',
    remedy:
      'Send `Authorization: Bearer vk_…`, a key of `verinfer keys create` that is neither revoked nor expired.',
  },
  forbidden: {
    status: 403,
    title: 'The API key lacks the scope',
    remedy: 'Make a key with the scope that `detail` names: `verinfer keys create --scopes`.',
  },
  'not-found': {
    status: 404,
    title: 'No such resource',
    remedy: 'Check the id. What belongs to another tenant is not found either.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed here',
    remedy: 'The header `Allow` lists what this path takes.',
  },
  'idempotency-mismatch': {
    status: 422,
    title: 'This Idempotency-Key was used with another body',
    remedy: 'Use a new Idempotency-Key for another request; repeat the same bytes for the same one.',
  },
  'not-ready': {
    status: 503,
    title: 'Not ready yet',
    remedy: 'Wait as Retry-After says; `/readyz` names the part that is not ready.',
  },
  'not-cancellable': {
    status: 409,
    title: 'The inference has left the state in which it can be cancelled',
    remedy: 'Only `answered` and `proving` inferences can be cancelled.',
  },
  'receipt-pending': {
    status: 409,
    title: 'The proof is not finished',
    remedy: 'Follow the inference, by events, polling or webhook, and ask again when it is proven.',
  },
  'setup-too-weak': {
    status: 422,
    title: "The model's setup class is below the minimum demanded",
    remedy: 'Ask for a model with a ceremony, or lower `minimumSetupClass` knowingly.',
  },
  'settlement-unavailable': {
    status: 422,
    title: 'This model or service cannot settle that way',
    remedy: 'Ask with `settlement: none`, or use a model that is registered on the chain of this service.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is larger than allowed',
    remedy: '`VERINFER_MAX_BODY_BYTES` and `VERINFER_MAX_MODEL_BYTES` set the limits.',
  },
  'unsupported-encoding': {
    status: 415,
    title: 'Compressed or non-JSON bodies are not accepted',
    remedy: 'Send the Content-Type of the OpenAPI document, uncompressed.',
  },
  'quota-exhausted': {
    status: 429,
    title: 'Cost units of this period are used up',
    remedy: "Wait as Retry-After says, or have the key's `--units` raised.",
  },
  'queue-full': {
    status: 429,
    title: 'Too many unproven inferences',
    remedy: 'Wait as Retry-After says until proofs are done; `GET /v1/stats` shows the queue.',
  },
  'rate-limited': { status: 429, title: 'Too many requests', remedy: 'Wait as Retry-After says.' },
  'model-busy': {
    status: 409,
    title: 'The model is not in a state that allows this',
    remedy: 'A frozen model takes no inferences, ever; a model whose setup is under way will.',
  },
  'webhook-refused': {
    status: 422,
    title: 'The webhook address is not allowed',
    remedy:
      'Give an http or https address with a public host, port 80, 443, 8080 or 8443, and no credentials.',
  },
  unavailable: {
    status: 503,
    title: 'A part of the service is down; nothing was accepted',
    remedy:
      'Nothing was accepted; ask again as Retry-After says. With an Idempotency-Key that is safe in any case.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    remedy: 'Tell the operator the `instance`; their log has the cause under it.',
  },
} as const satisfies Record<string, { status: number; title: string; remedy: string }>;

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
