declare module 'circomlibjs' {
  interface Poseidon {
    (inputs: readonly (bigint | number)[]): Uint8Array;
    (inputs: readonly (bigint | number)[], initial: bigint | number, outputs: number): Uint8Array[];
    readonly F: { toObject(element: Uint8Array): bigint };
  }
  export function buildPoseidonReference(): Promise<Poseidon>;
}
