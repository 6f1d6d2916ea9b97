import canonicalize from 'canonicalize';
import type { Random } from './random.js';

const canonicalText = canonicalize as unknown as (value: unknown) => string;

/**
 * A receipt's text with one thing changed: half of the mutants are bytes, most of which are no receipt any more; the
 * others stay canonical and change one value inside, so that they reach the checks behind the form.
 */
export function mutatedText(random: Random, text: string): string {
  if (random.below(2) === 0) {
    const at = random.below(text.length);
    const other = String.fromCharCode(32 + random.below(95));
    return other === text[at] ? mutatedText(random, text) : text.slice(0, at) + other + text.slice(at + 1);
  }
  const value = JSON.parse(text);
  const leaves: { parent: Record<string, unknown>; key: string }[] = [];
  const walk = (node: Record<string, unknown>) => {
    for (const key of Object.keys(node)) {
      if (typeof node[key] === 'object' && node[key] !== null) walk(node[key] as Record<string, unknown>);
      else leaves.push({ parent: node, key });
    }
  };
  walk(value);
  const { parent, key } = random.pick(leaves);
  parent[key] = mutatedLeaf(random, parent[key]);
  const changed = canonicalText(value);
  return changed === text ? mutatedText(random, text) : changed;
}

function mutatedLeaf(random: Random, leaf: unknown): unknown {
  if (typeof leaf === 'number') return leaf + (random.below(2) === 0 ? 1 : -1);
  if (typeof leaf === 'boolean') return !leaf;
  if (typeof leaf !== 'string' || leaf.length === 0) return 0;
  const at = leaf.startsWith('0x') ? 2 + random.below(leaf.length - 2) : random.below(leaf.length);
  const alphabet = leaf.startsWith('0x') ? '0123456789abcdef' : '0123456789';
  return leaf.slice(0, at) + random.pick([...alphabet]) + leaf.slice(at + 1);
}
