/** Jobs run side by side, except a suspect: one that was in a process when it died runs alone, so that the next death convicts it. */
export class Gate {
  private sharedCount = 0;
  private exclusive = false;
  private readonly waiting: { readonly alone: boolean; readonly enter: () => void }[] = [];

  async run<T>(alone: boolean, body: () => Promise<T>): Promise<T> {
    await new Promise<void>((enter) => {
      this.waiting.push({ alone, enter });
      this.admit();
    });
    try {
      return await body();
    } finally {
      if (alone) this.exclusive = false;
      else this.sharedCount--;
      this.admit();
    }
  }

  private admit(): void {
    for (;;) {
      const next = this.waiting[0];
      if (!next || this.exclusive || (next.alone && this.sharedCount > 0)) return;
      this.waiting.shift();
      if (next.alone) this.exclusive = true;
      else this.sharedCount++;
      next.enter();
    }
  }
}
