/** A mutant: one small change to one source file that some test must notice. */
import { createHash } from 'node:crypto';

export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** The line as it was, without the spaces around it. */
  readonly code: string;
  /** What was changed into what. */
  readonly change: string;
  /** The whole file with the change. */
  readonly text: string;
}

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

export function mutantOf(file: string, source: string, { start, end, replacement }: Edit): Mutant {
  const flat = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 60);
  const line = source.slice(0, start).split('\n').length;
  return {
    file,
    line,
    code: source.split('\n')[line - 1]!.trim(),
    change: `${flat(source.slice(start, end))} → ${replacement === '' ? 'nothing' : flat(replacement)}`,
    text: source.slice(0, start) + replacement + source.slice(end),
  };
}

/** What became of a mutant. The last two say nothing about the tests and are counted apart. */
export type Fate = 'killed' | 'survived' | 'timed out' | 'does not compile';

/** `count` of them, chosen by the hash of their content: the same ones until the source changes. */
export function sample(mutants: readonly Mutant[], count: number): Mutant[] {
  const key = ({ file, text }: Mutant): string =>
    createHash('sha256').update(file).update(text).digest('hex');
  return mutants
    .map((mutant) => ({ mutant, key: key(mutant) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

/**
 * Literals move by one while they count something, lose half of themselves when they measure something, and lose a word
 * when they are whole words: a byte more at the end of a copy would change nothing.
 */
export const otherNumber = (value: bigint): bigint =>
  value >= 1_000n ? value / 2n : value > 0n && value % 32n === 0n ? value - 32n : value + 1n;
