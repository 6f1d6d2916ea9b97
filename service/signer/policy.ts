/** What the key may be used for: a closed list. Everything else is denied before it is stored. */
export interface Policy {
  readonly chainId: number;
  /** Contract address → 4-byte selectors (0x-hex) that may be called there. */
  readonly calls: Readonly<Record<string, readonly string[]>>;
  /** The most that one transaction may carry. */
  readonly maxValueWei: bigint;
  /** The most that all transactions of an hour may carry. */
  readonly maxValuePerHourWei: bigint;
  readonly maxPerHour: number;
  /** Fees are bumped up to here and then held. */
  readonly maxFeePerGasWei: bigint;
  readonly maxGas: bigint;
}

export interface Asked {
  readonly chainId: number;
  readonly to: string;
  readonly data: string;
  readonly valueWei: bigint;
}

/** What this key did in the last hour. */
export interface Recent {
  readonly count: number;
  readonly valueWei: bigint;
}

export class PolicyDenied extends Error {
  constructor(
    readonly what: string,
    expected: string,
    got: string,
  ) {
    super(`policy: ${what} must be ${expected}, got ${got}`);
    this.name = 'PolicyDenied';
  }
}

/** Throws PolicyDenied naming the first rule that is broken. */
export function checkPolicy(policy: Policy, { chainId, to, data, valueWei }: Asked, recent: Recent): void {
  if (chainId !== policy.chainId) throw new PolicyDenied('chain id', String(policy.chainId), String(chainId));
  if (!/^0x[0-9a-fA-F]{40}$/.test(to)) throw new PolicyDenied('to', 'an address', to.slice(0, 50));
  if (!/^0x([0-9a-fA-F]{2})*$/.test(data))
    throw new PolicyDenied('data', '0x and hex bytes', data.slice(0, 50));
  const known = Object.entries(policy.calls).find(([address]) => address.toLowerCase() === to.toLowerCase());
  if (known === undefined) throw new PolicyDenied('to', 'a listed contract', to);
  const selector = data.slice(0, 10).toLowerCase();
  if (data.length < 10 || !known[1].some((listed) => listed.toLowerCase() === selector)) {
    throw new PolicyDenied('selector', `one of ${known[1].join(' ')}`, selector);
  }
  if (valueWei < 0n || valueWei > policy.maxValueWei) {
    throw new PolicyDenied('value', `at most ${policy.maxValueWei} wei`, String(valueWei));
  }
  if (recent.count >= policy.maxPerHour) {
    throw new PolicyDenied(
      'rate',
      `at most ${policy.maxPerHour} transactions an hour`,
      String(recent.count + 1),
    );
  }
  if (recent.valueWei + valueWei > policy.maxValuePerHourWei) {
    const sum = String(recent.valueWei + valueWei);
    throw new PolicyDenied('value of an hour', `at most ${policy.maxValuePerHourWei} wei`, sum);
  }
}
