/**
 * What a proof from this service does and does not mean: ten statements, word for word the same in every receipt,
 * at /v1/trust, in the CLI and on the dashboard. Each is a machine field with its value and a sentence.
 */
export type SetupClass = 'dev-single-party' | 'ceremony';

export interface TrustStatement {
  readonly id: string;
  /** The machine field that the sentence explains. */
  readonly field: string;
  readonly value: string;
  /** Statements 1 and 2 exclude each other; the other eight always apply. */
  readonly applies: boolean;
  readonly sentence: string;
}

export interface TrustFacts {
  readonly setupClass: SetupClass;
  /** Contributions to phase 2: keys, not people. 0 for the development class. */
  readonly contributorCount: number;
}

/** Who holds each power over the contracts, and how long it waits. The contracts have no owner. */
export const adminPowers = {
  pause: 'nobody',
  freezeModel: 'anyone with evidence, no delay',
  addVerifier: 'nobody',
} as const;

/** Known open findings of reviews, each with its number. None is known to us today; nobody outside has looked. */
export const openFindings: readonly string[] = [];

export function trustStatements({ setupClass, contributorCount }: TrustFacts): TrustStatement[] {
  const isCeremony = setupClass === 'ceremony';
  const statement = (
    id: string,
    field: string,
    value: string,
    sentence: string,
    applies = true,
  ): TrustStatement => ({ id, field, value, applies, sentence });
  return [
    statement('setup-dev', 'setup.class', 'dev-single-party', sentences.setupDev, !isCeremony),
    statement(
      'setup-ceremony',
      'setup.class',
      isCeremony ? `ceremony(${contributorCount}, beacon)` : 'ceremony(n, beacon)',
      sentences.setupCeremony,
      isCeremony,
    ),
    statement('meaning', 'proof.shows', 'quantised-circuit', sentences.meaning),
    statement('privacy', 'input.hiddenFrom', 'chain, receipt readers', sentences.privacy),
    statement('weights', 'weights', 'public', sentences.weights),
    statement('identity', 'identity', 'statement-digest', sentences.identity),
    statement('curve', 'securityBits', '100-110', sentences.curve),
    statement('verdicts', 'verdict.fields', 'verifiedOffline, settled', sentences.verdicts),
    statement(
      'audit',
      'audit.external',
      openFindings.length === 0 ? 'none' : `none; open findings: ${openFindings.join(', ')}`,
      sentences.audit,
    ),
    statement(
      'admin',
      'admin.powers',
      `pause: ${adminPowers.pause}; freeze model: ${adminPowers.freezeModel}; add verifier: ${adminPowers.addVerifier}`,
      sentences.admin,
    ),
  ];
}

const sentences = {
  setupDev: 'Whoever ran this setup can forge proofs for this model. Do not use for value.',
  setupCeremony:
    'Sound if at least one of n listed contributors, and one in phase 1, destroyed their secret. n counts keys, not people.',
  meaning:
    'The proof shows the quantised circuit was followed. It does not show that the float model agrees, that the model is good, fair or un-backdoored, or that pre- and post-processing outside the circuit was done.',
  privacy:
    'Private inputs are hidden from chain and receipt readers, not from the operator who proved. Outputs may reveal inputs.',
  weights: 'Weights are known to every operator able to prove; they are public in this market.',
  identity:
    'Groth16 proofs can be re-randomised by anyone: identity is the statement hash, never the proof bytes.',
  curve: 'BN254 gives about 100–110 bits, not 128; not post-quantum.',
  verdicts:
    '`verified offline` = the mathematics holds for this vk. `settled` = included and final on chain C at block B. They are different fields.',
  audit: 'Not externally audited.',
  admin: 'Admin powers, each named with delay: pause, freeze model, add verifier. None can move escrow.',
} as const;
