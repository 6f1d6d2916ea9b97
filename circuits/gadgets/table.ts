/**
 * Any function of a small integer, given as a table. The low four bits of the index get all their products, so every
 * function of them is a linear combination (its algebraic normal form over the integers); the other bits choose
 * between such combinations through a tree of products, one a node. Nodes whose branches are equal, or differ by a
 * constant, cost nothing: a saturating function is cheaper than a random one.
 */
import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { rangeBits, requireHeadroom } from './range.js';

/** Low bits whose products are all formed. 4 is the optimum for 256 entries: 11 products and at most 15 nodes. */
const LOW_BITS = 4;

/** A combination over one element's symbols: 0 the constant, 1 the index x, then its kept bits, then its products. */
type Form = ReadonlyMap<number, number>;

interface Product {
  readonly left: Form;
  readonly right: Form;
}

/** The program of one table, the same for every element of a tensor. */
interface Program {
  readonly size: number;
  readonly bits: number;
  readonly products: readonly Product[];
  /** One a table. */
  readonly results: readonly Form[];
}

export function reference(table: ArrayLike<number>, lo: number, x: number): number {
  return table[x - lo];
}

/** Constraints of one look-up. */
export function cost(table: ArrayLike<number>): number {
  const program = compileTables([Array.from(table)], 0);
  return program.bits + program.products.length;
}

/**
 * Proves   y = table[x − lo] for every element.
 * Assumes  lo ≤ x < lo + table.length, by the tensor's bounds (checked when compiled); 4·table.length < modulus.
 * Cost     bits + products constraints: at most 8 + 11 + 15 = 34 for 256 entries, 49 where entries lie 2^31 apart or more.
 *
 * The bits of x − lo are proven as in `rangeCheck`: bit 0 gets no wire, x − lo − Σ_{j ≥ 1} 2ʲ·bitⱼ must be 0 or 1. The
 * size is a power of two, so the bits are unique; every product is determined by them, and y is their combination.
 */
export function constrain(
  circuit: Builder,
  x: AffineTensor,
  lo: number,
  table: ArrayLike<number>,
): AffineTensor {
  return constrainMany(circuit, x, lo, [Array.from(table)])[0];
}

/** Several tables of one length at one index: they share the bits and the products of low bits. */
export function constrainMany(
  circuit: Builder,
  x: AffineTensor,
  lo: number,
  tables: readonly (readonly number[])[],
): AffineTensor[] {
  const count = x.constants.length;
  const [table] = tables;
  const { bits, products, results, size } = compileTables(tables, lo);
  requireHeadroom(circuit, size);
  for (let i = 0; i < count; i++) {
    if (x.lo[i] < lo || x.hi[i] >= lo + table.length) {
      throw new RangeError(
        `table of ${table.length} entries from ${lo} does not cover [${x.lo[i]}, ${x.hi[i]}]`,
      );
    }
  }
  const kept = Math.max(bits - 1, 0);
  const indexBits = circuit.exists('index bits', count * kept, (values, first) => {
    for (let i = 0; i < count; i++) {
      const index = evaluateElement(x, i, values) - lo;
      for (let j = 0; j < kept; j++) values[first + i * kept + j] = Math.floor(index / 2 ** (j + 1)) & 1;
    }
  });
  circuit.boolean('index bits', indexBits, count * kept);
  const firstProduct = 2 + kept;
  const wireOf = (i: number, symbol: number, productBlock: number): number =>
    symbol < firstProduct
      ? indexBits + i * kept + symbol - 2
      : productBlock + i * products.length + symbol - firstProduct;
  const evaluate = (form: Form, i: number, values: Int32Array, block: number): number => {
    let sum = 0;
    for (const [symbol, coefficient] of form) {
      if (symbol === 0) sum += coefficient;
      else if (symbol === 1) sum += coefficient * evaluateElement(x, i, values);
      else sum += coefficient * values[wireOf(i, symbol, block)];
    }
    return sum;
  };
  const block = circuit.exists('table', count * products.length, (values, first) => {
    for (let i = 0; i < count; i++) {
      products.forEach(({ left, right }, k) => {
        values[first + i * products.length + k] =
          evaluate(left, i, values, first) * evaluate(right, i, values, first);
      });
    }
  });

  const add = (into: LinearCombination, form: Form, i: number): void => {
    for (const [symbol, coefficient] of form) {
      if (symbol === 0) into.constant(coefficient);
      else if (symbol === 1) into.addElement(x, i, coefficient);
      else into.add(wireOf(i, symbol, block), coefficient);
    }
  };
  for (let i = 0; i < count; i++) {
    if (bits > 0) {
      add(circuit.a, lowestBit(bits, lo), i);
      circuit.enforceBoolean('index');
    }
    products.forEach(({ left, right }, k) => {
      add(circuit.a, left, i);
      add(circuit.b, right, i);
      circuit.c.add(block + i * products.length + k, 1);
      circuit.enforce('table');
    });
  }
  return results.map((result, k) => {
    const [yLo, yHi] = [Math.min(...tables[k]), Math.max(...tables[k])];
    const writer = new AffineWriter();
    const sum = new LinearCombination();
    for (let i = 0; i < count; i++) {
      sum.clear();
      add(sum, result, i);
      writer.combination(sum.normalize(), yLo, yHi);
    }
    return writer.finish(x.shape);
  });
}

