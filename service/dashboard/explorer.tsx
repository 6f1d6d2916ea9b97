import { useState } from 'preact/hooks';
import { getInference, getReceipt, type Inference, listInferences } from './api.js';
import { Digest, formatMs, StateBadge } from './badges.js';
import { isShown, Output, Progress } from './outcome.js';
import { Loading, useLoaded } from './loading.js';
import { ReceiptCheck } from './receipt-check.js';

export function Explorer({ argument }: { argument: string }) {
  return argument === '' ? <List /> : <Detail id={argument} />;
}

function List() {
  const [cursors, setCursors] = useState<readonly (string | undefined)[]>([undefined]);
  const cursor = cursors.at(-1);
  const page = useLoaded(() => listInferences(cursor), String(cursor), 3000);
  return (
    <>
      <h1>Proofs</h1>
      <p class="lead">
        Every inference with its state. A receipt from here can be verified in this browser, or anywhere else.
      </p>
      <Loading of={page}>
        {({ data: inferences, nextCursor }) => (
          <>
            <div class="card scroll">
              <table>
                <thead>
                  <tr>
                    <th scope="col">inference</th>
                    <th scope="col">model</th>
                    <th scope="col">state</th>
                    <th scope="col">asked</th>
                    <th scope="col" class="number">
                      proof took
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {inferences.map((inference) => (
                    <tr key={inference.id}>
                      <th scope="row">
                        <a href={`#/proofs/${inference.id}`}>{inference.id.slice(0, 13)}…</a>
                      </th>
                      <td>
                        <Digest value={inference.modelId} />
                      </td>
                      <td>
                        <StateBadge state={inference.state} />
                      </td>
                      <td>{new Date(inference.createdAt).toLocaleString()}</td>
                      <td class="number">{proofTime(inference)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {inferences.length === 0 ? (
              <p class="quiet">
                No inference yet: <a href="#/playground">the playground</a> makes one.
              </p>
            ) : null}
            <div class="row" hidden={cursors.length === 1 && nextCursor === null}>
              <button
                type="button"
                disabled={cursors.length === 1}
                onClick={() => setCursors(cursors.slice(0, -1))}
              >
                Newer
              </button>
              <button
                type="button"
                disabled={nextCursor === null}
                onClick={() => setCursors([...cursors, nextCursor!])}
              >
                Older
              </button>
            </div>
          </>
        )}
      </Loading>
    </>
  );
}

const proofTime = (inference: Inference): string => {
  const total = Object.values(inference.timings).reduce((sum, wallMs) => sum + wallMs, 0);
  return total === 0 ? '' : formatMs(total);
};

function Detail({ id }: { id: string }) {
  const inference = useLoaded(() => getInference(id), id, 2000);
  return (
    <>
      <p>
        <a href="#/proofs">All proofs</a>
      </p>
      <h1>Inference</h1>
      <Loading of={inference}>
        {(item) => (
          <div class="columns">
            <section class="card">
              <h2>Answer</h2>
              {item.outputs.filter(isShown).map((output) => (
                <Output key={output.name} output={output} />
              ))}
              <h2>Proof</h2>
              <Progress inference={item} />
              {['proven', 'submitted', 'settled'].includes(item.state) ? (
                <ReceiptCheck
                  id={item.id}
                  modelId={item.modelId}
                  opening={null}
                  statement={item.statement}
                  load={() => getReceipt(item.id)}
                />
              ) : null}
            </section>
            <section class="card">
              <h2>Statement</h2>
              <p class="quiet">What the proof is bound to: for another request it would not hold.</p>
              <dl>
                <dt>model</dt>
                <dd>
                  <a href={`#/models/${item.modelId}`}>{item.modelId.slice(0, 18)}…</a>
                </dd>
                <Facts of={item.statement} />
                <dt>asked</dt>
                <dd>{new Date(item.createdAt).toLocaleString()}</dd>
              </dl>
              {item.settled ? (
                <>
                  <h2>Settlement</h2>
                  <dl>
                    <Facts of={item.settled} />
                  </dl>
                </>
              ) : null}
            </section>
          </div>
        )}
      </Loading>
    </>
  );
}

function Facts({ of }: { of: Readonly<Record<string, unknown>> }) {
  return (
    <>
      {Object.entries(of)
        .filter(([name]) => name !== 'modelId')
        .map(([name, value]) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name}:`}>
            {typeof value === 'string' && value.startsWith('0x') ? <Digest value={value} /> : String(value)}
          </dd>,
        ])}
    </>
  );
}
