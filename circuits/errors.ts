/** What was refused, where, and why: every public error of this folder says expected and got. */
export interface Refusal {
  /** `node "conv1" (Conv)`, `input "x"`, `tensor "w"`, `file`. */
  readonly where: string;
  /** The attribute, field or property: `dilations`, `dtype`, `size`. */
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

abstract class RefusalError extends Error implements Refusal {
  readonly where: string;
  readonly what: string;
  readonly expected: string;
  readonly got: string;
  constructor({ where, what, expected, got }: Refusal) {
    super(`${where}: ${what} must be ${expected}, got ${got}`);
    this.name = new.target.name;
    this.where = where;
    this.what = what;
    this.expected = expected;
    this.got = got;
  }
}

/** The model cannot be served with proofs. Thrown at load, never deep in a gadget. */
export class ModelRefused extends RefusalError {}

/** The caller's input does not fit the model: shape, dtype, range, NaN. */
export class InputRefused extends RefusalError {}

/** A file (`.r1cs`, `.wtns`, …) is not what its format says. */
export class MalformedFile extends RefusalError {}
