import { DatabaseError } from 'pg';

interface Waiting<In, Out> {
  readonly item: In;
  readonly done: (result: Out) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Calls that arrive while one is under way share the next: how many calls a second there are is not bounded by round trips
 * or disk flushes a second.
 */
export class Grouped<In, Out> {
  private waiting: Waiting<In, Out>[] = [];
  private running = false;

  /** `run` answers a group, result for item; `order` is the order of the items in it. */
  constructor(
    private readonly run: (items: readonly In[]) => Promise<readonly Out[]>,
    private readonly order: (a: In, b: In) => number = () => 0,
    private readonly largestGroup = 64,
  ) {}

  call(item: In): Promise<Out> {
    return new Promise((done, fail) => {
      this.waiting.push({ item, done, fail });
      if (!this.running) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, this.largestGroup);
      group.sort((a, b) => this.order(a.item, b.item));
      try {
        const results = await this.run(group.map(({ item }) => item));
        group.forEach((entry, i) => entry.done(results[i]!));
      } catch (error) {
        // What the database refused is one item's fault. One that does not answer would be waited for by each in turn.
        if (group.length > 1 && error instanceof DatabaseError) await this.runSingly(group);
        else for (const entry of group) entry.fail(error);
      }
    }
    this.running = false;
  }

  /** One bad item must not refuse its neighbours. */
  private async runSingly(group: readonly Waiting<In, Out>[]): Promise<void> {
    for (const { item, done, fail } of group) {
      try {
        done((await this.run([item]))[0]!);
      } catch (error) {
        fail(error);
      }
    }
  }
}
