/** What a client refuses to do, or to believe. */
import type { Verdict } from '../verifier/verify-receipt.js';

/** A name is the service's to give: pin the id you mean. */
export class MissingPin extends Error {
  constructor(readonly model: string) {
    super(
      `model "${model}": must be a model id or a name in pins, got a bare name; the service could mean any model by it`,
    );
    this.name = 'MissingPin';
  }
}

/** A settlement is for a chain and a contract: which, is not the service's to say. */
export class MissingChain extends Error {
  constructor() {
    super(
      'settlement: must be checked against a chain id and a contract of your own, got neither; give the client `chain: { chainId, settlement }`',
    );
    this.name = 'MissingChain';
  }
}

/** The answer was given, but its proof failed, or its receipt is not what was asked for. Do not use the answer. */
export class UnprovenAnswer extends Error {
  constructor(
    readonly id: string,
    readonly reason: string,
    readonly verdict?: Verdict,
  ) {
    super(`inference ${id}: must come with a valid proof, got: ${reason}`);
    this.name = 'UnprovenAnswer';
  }
}
