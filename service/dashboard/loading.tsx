import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

type Loaded<T> =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly message: string }
  | { readonly state: 'ready'; readonly value: T };

/** Loads once for each `key`, and again every `everyMs` where given. */
export function useLoaded<T>(load: () => Promise<T>, key: string, everyMs?: number): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: 'loading' });
  useEffect(() => {
    let isCurrent = true;
    const run = (): void => {
      load().then(
        (value) => isCurrent && setLoaded({ state: 'ready', value }),
        (error: unknown) =>
          isCurrent &&
          setLoaded({ state: 'failed', message: error instanceof Error ? error.message : String(error) }),
      );
    };
    run();
    const timer = everyMs === undefined ? undefined : setInterval(run, everyMs);
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [key]);
  return loaded;
}

export function Loading<T>({ of, children }: { of: Loaded<T>; children: (value: T) => ComponentChildren }) {
  if (of.state === 'loading')
    return (
      <p class="quiet" role="status">
        Loading…
      </p>
    );
  if (of.state === 'failed')
    return (
      <p class="notice bad" role="alert">
        {of.message}
      </p>
    );
  return <>{children(of.value)}</>;
}
