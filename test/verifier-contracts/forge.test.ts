/** The forge tests by the attack they answer. The heavy setting runs in forge.slow.test.ts. */
import test, { type ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { entryPoints } from '../support/entry-points.js';
import { runForge, type ForgeOutcome } from '../support/forge.js';

let outcomes: Map<string, ForgeOutcome>;
const asked = new Set<string>();

test.before(async (t) => {
  t.timeout(300_000);
  outcomes = await runForge('default');
});

const holds = (t: ExecutionContext, ...names: string[]): void => {
  for (const name of names) {
    asked.add(name);
    const outcome = outcomes.get(name);
    t.true(outcome?.passed, `${name}: ${outcome?.reason ?? 'no such forge test'}`);
  }
};

test('S01 each of the eight coordinates has one accepted encoding', (t) => {
  holds(
    t,
    'testFuzz_verify_rejects_every_other_encoding_of_a_coordinate',
    'testFuzz_verify_rejects_a_changed_coordinate',
  );
});

test('S02 a signal at or above r is refused, and the bound is not q', (t) => {
  holds(t, 'testFuzz_verify_rejects_a_signal_at_or_above_r');
});

test('S03 no gas limit turns a valid proof into an invalid one', (t) => {
  holds(
    t,
    'test_no_gas_limit_turns_a_valid_proof_into_an_invalid_one',
    'testFuzz_verify_never_judges_without_gas',
    'testFuzz_verifyBatch_never_judges_without_gas',
    'testFuzz_settle_never_judges_without_gas',
    'testFuzz_callback_gets_its_gas',
    'test_sweep_settle',
    'test_sweep_settleBatch',
    'test_sweep_fulfil',
    'test_sweep_fulfil_with_a_callback',
    'test_sweep_fulfilBatch',
    'test_sweep_verifyInference',
    'test_sweep_reportContradiction',
    'test_sweep_reportCanary',
  );
});

test('S05 an invalid proof has a bounded price', (t) => {
  holds(
    t,
    'testFuzz_verify_rejects_random_words_at_a_bounded_price',
    'testFuzz_verify_bounds_the_price_of_a_bad_b',
  );
});

test('S06 a key that anyone could forge under is not registered', (t) => {
  holds(
    t,
    'testFuzz_registerModel_refuses_unsafe_keys',
    'testFuzz_registerModel_refuses_another_key_and_sentinels',
    'test_registerModel_names_what_is_unsafe',
    'test_registerModel_takes_one_to_sixty_four_signals',
    'test_registerModel_names_the_field',
  );
});

test('S08 the verifier takes one calldata layout, and nothing behind it', (t) => {
  holds(
    t,
    'testFuzz_verify_rejects_other_calldata',
    'testFuzz_verify_rejects_a_truncated_call',
    'testFuzz_verifyBatch_rejects_other_calldata',
    'testFuzz_verify_counts_signals',
    'testFuzz_settle_refuses_another_count_of_signals',
    'testFuzz_verifyInference_rejects_other_lengths',
  );
});

test('S09 a verifier that is not there, or is another one, judges nothing', (t) => {
  holds(
    t,
    'testFuzz_a_changed_verifier_judges_nothing',
    'testFuzz_verify_pins_the_key',
    'testFuzz_verify_judges_nothing_without_the_precompiles',
  );
});

test('S10 a model id is the hash of its identity and is registered once', (t) => {
  holds(t, 'testFuzz_registerModel_is_content_addressed', 'testFuzz_unknown_models_do_nothing');
});

test('S08 what is refused is named to the byte, in batches of several keys too', (t) => {
  holds(
    t,
    'test_verify_names_what_is_wrong',
    'test_verify_says_how_many_signals_a_key_names',
    'test_verify_reads_the_key_behind_its_first_byte_and_pins_it',
    'test_verifyBatch_of_two_keys_counts_through_all_proofs',
    'test_verifyBatch_refuses_groups_that_do_not_add_up',
    'testFuzz_verifyBatch_of_many_groups',
    'test_verifyInference_of_two_outputs_and_of_a_frozen_model',
  );
});

test('S11 a listing or an attestation speaks for its sender alone', (t) => {
  holds(
    t,
    'testFuzz_list_and_retire_speak_for_the_sender',
    'testFuzz_attest_speaks_for_the_sender',
    'testFuzz_list_bounds_the_uri',
    'test_list_and_retire_to_the_byte',
  );
});

test('M01 a copied proof pays its maker on every path', (t) => {
  holds(
    t,
    'testFuzz_fulfil_cannot_be_redirected',
    'testFuzz_fulfil_pays_the_payee_of_the_proof',
    'testFuzz_settle_binds_every_value',
  );
});

test('M02 a proof is worth nothing for another request, model, contract or chain', (t) => {
  holds(
    t,
    'testFuzz_fulfil_binds_the_request',
    'testFuzz_fulfil_binds_all_input_signals',
    'testFuzz_settle_binds_chain_contract_and_model',
  );
});

test('M03 one request, one payment: twice, re-randomized, or named twice in a batch', (t) => {
  holds(
    t,
    'testFuzz_settle_once_by_anyone',
    'testFuzz_settle_counts_a_rerandomized_proof_once',
    'testFuzz_settle_marks_one_nonce',
    'testFuzz_settleBatch_settles_a_twin_once',
    'testFuzz_settleBatch_settles_what_is_left',
    'testFuzz_fulfilBatch_fulfils_what_is_left',
  );
});

test('finding-23: a nonce that names its submitter is used up by nobody else', (t) => {
  holds(t, 'testFuzz_settle_only_by_the_submitter_that_the_nonce_names');
});

test('M04 who may settle, fulfil and refund when, to the second', (t) => {
  holds(
    t,
    'testFuzz_fulfil_boundaries',
    'testFuzz_fulfil_by_the_holder_when_the_deadline_falls_into_the_first_minute',
    'testFuzz_settle_until_the_deadline',
    'testFuzz_refund_returns_the_fee_to_the_requester',
    'testFuzz_refund_of_a_cancelled_request_waits_for_the_earlier_moment',
    'test_lock_writes_down_who_and_until_when',
    'testFuzz_settle_refuses_a_frozen_model',
  );
});

test('M05 what is not a proof is not taken for one', (t) => {
  holds(
    t,
    'testFuzz_fulfil_rejects_what_is_no_proof',
    'test_nobody_is_paid_at_address_zero',
    'test_fulfilBatch_refuses_another_count_of_signals_for_one_key',
    'testFuzz_settleBatch_is_all_or_nothing',
    'testFuzz_fulfilBatch_is_all_or_nothing',
  );
});

test('M06 a request id is the hash of all terms, the market and the chain', (t) => {
  holds(
    t,
    'testFuzz_request_ids_are_derived',
    'testFuzz_request_refuses_impossible_terms',
    'test_request_takes_terms_up_to_their_bounds',
    'test_request_refuses_terms_beyond_their_bounds',
    'testFuzz_request_escrows_exactly_the_fee',
  );
});

test('M07 a requester who saw the proof cannot dodge the fee', (t) => {
  holds(
    t,
    'testFuzz_a_requester_who_saw_the_proof_cannot_dodge',
    'testFuzz_cancel_is_for_the_requester_of_an_unlocked_request',
  );
});

test('M08 a holder who vanishes is slashed once, and others may fulfil', (t) => {
  holds(t, 'testFuzz_lock_and_vanish_is_slashed_once', 'testFuzz_lock_takes_exactly_the_collateral');
});

test('M10 no payment without the output in the call', (t) => {
  holds(t, 'testFuzz_fulfil_demands_input_and_output');
});

test('M11 a payee or consumer that reverts, burns, bombs or reenters hurts only itself', (t) => {
  holds(t, 'testFuzz_hostile_receivers_hurt_only_themselves');
});

test('M13 forced ether and donations change nothing', (t) => {
  holds(t, 'testFuzz_donations_change_nothing');
});

test('M14 batches are capped and linear', (t) => {
  holds(
    t,
    'testFuzz_settleBatch_is_capped',
    'test_the_largest_batch_fits_in_half_a_block',
    'testFuzz_settleBatch_spans_models',
    'testFuzz_fulfilBatch_spans_models',
    'test_fulfilBatch_takes_sixty_four_and_no_more',
  );
});

test('M15 only the owner of a booking withdraws it, to wherever it says', (t) => {
  holds(
    t,
    'testFuzz_withdraw_is_for_the_sender',
    'testFuzz_reclaim_returns_the_fee_to_the_applicant',
    'testFuzz_giveUp_is_for_the_applicant',
  );
});

test('M17 dev setups are refused on value chains and below a minimum class; a named attester must have spoken', (t) => {
  holds(
    t,
    'testFuzz_registerModel_refuses_dev_setups_on_value_chains',
    'test_registerModel_knows_the_development_chains',
    'testFuzz_request_demands_a_setup_class_and_an_attester',
  );
});

test('M18 sums are conserved up to the largest fee', (t) => {
  holds(
    t,
    'testFuzz_request_escrows_exactly_the_fee',
    'testFuzz_fulfil_pays_the_payee_of_the_proof',
    'invariant_every_sentence_holds',
  );
});

test('M19 a failed verification costs nobody anything', (t) => {
  holds(t, 'testFuzz_a_failed_proof_costs_nobody_anything');
});

test('M20 a frozen model pays nobody and traps nothing', (t) => {
  holds(t, 'testFuzz_freeze_pays_nobody_and_traps_nothing');
});

test('M21 inside the grace nobody is slashed and the holder is paid', (t) => {
  holds(t, 'testFuzz_fulfil_in_the_grace_after_the_deadline');
});

test('M22 a contradiction freezes the model; honest pairs never do', (t) => {
  holds(
    t,
    'testFuzz_reportContradiction_freezes',
    'testFuzz_reportContradiction_never_fires_on_honest_pairs',
    'testFuzz_reportContradiction_does_not_take_a_public_input_for_a_commitment',
    'test_reportContradiction_at_its_bounds',
  );
});

test('M23 a proof of the canary freezes the model; nothing else is taken for it', (t) => {
  holds(
    t,
    'testFuzz_reportCanary_freezes',
    'testFuzz_reportCanary_never_fires_on_another_statement',
    'test_reportCanary_says_what_it_expected',
  );
});

test('S12 every move is announced, to the byte', (t) => {
  holds(t, 'test_every_move_is_announced', 'test_settleBatch_announces_and_counts');
});

test('the example consumer acts on what was proved, once, and on nobody but the market', (t) => {
  holds(
    t,
    'testFuzz_the_story_of_a_credit',
    'testFuzz_apply_once_and_for_oneself',
    'testFuzz_onInference_listens_to_the_market_alone',
    'test_the_gate_says_whom_it_trusts',
  );
});

test('every external function is called by a fuzz test, and every constant by a test', (t) => {
  holds(t, 'test_constants_are_what_the_documents_say');
  const all = entryPoints();
  t.true(all.length >= 45, `${all.length} functions in the ABIs`);
  const isCalled = ({ isFuzzable, tests }: (typeof all)[0]): boolean =>
    tests.some((name) => !isFuzzable || name.startsWith('testFuzz_'));
  t.deepEqual(
    all.filter((entry) => !isCalled(entry)).map(({ name }) => name),
    [],
  );
});

test('every sentence holds after every sequence of calls, and there are at least twenty', (t) => {
  holds(t, 'invariant_every_sentence_holds');
  const source = readFileSync('test/verifier-contracts/forge/MarketInvariants.t.sol', 'utf8');
  const sentences = [...source.matchAll(/function (sentence_\w+)/g)].map(([, name]) => name);
  t.true(sentences.length >= 20);
  for (const name of sentences) t.regex(source, new RegExp(`^        ${name}\\(\\);$`, 'm'));
});

test('the rest of the fuzz tests pass', (t) => {
  holds(
    t,
    'testFuzz_verify_accepts_every_valid_proof',
    'testFuzz_verify_rejects_another_statement',
    'testFuzz_verifyBatch_accepts_valid_proofs',
    'testFuzz_verifyBatch_rejects_one_bad_member',
    'testFuzz_verifyBatch_rejects_errors_that_cancel',
    'testFuzz_verifyInference_accepts_what_is_proved',
  );
});

test.after('every forge test is asked for by name above', (t) => {
  t.deepEqual(
    [...(outcomes?.keys() ?? [])].filter((name) => !asked.has(name)),
    [],
  );
});
