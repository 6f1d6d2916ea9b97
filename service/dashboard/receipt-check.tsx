import { useState } from 'preact/hooks';
import { type Expectations, type Opening, type Verdict, verifyReceipt } from '../verifier/index.js';
import { formatMs } from './badges.js';

/**
 * Verifies a receipt in this browser, with the GPL-free verifier and without the server's word: the
 * expectations are the model that was chosen, the input that was drawn, and the terms it was accepted with.
 */
export function ReceiptCheck({
  id,
  modelId,
  opening,
  statement,
  load,
}: {
  id: string;
  modelId: string;
  opening: Opening | null;
  /** What the request was accepted with; the receipt must be for exactly this. */
  statement: Readonly<Record<string, string>>;
  load: () => Promise<string>;
}) {
  const [verdict, setVerdict] = useState<(Verdict & { wallMs: number }) | null>(null);
  const [problem, setProblem] = useState('');

  const check = async (): Promise<void> => {
    setProblem('');
    try {
      const text = await load();
      const expectations = {
        modelId,
        requestId: statement['requestId'],
        ...(opening === null ? {} : { input: opening }),
        ...(statement['chainId'] === '0'
          ? {}
          : { chainId: statement['chainId'], contract: statement['contract'] }),
      } as Expectations;
      const started = performance.now();
      const result = await verifyReceipt(text, expectations);
      setVerdict({ ...result, wallMs: performance.now() - started });
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };

  const download = async (): Promise<void> => {
    const url = URL.createObjectURL(new Blob([await load()], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${id}.receipt.json`;
    link.click();
    URL.revokeObjectURL(url);
  };

  return (
    <div class="receipt">
      <div class="row">
        <button type="button" class="primary" onClick={() => void check()}>
          Verify in this browser
        </button>
        <button type="button" onClick={() => void download()}>
          Download receipt
        </button>
      </div>
      {problem === '' ? null : (
        <p class="notice bad" role="alert">
          {problem}
        </p>
      )}
      {verdict === null ? null : <Findings verdict={verdict} />}
    </div>
  );
}

function Findings({ verdict }: { verdict: Verdict & { wallMs: number } }) {
  const count = (status: string): number => verdict.checks.filter((check) => check.status === status).length;
  const unknown = count('unknown');
  return (
    <>
      <p
        class={`notice ${verdict.valid ? 'good' : 'bad'}`}
        role="status"
        data-verdict={verdict.valid ? 'valid' : 'invalid'}
      >
        <strong>
          {verdict.valid
            ? 'The mathematics holds for this model and this input.'
            : 'This receipt does not hold.'}
        </strong>{' '}
        {count('pass')} claims checked in this browser in {formatMs(verdict.wallMs)}
        {count('fail') > 0 ? `, ${count('fail')} refused` : ''}
        {unknown > 0 ? `, ${unknown} only a chain can tell` : ''}.
      </p>
      <details open={!verdict.valid}>
        <summary>Every claim, and how it was checked</summary>
        <table class="checks">
          <tbody>
            {verdict.checks.map((entry) => (
              <tr key={entry.id}>
                <td>
                  <span
                    class={`badge ${entry.status === 'pass' ? 'good' : entry.status === 'fail' ? 'bad' : 'none'}`}
                  >
                    {entry.status}
                  </span>
                </td>
                <th scope="row">{entry.claim}</th>
                <td class="quiet">{entry.status === 'fail' ? entry.detail : entry.how}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
      <details>
        <summary>What this does not show</summary>
        <ul class="plain">
          {verdict.trust
            .filter(({ applies }) => applies)
            .map(({ id, sentence }) => (
              <li key={id}>{sentence}</li>
            ))}
        </ul>
      </details>
    </>
  );
}