/** Bit 0 of x − lo as a combination of x and the kept bits. */
function lowestBit(bits: number, lo: number): Form {
  const form = new Map([
    [0, -lo],
    [1, 1],
  ]);
  for (let j = 1; j < bits; j++) form.set(1 + j, -(2 ** j));
  return form;
}

function compileTables(tables: readonly (readonly number[])[], lo: number): Program {
  const bits = rangeBits(tables[0].length);
  const size = 2 ** bits;
  const bitForm = (j: number): Form => (j === 0 ? lowestBit(bits, lo) : new Map([[1 + j, 1]]));
  const products: Product[] = [];
  const known = new Map<string, Form>();
  const product = (left: Form, right: Form): Form => {
    const key = JSON.stringify([sortedTerms(left), sortedTerms(right)]);
    let form = known.get(key);
    if (!form) {
      known.set(key, (form = new Map([[2 + Math.max(bits - 1, 0) + products.length, 1]])));
      products.push({ left, right });
    }
    return form;
  };
  // Entries past the end are out of reach; repeating the last one keeps the tree small.
  const padded = tables.map((table) =>
    Array.from({ length: size }, (_, i) => table[Math.min(i, table.length - 1)]),
  );

  const low = Math.min(bits, LOW_BITS);
  const needed = neededMonomials(padded.flat(), low);
  const monomials: Form[] = [new Map([[0, 1]])];
  for (let subset = 1; subset < 2 ** low; subset++) {
    const top = 31 - Math.clz32(subset);
    const rest = subset ^ (1 << top);
    if (rest === 0) monomials.push(bitForm(top));
    else monomials.push(needed[subset] ? product(monomials[rest], bitForm(top)) : new Map());
  }
  const results = padded.map((entries) => {
    let branches = Array.from({ length: size >> low }, (_, k) => {
      const form = new Map<number, number>();
      normalForm(entries.slice(k << low, (k + 1) << low)).forEach((coefficient, subset) => {
        if (coefficient !== 0) addForm(form, monomials[subset], coefficient);
      });
      return form as Form;
    });
    for (let bit = low; branches.length > 1; bit++) {
      branches = Array.from({ length: branches.length / 2 }, (_, k) => {
        const [zero, one] = [branches[2 * k], branches[2 * k + 1]];
        const span = entries.slice(k * 2 ** (bit + 1), (k + 1) * 2 ** (bit + 1));
        return isWide(span)
          ? chooseApart(bitForm(bit), zero, one, product)
          : choose(bitForm(bit), zero, one, product);
      });
    }
    return branches[0];
  });
  return { size, bits, products, results };
}

/** zero + bit·(one − zero); a product only where the branches differ by more than a constant. */
function choose(bit: Form, zero: Form, one: Form, product: (left: Form, right: Form) => Form): Form {
  const difference = new Map(one);
  addForm(difference, zero, -1);
  const result = new Map(zero);
  const isConstant = [...difference.keys()].every((symbol) => symbol === 0);
  if (isConstant) addForm(result, bit, difference.get(0) ?? 0);
  else addForm(result, product(bit, difference), 1);
  return result;
}

/** Entries whose difference no int32 wire can hold. */
function isWide(entries: readonly number[]): boolean {
  return Math.max(...entries) - Math.min(...entries) >= 2 ** 31;
}

/** bit·one + (1 − bit)·zero, a product a branch: each is an entry or 0. */
function chooseApart(bit: Form, zero: Form, one: Form, product: (left: Form, right: Form) => Form): Form {
  const result = new Map(zero);
  addForm(result, choose(bit, new Map(), one, product), 1);
  addForm(result, choose(bit, new Map(), zero, product), -1);
  return result;
}

function sortedTerms(form: Form): [number, number][] {
  return [...form].sort((p, q) => p[0] - q[0]);
}

/** Which products of low bits any branch uses, and the smaller products they are built from. */
function neededMonomials(entries: readonly number[], low: number): boolean[] {
  const needed = new Array<boolean>(2 ** low).fill(false);
  for (let from = 0; from < entries.length; from += 2 ** low) {
    normalForm(entries.slice(from, from + 2 ** low)).forEach((c, subset) => (needed[subset] ||= c !== 0));
  }
  for (let subset = needed.length - 1; subset > 0; subset--) {
    if (needed[subset]) needed[subset ^ (1 << (31 - Math.clz32(subset)))] = true;
  }
  return needed;
}

/** Coefficients c_S with f(bits) = Σ_S c_S·Π_{j ∈ S} bitⱼ, by differences along each bit. */
function normalForm(values: readonly number[]): number[] {
  const c = [...values];
  for (let step = 1; step < c.length; step *= 2) {
    for (let i = 0; i < c.length; i++) if (i & step) c[i] -= c[i ^ step];
  }
  return c;
}

function addForm(into: Map<number, number>, from: Form, scale: number): void {
  for (const [symbol, coefficient] of from) {
    const sum = (into.get(symbol) ?? 0) + scale * coefficient;
    if (sum === 0) into.delete(symbol);
    else into.set(symbol, sum);
  }
}
