/** Fenced code blocks of the documentation, as the tests see them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Block {
  readonly page: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** First word behind the fence. */
  readonly language: string;
  /** The rest of that line. */
  readonly note: string;
  readonly text: string;
}

export const pages = (): string[] => [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => join('docs', name)),
];

export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; indent: string; info: string; lines: string[] } | undefined;
  for (const [index, line] of readFileSync(page, 'utf8').split('\n').entries()) {
    const fence = /^(\s*)```(.*)$/.exec(line);
    if (!open && fence) open = { line: index + 1, indent: fence[1]!, info: fence[2]!.trim(), lines: [] };
    else if (open && fence) {
      const [language = '', ...note] = open.info.split(' ');
      blocks.push({ page, line: open.line, language, note: note.join(' '), text: open.lines.join('\n') });
      open = undefined;
    } else open?.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
  }
  if (open) throw new Error(`${page}:${open.line}: the fence must be closed`);
  return blocks;
}

export const whereIs = ({ page, line }: Block): string => `${page}:${line}`;
