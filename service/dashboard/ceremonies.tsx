import { listCeremonies } from './api.js';
import { Digest } from './badges.js';
import { Loading, useLoaded } from './loading.js';

export function Ceremonies(_: { argument: string }) {
  const ceremonies = useLoaded(listCeremonies, 'ceremonies', 5000);
  return (
    <>
      <h1>Setup ceremonies</h1>
      <p class="lead">
        A proving key is sound if at least one contributor, and one in phase 1, destroyed their secret.
        Contributors are counted as keys, not people.
      </p>
      <Loading of={ceremonies}>
        {(list) =>
          list.length === 0 ? (
            <p class="notice">
              No ceremony has been opened here, so every model on this server has a development key, and
              whoever made it can forge proofs.
            </p>
          ) : (
            <ul class="grid">
              {list.map((ceremony) => (
                <li class="card" key={ceremony.id}>
                  <h2>{ceremony.modelName ?? ceremony.id}</h2>
                  <p>
                    <span class={`badge ${ceremony.state === 'final' ? 'good' : 'busy'}`}>
                      {ceremony.state}
                    </span>
                  </p>
                  <ol>
                    {ceremony.contributions.map((contribution) => (
                      <li key={contribution.hash}>
                        {contribution.name} <Digest value={contribution.hash} />
                      </li>
                    ))}
                  </ol>
                  {ceremony.beacon ? (
                    <p>
                      beacon <Digest value={ceremony.beacon} />
                    </p>
                  ) : null}
                </li>
              ))}
            </ul>
          )
        }
      </Loading>
    </>
  );
}
