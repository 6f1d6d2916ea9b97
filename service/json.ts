/**
 * JSON from strangers. One pass over the text before JSON.parse sees it, because a parser builds first and asks later:
 * depth 10^6 takes seconds, 10^6 digits half a second, 2^53 + 1 is silently another number, and of two equal keys
 * the last one wins.
 */
import { Problem } from './errors.js';

export interface JsonLimits {
  readonly maxDepth: number;
  /** Characters of one number; larger integers travel as strings. */
  readonly maxNumberLength: number;
  readonly maxKeys: number;
}

export const jsonLimits: JsonLimits = { maxDepth: 32, maxNumberLength: 78, maxKeys: 10_000 };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Parses, or throws Problem 'invalid-json' naming the offset. Numbers are finite and integers are exact. */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = jsonLimits): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw refuse(0, 'UTF-8', 'other bytes');
  }
  scan(text, limits);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw refuse(0, 'JSON', 'a syntax error');
  }
}

function refuse(offset: number, expected: string, got: string): Problem {
  return new Problem('invalid-json', `body at ${offset}: must be ${expected}, got ${got}`, [
    { field: `body@${offset}`, expected, got },
  ]);
}

const quote = 0x22,
  backslash = 0x5c,
  openObject = 0x7b,
  closeObject = 0x7d,
  openArray = 0x5b,
  closeArray = 0x5d,
  colon = 0x3a;

function scan(text: string, limits: JsonLimits): void {
  // One entry per open bracket: the keys seen so far in an object, null in an array.
  const open: (Set<string> | null)[] = [];
  let keyCount = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === quote) {
      const end = stringEnd(text, i);
      if (isKey(text, end)) {
        const keys = open.at(-1);
        if (++keyCount > limits.maxKeys) throw refuse(i, `at most ${limits.maxKeys} keys`, 'more');
        if (keys) addKey(keys, text, i, end);
      } else checkSurrogates(text, i, end);
      i = end;
    } else if (c === openObject || c === openArray) {
      if (open.length >= limits.maxDepth) throw refuse(i, `at most ${limits.maxDepth} levels deep`, 'deeper');
      open.push(c === openObject ? new Set() : null);
    } else if (c === closeObject || c === closeArray) open.pop();
    else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) i = numberEnd(text, i, limits.maxNumberLength) - 1;
  }
}

/** Index of the closing quote. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === backslash) i++;
    else if (c === quote) return i;
  }
  throw refuse(start, 'a closed string', 'the end of the body');
}

function isKey(text: string, end: number): boolean {
  for (let i = end + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x09 && c !== 0x0a && c !== 0x0d) return c === colon;
  }
  return false;
}

function addKey(keys: Set<string>, text: string, start: number, end: number): void {
  const key = decodeString(text, start, end);
  if (key === '__proto__' || key === 'constructor' || key === 'prototype')
    throw refuse(start, 'an ordinary key', key);
  if (keys.has(key)) throw refuse(start, 'distinct keys', 'a key twice');
  keys.add(key);
}

function checkSurrogates(text: string, start: number, end: number): void {
  // Long plain strings (base64) hold neither an escape nor a surrogate: do not copy them.
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === backslash || c >= 0xd800) {
      decodeString(text, start, end);
      return;
    }
  }
}

function decodeString(text: string, start: number, end: number): string {
  let value: string;
  try {
    value = JSON.parse(text.slice(start, end + 1)) as string;
  } catch {
    throw refuse(start, 'a JSON string', 'a syntax error');
  }
  if (/\p{Surrogate}/u.test(value)) throw refuse(start, 'well-formed Unicode', 'a lone surrogate');
  return value;
}

/** Index one past the number. */
function numberEnd(text: string, start: number, maxLength: number): number {
  let i = start;
  let isInteger = true;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x2e || c === 0x65 || c === 0x45) isInteger = false;
    else if (c !== 0x2d && c !== 0x2b && (c < 0x30 || c > 0x39)) break;
    if (i - start >= maxLength)
      throw refuse(start, `a number of at most ${maxLength} characters`, 'a longer one');
  }
  if (i - start < 16 && isInteger) return i;
  const value = Number(text.slice(start, i));
  if (!Number.isFinite(value))
    throw refuse(start, 'a finite number', text.slice(start, Math.min(i, start + 24)));
  if (isInteger && !Number.isSafeInteger(value))
    throw refuse(start, 'an integer within 2^53, or a string', text.slice(start, Math.min(i, start + 24)));
  return i;
}
