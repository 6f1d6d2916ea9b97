import pc from 'picocolors';
import type { AuditReport } from './audit.js';

const marks = { pass: pc.green('pass'), fail: pc.red('FAIL'), unknown: pc.yellow('not checkable') };

/** For people: each claim, how it was checked, the result and, unless it passed, why. */
export function auditTable({
  checks,
  trust,
  exitCode,
  unfounded,
  wallMs,
  modelId,
  sources,
}: AuditReport): string {
  const width = Math.max(...checks.map(({ claim }) => claim.length));
  const hows = Math.max(...checks.map(({ how }) => how.length));
  const lines = checks.map(({ claim, how, status, detail }) => {
    const why = detail === '' ? '' : `  ${detail}`;
    return `  ${claim.padEnd(width)}  ${how.padEnd(hows)}  ${marks[status]}${why}`;
  });
  const count = (status: string) => checks.filter((check) => check.status === status).length;
  const summary = `${count('pass')} passed, ${count('fail')} failed, ${count('unknown')} not checkable, ${(wallMs / 1000).toFixed(1)} s`;
  const color = { 0: pc.green, 1: pc.red, 3: pc.yellow }[exitCode];
  return [
    `model ${modelId ?? 'unknown'}`,
    ...(sources.length > 0 ? [`evidence from ${sources.join(', ')}`] : []),
    '',
    ...lines,
    '',
    color(summary),
    ...unfounded.map(({ claim, detail }) => color(`INCOMPLETE: not checked that ${claim} (${detail})`)),
    '',
    ...trust.filter(({ applies }) => applies).map(({ sentence }) => `  ${sentence}`),
  ].join('\n');
}
