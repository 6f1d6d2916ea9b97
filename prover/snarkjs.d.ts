/** The part of snarkjs 0.7.6 that we call. A file is a path, bytes, or a memory file that snarkjs fills in. */
declare module 'snarkjs' {
  export type FileRef = string | Uint8Array | { type: 'mem'; data?: Uint8Array };
  export interface Logger {
    debug(message: string): void;
    info(message: string): void;
    warn(message: string): void;
    error(message: string): void;
  }
  export interface ProofJson {
    pi_a: string[];
    pi_b: string[][];
    pi_c: string[];
    protocol: string;
    curve: string;
  }
  export const groth16: {
    prove(
      zkey: FileRef,
      witness: FileRef,
      logger?: Logger,
      options?: { singleThread?: boolean },
    ): Promise<{ proof: ProofJson; publicSignals: string[] }>;
    verify(
      verifyingKey: object,
      publicSignals: readonly string[],
      proof: object,
      logger?: Logger,
    ): Promise<boolean>;
  };
  export const wtns: {
    check(r1cs: FileRef, witness: FileRef, logger?: Logger): Promise<boolean>;
  };
  export const zKey: {
    newZKey(r1cs: FileRef, ptau: FileRef, zkey: FileRef, logger?: Logger): Promise<Uint8Array>;
    contribute(
      from: FileRef,
      to: FileRef,
      name: string,
      entropy: string,
      logger?: Logger,
    ): Promise<Uint8Array>;
    beacon(
      from: FileRef,
      to: FileRef,
      name: string,
      beaconHash: string,
      iterationsExponent: number,
      logger?: Logger,
    ): Promise<Uint8Array>;
    verifyFromR1cs(r1cs: FileRef, ptau: FileRef, zkey: FileRef, logger?: Logger): Promise<boolean>;
    verifyFromInit(initial: FileRef, ptau: FileRef, zkey: FileRef, logger?: Logger): Promise<boolean>;
    exportVerificationKey(zkey: FileRef, logger?: Logger): Promise<Record<string, unknown>>;
  };
  export const powersOfTau: {
    newAccumulator(curve: unknown, power: number, ptau: FileRef, logger?: Logger): Promise<Uint8Array>;
    contribute(
      from: FileRef,
      to: FileRef,
      name: string,
      entropy: string,
      logger?: Logger,
    ): Promise<Uint8Array>;
    beacon(
      from: FileRef,
      to: FileRef,
      name: string,
      beaconHash: string,
      iterationsExponent: number,
      logger?: Logger,
    ): Promise<Uint8Array>;
    preparePhase2(from: FileRef, to: FileRef, logger?: Logger): Promise<void>;
    verify(ptau: FileRef, logger?: Logger): Promise<boolean>;
  };
  export const curves: {
    getCurveFromName(
      name: string,
      options?: { singleThread?: boolean },
    ): Promise<{ terminate(): Promise<void> }>;
  };
}
