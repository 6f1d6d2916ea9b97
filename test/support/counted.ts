/** Work counted instead of timed: how often a structure was looked into, whatever machine looks. */
export interface Tally {
  reads: number;
}

/** The value behind a proxy that counts each property read and each key listed, at every depth. */
export function counted(value: unknown, tally: Tally): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get(target, name, receiver) {
      tally.reads++;
      return counted(Reflect.get(target, name, receiver), tally);
    },
    has(target, name) {
      tally.reads++;
      return Reflect.has(target, name);
    },
    ownKeys(target) {
      const keys = Reflect.ownKeys(target);
      tally.reads += keys.length;
      return keys;
    },
  });
}
