import { useEffect, useState } from 'preact/hooks';
import {
  follow,
  getModel,
  getReceipt,
  infer,
  isOver,
  type Inference,
  listModels,
  type ModelDetail,
  type ModelSummary,
  type OutputTensor,
} from './api.js';
import { Digest, formatMs, SetupBadge, StateBadge } from './badges.js';
import { DigitPad } from './digit-pad.js';
import { Loading, useLoaded } from './loading.js';
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
            No model is installed yet: <code>verinfer serve --model model.onnx</code>.
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
      <h1>Run a model, keep the proof</h1>
      <p class="lead">
        The answer comes at once. The proof that it is exactly what the model says follows, and this browser
        can check it.
      </p>
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
    <div class="columns">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <h2>Input</h2>
        {isDigit ? (
          <>
            <DigitPad values={pixels} onChange={setPixels} />
            <div class="row" role="group" aria-label="Real digits">
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
              rows={6}
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
        <button class="primary" type="submit" disabled={isBusy}>
          {isBusy ? 'Asking…' : 'Run and prove'}
        </button>
        {problem === '' ? null : (
          <p class="notice bad" role="alert">
            {problem}
          </p>
        )}
        <p class="quiet">
          <SetupBadge setup={model.setup} /> {model.rowCount.toLocaleString('en')} constraint rows
        </p>
      </form>
      <section class="card" aria-live="polite">
        <h2>Answer</h2>
        {accepted === null ? (
          <p class="quiet">Nothing asked yet.</p>
        ) : (
          <>
            <p class="quiet">answered in {formatMs(answerMs)}</p>
            {accepted.outputs.filter(isShown).map((output) => (
              <Output key={output.name} output={output} />
            ))}
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

/** The proven integers, unless the model also gives real numbers made from them. */
const isShown = (output: OutputTensor, _: number, all: readonly OutputTensor[]): boolean =>
  !output.proven || all.every(({ proven }) => proven);

const formatValue = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(3));

/** Short outputs as bars, the largest marked; long ones as text. */
function Output({ output }: { output: OutputTensor }) {
  const values = output.data;
  if (values.length > 64) return <code class="block">{values.slice(0, 256).join(', ')}</code>;
  const best = values.indexOf(Math.max(...values));
  const low = Math.min(0, ...values);
  const span = Math.max(...values) - low || 1;
  return (
    <div
      class="bars"
      role="img"
      aria-label={`Output ${output.name}: largest at ${best}; values ${values.join(', ')}`}
    >
      {values.length > 1 ? <p class="answer">{best}</p> : <p class="answer">{values[0]}</p>}
      {values.map((value, index) => (
        <div class="bar" key={index}>
          <span>{index}</span>
          <meter class={index === best ? 'best' : ''} min={0} max={1} value={(value - low) / span} />
          <span class="number">{formatValue(value)}</span>
        </div>
      ))}
    </div>
  );
}

/** In the order they happen; a stage this page does not know comes last. */
const STAGES = ['answer', 'witness', 'prove', 'receipt', 'settle'];

const stagesOf = ({ timings }: Inference): [string, number][] => {
  const place = (stage: string): number => (STAGES.indexOf(stage) + STAGES.length + 1) % (STAGES.length + 1);
  return Object.entries(timings).sort(([a], [b]) => place(a) - place(b));
};

const STEPS = ['answered', 'proving', 'proven', 'submitted', 'settled'];

function Progress({ inference }: { inference: Inference }) {
  const reached = STEPS.indexOf(inference.state) + (isOver(inference) ? 1 : 0);
  return (
    <>
      <ol class="steps">
        {STEPS.map((step, index) => (
          <li
            key={step}
            class={index < reached ? 'done' : index === reached ? 'now' : ''}
            aria-current={index === reached ? 'step' : undefined}
          >
            {step}
          </li>
        ))}
      </ol>
      <p>
        <StateBadge state={inference.state} /> <Digest value={inference.id} />
      </p>
      {inference.error ? (
        <p class="notice bad" role="alert">
          {inference.error.detail}
        </p>
      ) : null}
      {Object.keys(inference.timings).length === 0 ? null : (
        <table>
          <caption>Stages</caption>
          <tbody>
            {stagesOf(inference).map(([stage, wallMs]) => (
              <tr key={stage}>
                <th scope="row">{stage}</th>
                <td class="number">{formatMs(wallMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
