import { useState } from 'preact/hooks';
import type { Setup } from './api.js';

/** Whoever made the setup is the first thing to see about a model. */
export function SetupBadge({ setup }: { setup: Setup }) {
  return setup.class === 'ceremony' ? (
    <span
      class="badge good"
      title="Sound if at least one contributor, and one in phase 1, destroyed their secret."
    >
      ceremony · {setup.contributorCount} {setup.contributorCount === 1 ? 'key' : 'keys'}
    </span>
  ) : (
    <span
      class="badge bad"
      title="Whoever ran this setup can forge proofs for this model. Do not use for value."
    >
      dev setup · forgeable by its maker
    </span>
  );
}

export function StateBadge({ state }: { state: string }) {
  const tone =
    state === 'failed' || state === 'cancelled'
      ? 'bad'
      : state === 'settled' || state === 'proven'
        ? 'good'
        : 'busy';
  return <span class={`badge ${tone}`}>{state}</span>;
}

/** A digest: short to the eye, whole to the clipboard and to a screen reader. */
export function Digest({ value }: { value: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard?.writeText(value).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1200);
    });
  };
  const short = value.length > 20 ? `${value.slice(0, 10)}…${value.slice(-6)}` : value;
  return (
    <button
      class="digest"
      type="button"
      title={`${value} (click to copy)`}
      aria-label={`Copy ${value}`}
      onClick={copy}
    >
      {isCopied ? 'copied' : short}
    </button>
  );
}

export const formatMs = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;

export const formatBytes = (bytes: number): string =>
  bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
