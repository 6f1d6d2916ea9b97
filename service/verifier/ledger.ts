/** What was checked, how, and with which result. */
export interface Check {
  readonly id: string;
  readonly claim: string;
  readonly how: string;
  readonly status: 'pass' | 'fail' | 'unknown';
  /** Why it failed or could not be checked; printable, at most 200 characters. */
  readonly detail: string;
}

/** Collects checks; a check that throws has failed, and the reason is its message. */
export class Ledger {
  readonly checks: Check[] = [];

  /** Passes if `make` returns, and hands its value on. */
  value<T>(id: string, claim: string, how: string, make: () => T): T | undefined {
    try {
      const value = make();
      this.add(id, claim, how, 'pass');
      return value;
    } catch (error) {
      this.add(id, claim, how, 'fail', reason(error));
      return undefined;
    }
  }

  /** Passes if all values are the same. */
  equal(id: string, claim: string, how: string, values: () => readonly unknown[]): void {
    this.ensure(id, claim, how, () => {
      const [expected, ...rest] = values().map(String);
      const other = rest.find((value) => value !== expected);
      return other === undefined ? undefined : `expected ${short(expected)}, got ${short(other)}`;
    });
  }

  /** `problem` returns what is wrong, or undefined. */
  ensure(id: string, claim: string, how: string, problem: () => string | undefined): void {
    try {
      const detail = problem();
      this.add(id, claim, how, detail === undefined ? 'pass' : 'fail', detail);
    } catch (error) {
      this.add(id, claim, how, 'fail', reason(error));
    }
  }

  attempt(id: string, claim: string, how: string, holds: () => boolean | 'unknown'): void {
    try {
      const result = holds();
      if (result === 'unknown') this.unknown(id, claim, `${how}: not possible without the opening`);
      else this.add(id, claim, how, result ? 'pass' : 'fail', result ? '' : 'does not match');
    } catch (error) {
      this.add(id, claim, how, 'fail', reason(error));
    }
  }

  async attemptAsync(
    id: string,
    claim: string,
    how: string,
    holds: () => Promise<boolean>,
  ): Promise<boolean> {
    try {
      const result = await holds();
      this.add(id, claim, how, result ? 'pass' : 'fail', result ? '' : 'does not hold');
      return result;
    } catch (error) {
      this.add(id, claim, how, 'fail', reason(error));
      return false;
    }
  }

  unknown(id: string, claim: string, why: string): void {
    this.add(id, claim, 'not checked', 'unknown', why);
  }

  add(id: string, claim: string, how: string, status: Check['status'], detail = ''): void {
    this.checks.push({ id, claim, how, status, detail: detail.replace(/\p{C}/gu, '?').slice(0, 200) });
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : 'failed');
const short = (text: string): string => (text.length > 70 ? `${text.slice(0, 60)}…` : text);
