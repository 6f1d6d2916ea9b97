import type { IdentityRecord } from './model-description.js';

/** The first two trust sentences, by the class of one model. */
export function setupSentence(identity: Pick<IdentityRecord, 'setupClass' | 'contributorCount'>): string {
  return identity.setupClass === 'dev-single-party'
    ? 'Whoever ran this setup can forge proofs for this model. Do not use for value.'
    : `Sound if at least one of ${identity.contributorCount} listed contributors, and one in phase 1, destroyed their secret. n counts keys, not people.`;
}
