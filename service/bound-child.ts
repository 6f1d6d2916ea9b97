/**
 * A foreign program (postgres, anvil) that ends with its parent, even when the parent is killed with -9. A small shell
 * stands between: it holds a pipe from us as its standard input, and when that pipe closes it stops the program.
 * (PR_SET_PDEATHSIG would do the same, but has no name in Node.)
 */
import { spawn } from 'node:child_process';

export interface BoundChild {
  /** Of the shell, which is the leader of the program's process group. */
  readonly pid: number;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface BoundOptions {
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The signal on which the program shuts down in order. */
  readonly stopSignal: 'INT' | 'TERM';
  readonly onOutput: (text: string) => void;
}

// $1 is the signal. `cat` returns when our end of the pipe closes; then the program is told to stop. If the program
// ends first, the shell ends with its status, and cat with it (its output is the shell's, already closed).
const script = `
signal=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(cat <&3 >/dev/null 2>&1; kill -s "$signal" $child) &
watch=$!
exec 3<&-
trap '' INT TERM
while :; do wait $child; status=$?; kill -0 $child 2>/dev/null || break; done
kill $watch 2>/dev/null
exit $status
`;

export function spawnBound(command: string, args: readonly string[], options: BoundOptions): BoundChild {
  const { uid, gid } = options;
  const child = spawn('/bin/sh', ['-c', script, 'sh', options.stopSignal, command, ...args], {
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    cwd: options.cwd ?? '/',
    env: options.env ?? { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own group: a Ctrl-C at the terminal reaches us only, and we stop it in order.
    detached: true,
  });
  child.stdout.on('data', (chunk: Buffer) => options.onOutput(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => options.onOutput(chunk.toString()));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((done) => {
    child.once('exit', () => {
      child.stdin.end();
      done();
    });
    child.once('error', (error) => {
      options.onOutput(`${error.message}\n`);
      done();
    });
  });
  const stop = async (): Promise<void> => {
    child.stdin.end();
    const timer = setTimeout(() => {
      if (child.pid && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    }, 15_000);
    await ended;
    clearTimeout(timer);
  };
  return { pid: child.pid ?? 0, ended, stop };
}
