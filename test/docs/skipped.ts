/** Blocks that no test runs, and why. Each entry must still match a block. */
export interface Skipped {
  readonly page: string;
  /** Text of the block by which it is known. */
  readonly contains: string;
  readonly reason: string;
}

export const skipped: readonly Skipped[] = [
  {
    page: 'README.md',
    contains: 'make demo',
    reason: 'starts the whole story on ports of its own: `make readme` runs it',
  },
];
