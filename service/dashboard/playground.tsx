import { useEffect, useState } from 'preact/hooks';
import {
  follow,
  getModel,
  getReceipt,
  infer,
  type Inference,
  listModels,
  type ModelDetail,
  type ModelSummary,
} from './api.js';
import { formatMs, SetupBadge } from './badges.js';
import { DigitPad } from './digit-pad.js';
import { Loading, useLoaded } from './loading.js';
import { isShown, Output, Progress } from './outcome.js';
import { openingOf } from '../client/opening.js';
import { ReceiptCheck } from './receipt-check.js';

const isDigitModel = (model: ModelSummary): boolean => {
  const shape = model.inputs[0]?.shape ?? [];
  return model.inputs.length === 1 && shape.at(-1) === 28 && shape.at(-2) === 28;
};

const elementCount = (model: ModelSummary): number =>
  (model.inputs[0]?.shape ?? []).reduce((product, size) => product * size, 1);

export function Playground({ argument }: { argument: string }) {
  const models = useLoaded(listModels, 'models');
  return (
    <Loading of={models}>
      {(list) =>
        list.length === 0 ? (
          <p class="notice">
            No model is installed yet: <code>verinfer upload model.onnx</code> installs one.
          </p>
        ) : (
          <Bench models={list} chosen={argument} />
        )
      }
    </Loading>
  );
}

function Bench({ models, chosen }: { models: readonly ModelSummary[]; chosen: string }) {
  const [modelId, setModelId] = useState(
    models.find((model) => model.id === chosen)?.id ?? (models.find(isDigitModel) ?? models[0]!).id,
  );
  const detail = useLoaded(() => getModel(modelId), modelId);
  return (
    <>
      <div class="heading">
        <div>
          <h1>Run a model, keep the proof</h1>
          <p class="lead">
            The answer comes at once. The proof that it is exactly what the model says follows, and this
            browser can check it.
          </p>
        </div>
        <label class="field">
          Model
          <select value={modelId} onChange={(event) => setModelId(event.currentTarget.value)}>
            {models.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Loading of={detail}>{(model) => <Run key={model.id} model={model} />}</Loading>
    </>
  );
}

function Run({ model }: { model: ModelDetail }) {
  const samples = model.samples ?? [];
  const isDigit = isDigitModel(model);
  const size = elementCount(model);
  const [pixels, setPixels] = useState<number[]>(() => [
    ...(samples[0]?.values ?? new Array<number>(size).fill(0)),
  ]);
  const [row, setRow] = useState(() => (samples[0]?.values ?? new Array<number>(size).fill(0)).join(', '));
  const [settlement, setSettlement] = useState('onchain');
  const [accepted, setAccepted] = useState<Inference | null>(null);
  const [progress, setProgress] = useState<Inference | null>(null);
  const [asked, setAsked] = useState<readonly number[]>([]);
  const [answerMs, setAnswerMs] = useState(0);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);

  useEffect(() => (accepted === null ? undefined : follow(accepted.id, setProgress)), [accepted]);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const input = isDigit
      ? pixels
      : row
          .split(/[\s,;]+/)
          .filter((cell) => cell !== '')
          .map(Number);
    if (input.length !== size || input.some((value) => !Number.isFinite(value))) {
      setProblem(`This model takes ${size} finite numbers; ${input.length} were given.`);
      return;
    }
    setProblem('');
    setBusy(true);
    const started = performance.now();
    try {
      const answer = await infer(model.id, input, settlement);
      setAnswerMs(performance.now() - started);
      setProgress(null);
      setAsked(input);
      setAccepted(answer);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="columns playground">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <h2>Input</h2>
        {isDigit ? (
          <>
            <DigitPad values={pixels} onChange={setPixels} />
            <p class="quiet">Draw with mouse, finger or pen, or take a digit somebody wrote:</p>
            <div class="row chips" role="group" aria-label="Real digits">
              {samples.slice(0, 10).map((sample, index) => (
                <button
                  key={index}
                  type="button"
                  class="chip"
                  onClick={() => setPixels([...sample.values])}
                  aria-label={`Real digit ${sample.label}`}
                >
                  {sample.label}
                </button>
              ))}
              <button type="button" class="chip" onClick={() => setPixels(new Array<number>(size).fill(0))}>
                clear
              </button>
            </div>
          </>
        ) : (
          <label class="field">
            {size} numbers, separated by commas
            <textarea
              rows={8}
              value={row}
              onInput={(event) => setRow(event.currentTarget.value)}
              spellcheck={false}
            />
          </label>
        )}
        <label class="field">
          Settlement
          <select value={settlement} onChange={(event) => setSettlement(event.currentTarget.value)}>
            <option value="onchain">on chain, alone</option>
            <option value="batched">on chain, in a batch</option>
            <option value="none">none: proof and receipt only</option>
          </select>
        </label>
        <button class="primary wide" type="submit" disabled={isBusy}>
          {isBusy ? 'Asking…' : 'Run and prove'}
        </button>
        {problem === '' ? null : (
          <p class="notice bad" role="alert">
            {problem}
          </p>
        )}
        <div class="warning">
          <SetupBadge setup={model.setup} />
          <p class="quiet">
            {model.setup.warning} {model.rowCount.toLocaleString('en')} constraint rows.
          </p>
        </div>
      </form>
      <section class="card" aria-live="polite">
        <h2>Answer</h2>
        {accepted === null ? (
          <div class="empty">
            <p>Nothing asked yet.</p>
            <p class="quiet">
              The answer, its proof and the settlement arrive here as they happen. The input stays between you
              and the operator: the chain sees a commitment.
            </p>
          </div>
        ) : (
          <>
            {accepted.outputs.filter(isShown).map((output) => (
              <Output key={output.name} output={output} />
            ))}
            <p class="quiet">here after {formatMs(answerMs)}</p>
            <h2>Proof</h2>
            <Progress inference={progress ?? accepted} />
            {['proven', 'submitted', 'settled'].includes(progress?.state ?? '') ? (
              <ReceiptCheck
                id={accepted.id}
                modelId={model.id}
                opening={openingOf(model.manifest, asked, accepted.salt ?? null)}
                statement={accepted.statement}
                load={() => getReceipt(accepted.id)}
              />
            ) : null}
          </>
        )}
      </section>
    </div>
  );
}
