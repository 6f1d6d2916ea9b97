abstract class CeremonyError extends Error {
  constructor(
    readonly where: string,
    readonly what: string,
    readonly expected: string,
    readonly got: string,
  ) {
    super(`${where}: ${what} must be ${expected}, got ${got}`);
    this.name = new.target.name;
  }
}

/** What was asked does not fit the file: a wrong power, a beacon out of range. */
export class CeremonyRefused extends CeremonyError {}

/** A well-formed file whose contributions or points do not follow from one another. Trust nothing in it. */
export class InvalidCeremony extends CeremonyError {}
