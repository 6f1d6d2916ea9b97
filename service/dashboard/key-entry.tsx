import { useState } from 'preact/hooks';
import { storedKey, storeKey } from './api.js';

/** The API key of this tab, for services that ask for one. */
export function KeyEntry({ onChange }: { onChange: () => void }) {
  const [key, setKey] = useState(storedKey());
  const save = (event: Event): void => {
    event.preventDefault();
    storeKey(key.trim());
    (event.currentTarget as HTMLElement).closest('details')?.removeAttribute('open');
    onChange();
  };
  return (
    <details class="key">
      <summary>{storedKey() === '' ? 'API key' : 'API key set'}</summary>
      <form class="card" onSubmit={save}>
        <label class="field">
          API key, kept until this tab is closed
          <input
            type="password"
            autocomplete="off"
            placeholder="vk_…"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Use it
        </button>
        <p class="quiet">A service in development mode asks for none.</p>
      </form>
    </details>
  );
}
