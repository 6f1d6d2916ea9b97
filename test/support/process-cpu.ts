/** CPU time by process, from /proc: what load costs, whatever else the machine does meanwhile. */
import { readdir, readFile } from 'node:fs/promises';

interface Process {
  readonly parent: number;
  readonly cpuMs: number;
  readonly command: string;
}

/** USER_HZ of Linux, as every interface of /proc to programs has it. */
const msPerTick = 10;

/** By the command line; the order decides. */
const parts: readonly (readonly [name: string, command: RegExp])[] = [
  ['API', /service\/main\.js/],
  ['prover host', /service\/prover-main\.js|cli\.js prover/],
  ['prover', /proving\/process\.js/],
  ['settler', /service\/settler-main\.js/],
  ['PostgreSQL', /postgres/],
  ['chain', /anvil/],
  ['client', /load-client\.js/],
];

/** CPU milliseconds of our descendants, by part of the service. */
export async function cpuByPart(): Promise<Map<string, number>> {
  const all = new Map<number, Process>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    // Fields after the name in brackets: state, parent, …; 12th and 13th: user and system time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields.length > 12)
      all.set(Number(name), {
        parent: Number(fields[1]),
        cpuMs: msPerTick * (Number(fields[11]) + Number(fields[12])),
        command: command.replaceAll('\0', ' '),
      });
  }
  const isOurs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = all.get(at)?.parent)
      if (at === process.pid) return true;
    return false;
  };
  const sums = new Map<string, number>();
  for (const [pid, { cpuMs, command }] of all) {
    const part = parts.find(([, pattern]) => pattern.test(command))?.[0];
    if (part && pid !== process.pid && isOurs(pid)) sums.set(part, (sums.get(part) ?? 0) + cpuMs);
  }
  return sums;
}
