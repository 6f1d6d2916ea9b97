/**
 * Lets a proof in while what its model was measured to need still fits under the memory limit. Whatever comes when nothing
 * runs goes in, and the first proof of a model goes in alone, to be measured. Nobody overtakes: a large proof that waits
 * for room must not starve.
 */
interface Inside {
  readonly modelId: string;
  readonly residentBefore: number;
  /** What the model is expected to take, as far as it has not shown up in the measured memory yet. */
  readonly expectedBytes: number;
  peakBytes: number;
  alone: boolean;
}

export class Admission {
  private readonly needs = new Map<string, number>();
  private readonly inside = new Set<Inside>();
  private readonly waiting: { readonly modelId: string; readonly enter: (entry: Inside) => void }[] = [];
  private residentBytes = 0;

  constructor(private readonly limitBytes: number) {}

  /** Bytes that a proof of the model added at its peak, or undefined while none was measured. */
  need(modelId: string): number | undefined {
    return this.needs.get(modelId);
  }

  /** Called with every measurement of the prover process. */
  measured(residentBytes: number): void {
    this.residentBytes = residentBytes;
    for (const entry of this.inside) entry.peakBytes = Math.max(entry.peakBytes, residentBytes);
    this.admit();
  }

  async run<T>(modelId: string, body: () => Promise<T>): Promise<T> {
    const entry = await new Promise<Inside>((enter) => {
      this.waiting.push({ modelId, enter });
      this.admit();
    });
    try {
      return await body();
    } finally {
      this.inside.delete(entry);
      const grown = Math.max(0, entry.peakBytes - entry.residentBefore);
      // Beside others its share cannot be told apart; what a lone proof took is known.
      if (entry.alone) this.needs.set(modelId, Math.max(grown, this.needs.get(modelId) ?? 0));
      this.admit();
    }
  }

  private admit(): void {
    for (;;) {
      const next = this.waiting[0];
      if (!next || !this.fits(next.modelId)) return;
      this.waiting.shift();
      const alone = this.inside.size === 0;
      for (const other of this.inside) other.alone = false;
      const entry: Inside = {
        modelId: next.modelId,
        residentBefore: this.residentBytes,
        expectedBytes: this.needs.get(next.modelId) ?? 0,
        peakBytes: this.residentBytes,
        alone,
      };
      this.inside.add(entry);
      next.enter(entry);
    }
  }

  private fits(modelId: string): boolean {
    if (this.inside.size === 0) return true;
    const need = this.needs.get(modelId);
    if (need === undefined || [...this.inside].some((entry) => !this.needs.has(entry.modelId))) return false;
    const toCome = [...this.inside].reduce(
      (sum, { expectedBytes, peakBytes, residentBefore }) =>
        sum + Math.max(0, expectedBytes - (peakBytes - residentBefore)),
      0,
    );
    return this.residentBytes + toCome + need <= this.limitBytes;
  }
}
