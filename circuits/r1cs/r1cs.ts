/**
 * The rank-1 constraint system as a value: rows ⟨A,w⟩·⟨B,w⟩ = ⟨C,w⟩ over the BN254 scalar field.
 *
 * Wire 0 is the constant 1, wires 1…publicCount are the public signals in order, the rest are private.
 * Coefficients are interned: a matrix entry holds an index into `coefficients`, because a network has
 * millions of entries and only a few hundred distinct values (8 bytes an entry instead of 36).
 */
export interface SparseMatrix {
  /** Row i owns the entries rowStarts[i] … rowStarts[i + 1] − 1. Length constraintCount + 1. */
  readonly rowStarts: Uint32Array;
  /** Wire of each entry; within a row strictly ascending, so a wire appears once. */
  readonly wires: Uint32Array;
  /** Index into R1cs.coefficients of each entry. */
  readonly coefficientIds: Uint32Array;
}

export interface R1cs {
  readonly wireCount: number;
  readonly publicCount: number;
  readonly constraintCount: number;
  readonly a: SparseMatrix;
  readonly b: SparseMatrix;
  readonly c: SparseMatrix;
  /** Distinct coefficients, canonical in [0, r), never 0. */
  readonly coefficients: readonly bigint[];
}

/**
 * A full assignment in compact form. Nearly every wire of a quantized network is a small integer; only
 * packed signals and Poseidon's wires need a field element.
 */
export interface CompactWitness {
  /** Signed value of each wire (negative v stands for r + v); ignored where `largeWires` names the wire. */
  readonly small: Int32Array;
  /** Wires whose value does not fit in an int32, ascending. */
  readonly largeWires: Uint32Array;
  /** 32 bytes little-endian each, canonical in [0, r), in the order of largeWires. */
  readonly largeValues: Uint8Array;
}
