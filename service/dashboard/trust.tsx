import { getTrust } from './api.js';
import { Loading, useLoaded } from './loading.js';

export function Trust(_: { argument: string }) {
  const statements = useLoaded(() => getTrust(), 'trust');
  return (
    <>
      <h1>What you still have to trust</h1>
      <p class="lead">
        Ten sentences, word for word the same in every receipt, in the API, on the command line and here.
      </p>
      <Loading of={statements}>
        {(list) => (
          <ol class="sentences">
            {list.map((statement) => (
              <li class="card" key={statement.id}>
                {statement.sentence}
                {statement.applies === false ? <span class="quiet"> (does not apply here)</span> : null}
              </li>
            ))}
          </ol>
        )}
      </Loading>
    </>
  );
}
