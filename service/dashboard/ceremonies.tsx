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
            <div class="card empty">
              <p>No ceremony has been opened here.</p>
              <p class="quiet">
                Every model on this server has a development key, and whoever made it can forge proofs.{' '}
                <code>verinfer ceremony open</code> starts one.
              </p>
            </div>
          ) : (
            <ul class="grid wide">
              {list.map((ceremony) => (
                <li class="card" key={ceremony.id}>
                  <h2>
                    {ceremony.id}{' '}
                    <span class={`badge ${ceremony.state === 'final' ? 'good' : 'busy'}`}>
                      {ceremony.state}
                    </span>
                  </h2>
                  <dl>
                    <dt>circuit</dt>
                    <dd>
                      <Digest value={ceremony.circuitHash} />
                    </dd>
                    <dt>transcript</dt>
                    <dd>
                      <Digest value={ceremony.transcriptDigest} />
                    </dd>
                    <dt>beacon</dt>
                    <dd>{ceremony.beacon ? <Digest value={ceremony.beacon} /> : 'not yet'}</dd>
                    <dt>key</dt>
                    <dd>{ceremony.vkHash ? <Digest value={ceremony.vkHash} /> : 'not final'}</dd>
                  </dl>
                  <h3>
                    {ceremony.contributions.length}{' '}
                    {ceremony.contributions.length === 1 ? 'contribution' : 'contributions'}
                  </h3>
                  <div class="scroll">
                    <table>
                      <thead>
                        <tr>
                          <th scope="col">name</th>
                          <th scope="col">hash</th>
                          <th scope="col">when</th>
                          <th scope="col">signed</th>
                        </tr>
                      </thead>
                      <tbody>
                        {ceremony.contributions.map((contribution) => (
                          <tr key={contribution.hash}>
                            <th scope="row">{contribution.name}</th>
                            <td>
                              <Digest value={contribution.hash} />
                            </td>
                            <td>{new Date(contribution.at).toLocaleString()}</td>
                            <td>{contribution.attested ? 'yes' : 'no'}</td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Loading>
    </>
  );
}
