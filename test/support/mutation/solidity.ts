/** Mutants of a Solidity file, token by token: operators, literals, guards and effects, in Solidity and in assembly. */
import { mutantOf, otherNumber, type Edit, type Mutant } from './mutant.js';

/** Comments and strings are one token each, so that nothing inside them is taken for code. */
const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"[^"]*"|[A-Za-z_$][\w$.]*|\d[\d_]*\b|0x[0-9a-fA-F]+|[<>=!&|+\-*/%^~]+|\S/g;

const operators = new Map(
  Object.entries({
    '<': '<=',
    '<=': '<',
    '>': '>=',
    '>=': '>',
    '==': '!=',
    '!=': '==',
    '&&': '||',
    '||': '&&',
    '+': '-',
    '-': '+',
    '*': '+',
    '%': '+',
    '+=': '-=',
    '<<': '>>',
    '>>': '<<',
  }),
);

/** Functions of the assembly; `lt(` and the like mean nothing outside. */
const instructions = new Map(
  Object.entries({
    lt: 'gt',
    and: 'or',
    or: 'and',
    add: 'sub',
    addmod: 'mulmod',
    mulmod: 'addmod',
    shl: 'shr',
    shr: 'shl',
  }),
);

export function solidityMutants(file: string, source: string): Mutant[] {
  const edits: Edit[] = [];
  const tokens = [...source.matchAll(token)].map((match) => ({ text: match[0], start: match.index }));
  tokens.forEach(({ text, start }, i) => {
    const end = start + text.length;
    const replace = (replacement: string): void => void edits.push({ start, end, replacement });
    const next = tokens[i + 1]?.text;
    const isDeclared = /^(u?int|bytes)\d*$|^pragma$|^solidity$|\^/.test(tokens[i - 1]?.text ?? '');
    const operator = operators.get(text);
    if (operator !== undefined) replace(operator);
    const instruction = instructions.get(text);
    if (instruction !== undefined && next === '(') replace(instruction);
    if (/^\d[\d_]*$/.test(text) && !isDeclared)
      replace(String(otherNumber(BigInt(text.replaceAll('_', '')))));
    if (/^0x/.test(text)) replace(`0x${otherNumber(BigInt(text)).toString(16)}`);
    if (text === 'true') replace('false');
    if (text === 'false') replace('true');
    if (text === '!' && next !== '=') replace('');
  });
  // A guard that never refuses; an effect that does not happen.
  for (const guard of source.matchAll(/\bif \((.*)\) (?=revert\b|return\b|continue\b|\{\s*revert\b)/g)) {
    const start = guard.index + 4;
    edits.push({ start, end: start + guard[1]!.length, replacement: 'false' });
  }
  for (const effect of source.matchAll(
    /^ +(_\w+\([^;{}]*\);|emit [^;]*;|\w+(?:\[[^;=]*\])* \+?= [^;]*;|\w+\.\w+ = [^;]*;|registry\.\w+\([^;]*;)/gm,
  )) {
    const start = effect.index + effect[0].length - effect[1]!.length;
    edits.push({ start, end: start + effect[1]!.length, replacement: '{}' });
  }
  const first = source.indexOf('{', source.search(/^(abstract )?(contract|library) /m));
  return edits.filter(({ start }) => start > first).map((edit) => mutantOf(file, source, edit));
}
