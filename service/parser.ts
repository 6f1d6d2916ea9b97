/**
 * The parser's parent side: one child process a file, with hard limits from the operating system, killed when the file
 * is done. The child (parser-main.ts) gets the open file as its standard input, may read only our own code, may write
 * nothing and start nothing, and has no network where the kernel lets us take it away. What it says is data.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ModelRefused, type Refusal } from '../circuits/errors.js';
import { COMPILE_FLAGS } from '../circuits/node-flags.js';
import { bareEnvironment, permissionFlags, withoutNetwork } from './confinement.js';

export interface ParserLimits {
  /** Wall-clock time before the child is killed. */
  readonly timeoutMs: number;
  /** CPU time, RLIMIT_CPU. */
  readonly cpuSeconds: number;
  /** Private writable memory, RLIMIT_DATA: heap and buffers. */
  readonly memoryMiB: number;
  /** Longest answer read from the child. */
  readonly answerBytes: number;
}

export const defaultParserLimits: ParserLimits = {
  timeoutMs: 60_000,
  cpuSeconds: 60,
  memoryMiB: 2048,
  answerBytes: 512 * 2 ** 20,
};

export interface ParseRequest {
  /** Shapes of inputs with symbolic dimensions, by input name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

/** What the parser says of a file it accepts. */
export interface ParsedModel {
  /** The executed graph as ONNX bytes: what ONNX Runtime runs and the compiler compiles. */
  readonly executedModel: Uint8Array;
  readonly notes: readonly string[];
  readonly inputs: readonly TensorSummary[];
  readonly outputs: readonly TensorSummary[];
  readonly nodeCount: number;
}

export interface TensorSummary {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** First line of the child's answer; the executed model's bytes follow it. */
export type ParserAnswer =
  | ({ readonly status: 'parsed'; readonly modelBytes: number } & Omit<ParsedModel, 'executedModel'>)
  | { readonly status: 'refused'; readonly refusal: Refusal };

/**
 * Reads one ONNX file in a process of its own. Throws ModelRefused for what the file says, and also when the child
 * exceeds a limit: the caller is unharmed either way.
 */
export async function parseModelFile(
  path: string,
  request: ParseRequest = {},
  limits: Partial<ParserLimits> = {},
): Promise<ParsedModel> {
  const bounds = { ...defaultParserLimits, ...limits };
  // One bare file: a link could lead anywhere, a pipe or device never ends.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) =>
      refuse('file', 'a readable file, not a link', error.code ?? 'unreadable'),
  );
  try {
    const info = await file.stat();
    if (!info.isFile()) refuse('file', 'a regular file', 'something else');
    const { answer, ending } = await runChild(file.fd, request, bounds);
    return readAnswer(answer, ending);
  } finally {
    await file.close();
  }
}

function refuse(what: string, expected: string, got: string): never {
  throw new ModelRefused({ where: 'file', what, expected, got });
}

interface Outcome {
  readonly answer: Buffer;
  /** Why the child ended without an answer of its own. */
  readonly ending: string;
}

const entry = fileURLToPath(new URL('./parser-main.js', import.meta.url));

/** How the child is started; `main` is replaced by the test that probes what such a child can do. */
export function parserCommand(
  request: ParseRequest,
  limits: ParserLimits = defaultParserLimits,
  main = entry,
): string[] {
  const node = [
    process.execPath,
    ...permissionFlags({}),
    ...COMPILE_FLAGS,
    `--max-old-space-size=${Math.floor(limits.memoryMiB * 0.75)}`,
    main,
    JSON.stringify(request),
  ];
  const script = 'ulimit -c 0; ulimit -d "$1"; ulimit -t "$2"; shift 2; exec "$@"';
  const limited = ['-c', script, 'sh', String(limits.memoryMiB * 1024), String(limits.cpuSeconds), ...node];
  return [...withoutNetwork(), '/bin/sh', ...limited];
}

function runChild(fd: number, request: ParseRequest, limits: ParserLimits): Promise<Outcome> {
  const [file, ...args] = parserCommand(request, limits);
  const child = spawn(file, args, {
    stdio: [fd, 'pipe', 'ignore'],
    env: bareEnvironment,
    cwd: '/',
    detached: true,
  });
  const chunks: Buffer[] = [];
  let length = 0;
  let ending = '';
  const kill = (why: string): void => {
    ending ||= why;
    // The child leads its own group, so that whatever stands between us and it ends too.
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    } catch {
      ending ||= 'ended';
    }
  };
  const timer = setTimeout(() => kill(`more than ${limits.timeoutMs} ms`), limits.timeoutMs);
  child.stdout!.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > limits.answerBytes) kill(`an answer of more than ${limits.answerBytes} bytes`);
    else chunks.push(chunk);
  });
  return new Promise((resolve) => {
    const finish = (why: string): void => {
      clearTimeout(timer);
      resolve({ answer: Buffer.concat(chunks), ending: ending || why });
    };
    child.once('error', (error) => finish(error.message));
    child.once('close', (code, signal) => finish(code === 0 ? '' : (signal ?? `exit code ${code}`)));
  });
}

function readAnswer(answer: Buffer, ending: string): ParsedModel {
  const end = answer.indexOf(0x0a);
  if (ending !== '' || end < 0)
    return refuse('parsing', 'within its limits of time and memory', ending || 'no answer');
  const header = JSON.parse(answer.subarray(0, end).toString()) as ParserAnswer;
  if (header.status === 'refused') throw new ModelRefused(header.refusal);
  const executedModel = new Uint8Array(answer.subarray(end + 1));
  if (executedModel.length !== header.modelBytes)
    refuse('parsing', `an executed model of ${header.modelBytes} bytes`, String(executedModel.length));
  const { notes, inputs, outputs, nodeCount } = header;
  return { executedModel, notes, inputs, outputs, nodeCount };
}
