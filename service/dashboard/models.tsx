import { getModel, listModels, type ModelDetail, type ModelSummary } from './api.js';
import { Digest, formatBytes, SetupBadge } from './badges.js';
import { Loading, useLoaded } from './loading.js';

const shapeText = (tensors: ModelSummary['inputs']): string =>
  tensors.map((tensor) => `${tensor.dtype}[${tensor.shape.join('×')}]`).join(', ');

export function Models({ argument }: { argument: string }) {
  return argument === '' ? <List /> : <Detail modelId={argument} />;
}

function List() {
  const models = useLoaded(listModels, 'models');
  return (
    <>
      <h1>Models</h1>
      <p class="lead">
        A model is named by the hash of its ONNX bytes, circuit, key, setup and manifest. Any change is
        another model.
      </p>
      <Loading of={models}>
        {(list) => (
          <ul class="grid">
            {list.length === 0 ? (
              <li class="card empty">
                No model yet: <code>verinfer upload model.onnx</code> installs one.
              </li>
            ) : null}
            {list.map((model) => (
              <li class="card" key={model.id}>
                <h2>
                  <a href={`#/models/${model.id}`}>{model.name}</a>
                </h2>
                <p>
                  <SetupBadge setup={model.setup} />
                </p>
                <dl>
                  <dt>model id</dt>
                  <dd>
                    <Digest value={model.id} />
                  </dd>
                  <dt>input</dt>
                  <dd>{shapeText(model.inputs)}</dd>
                  <dt>output</dt>
                  <dd>{shapeText(model.outputs)}</dd>
                  <dt>rows</dt>
                  <dd>{model.rowCount.toLocaleString('en')}</dd>
                  <dt>status</dt>
                  <dd>
                    <span class={`badge ${model.frozen ? 'bad' : 'none'}`}>
                      {model.frozen ? 'frozen' : 'active'}
                    </span>
                  </dd>
                </dl>
                <p>
                  <a class="button primary" href={`#/playground/${model.id}`}>
                    Try it
                  </a>
                </p>
              </li>
            ))}
          </ul>
        )}
      </Loading>
    </>
  );
}

function Detail({ modelId }: { modelId: string }) {
  const model = useLoaded(() => getModel(modelId), modelId);
  return <Loading of={model}>{(detail) => <Sheet model={detail} />}</Loading>;
}

function Sheet({ model }: { model: ModelDetail }) {
  const rows = Math.max(
    1,
    model.layers.reduce((total, layer) => total + layer.rows, 0),
  );
  return (
    <>
      <p>
        <a href="#/models">All models</a>
      </p>
      <h1>{model.name}</h1>
      <p>
        <SetupBadge setup={model.setup} /> <span class="quiet">{model.setup.warning}</span>
      </p>
      <div class="columns">
        <section class="card">
          <h2>Identity</h2>
          <dl>
            <dt>modelId</dt>
            <dd>
              <Digest value={model.id} />
            </dd>
            {Object.entries(model.identity).map(([name, value]) => [
              <dt key={name}>{name}</dt>,
              <dd key={`${name}:`}>
                {String(value).startsWith('0x') ? <Digest value={String(value)} /> : String(value)}
              </dd>,
            ])}
            <dt>proving key</dt>
            <dd>{formatBytes(model.files['key.zkey']?.sizeBytes ?? 0)}</dd>
          </dl>
        </section>
        <section class="card">
          <h2>Where the rows go</h2>
          <table>
            <thead>
              <tr>
                <th scope="col">layer</th>
                <th scope="col">operator</th>
                <th scope="col" class="number">
                  rows
                </th>
                <th scope="col">share</th>
              </tr>
            </thead>
            <tbody>
              {model.layers.map((layer) => (
                <tr key={layer.name}>
                  <th scope="row">{layer.name}</th>
                  <td>{layer.type}</td>
                  <td class="number">{layer.rows.toLocaleString('en')}</td>
                  <td>
                    <svg
                      class="share"
                      role="img"
                      width="100%"
                      height="10"
                      aria-label={`${Math.round((layer.rows / rows) * 100)} %`}
                    >
                      <rect class="track" width="100%" height="10" rx="5" />
                      <rect class="fill" width={`${(100 * layer.rows) / rows}%`} height="10" rx="5" />
                    </svg>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
    </>
  );
}
