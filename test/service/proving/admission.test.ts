import test from 'ava';
import { Admission } from '../../../service/proving/admission.js';

/** A proof that ends when it is told to. */
function started(
  admission: Admission,
  modelId: string,
): { readonly isIn: () => boolean; end: () => Promise<void> } {
  let isIn = false;
  let finish: () => void = () => undefined;
  const held = new Promise<void>((done) => (finish = done));
  const over = admission.run(modelId, () => {
    isIn = true;
    return held;
  });
  return {
    isIn: () => isIn,
    end: async () => {
      finish();
      await over;
    },
  };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('Q08 the first proof of a model runs alone and is measured; then as many run as fit under the limit', async (t) => {
  const admission = new Admission(1_000);
  admission.measured(100);
  const first = started(admission, 'big');
  const second = started(admission, 'big');
  await turn();
  t.true(first.isIn());
  t.false(second.isIn(), 'nothing is known of the model yet');
  admission.measured(400);
  admission.measured(150);
  await first.end();
  t.is(admission.need('big'), 300);

  // 150 now; each proof adds 300: two fit under 1000, a third would not.
  await turn();
  t.true(second.isIn());
  const third = started(admission, 'big');
  const fourth = started(admission, 'big');
  await turn();
  t.true(third.isIn());
  t.false(fourth.isIn(), '150 + 300 + 300 + 300 > 1000');
  admission.measured(750);
  await turn();
  t.false(fourth.isIn(), 'what has shown up is not counted twice, but there is no room');
  await second.end();
  admission.measured(450);
  await turn();
  t.true(fourth.isIn());
  await Promise.all([third.end(), fourth.end()]);
});

test('Q08 a proof larger than the limit runs alone, and what came after it does not overtake it', async (t) => {
  const admission = new Admission(500);
  const measure = async (modelId: string, bytes: number): Promise<void> => {
    admission.measured(0);
    const proof = started(admission, modelId);
    await turn();
    admission.measured(bytes);
    admission.measured(0);
    await proof.end();
  };
  await measure('huge', 900);
  await measure('small', 100);
  const small = started(admission, 'small');
  const huge = started(admission, 'huge');
  const late = started(admission, 'small');
  await turn();
  t.deepEqual([small.isIn(), huge.isIn(), late.isIn()], [true, false, false]);
  await small.end();
  await turn();
  t.deepEqual([huge.isIn(), late.isIn()], [true, false]);
  await huge.end();
  await turn();
  t.true(late.isIn());
  await late.end();
});

test('Q08 a proof that fails gives its room back', async (t) => {
  const admission = new Admission(500);
  await t.throwsAsync(
    admission.run('m', () => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  await t.notThrowsAsync(admission.run('m', async () => undefined));
});
