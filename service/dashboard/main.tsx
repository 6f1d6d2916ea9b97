import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Ceremonies } from './ceremonies.js';
import { KeyEntry } from './key-entry.js';
import { storedKey } from './api.js';
import { Explorer } from './explorer.js';
import { Models } from './models.js';
import { Playground } from './playground.js';
import { Queue } from './queue.js';
import './style.css';
import { Trust } from './trust.js';

const PAGES = [
  ['playground', 'Playground', Playground],
  ['models', 'Models', Models],
  ['proofs', 'Proofs', Explorer],
  ['queue', 'Queue', Queue],
  ['ceremonies', 'Ceremonies', Ceremonies],
  ['trust', 'Trust', Trust],
] as const;

/** `#/models/0xab…` → ['models', '0xab…'] */
function route(): readonly [page: string, argument: string] {
  const [, page = '', argument = ''] = location.hash.split('/');
  return [page === '' ? 'playground' : page, decoded(argument)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function App() {
  const [[page, argument], setRoute] = useState(route());
  useEffect(() => {
    const onChange = (): void => {
      setRoute(route());
      document.getElementById('content')?.focus();
    };
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  const Page = PAGES.find(([name]) => name === page)?.[2] ?? Playground;
  return (
    <>
      <a
        class="skip"
        href="#content"
        onClick={(event) => (event.preventDefault(), document.getElementById('content')?.focus())}
      >
        Skip to content
      </a>
      <header>
        <a class="brand" href="#/playground">
          <img src="/icon.svg" alt="" width="28" height="28" /> verinfer
        </a>
        <nav aria-label="Pages">
          {PAGES.map(([name, title]) => (
            <a key={name} href={`#/${name}`} aria-current={name === page ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <KeyEntry onChange={() => setRoute([...route()])} />
      </header>
      <p class="strip">
        Not externally audited. <a href="#/trust">What you still have to trust</a>
      </p>
      <main id="content" tabIndex={-1}>
        <Page key={storedKey()} argument={argument} />
      </main>
      <footer>
        Answers are exact; proofs are Groth16 over BN254. <a href="#/trust">Ten trust sentences</a> ·{' '}
        <a href="/docs">API reference</a>
      </footer>
    </>
  );
}

render(<App />, document.getElementById('app')!);
