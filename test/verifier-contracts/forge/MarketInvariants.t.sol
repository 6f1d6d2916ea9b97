// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {ISettlement} from "../../../verifier-contracts/interfaces/ISettlement.sol";
import {Handler} from "./Handler.sol";
import {Spec} from "./Vm.sol";

/// What is true after every sequence of calls by anyone, at any time. Each sentence is a function, and its name. They
/// are checked together after every call: one campaign of forge, not one for each.
contract MarketInvariants is Spec {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_every_sentence_holds() public {
        sentence_balance_is_escrow_plus_collateral_plus_claimable_plus_donations();
        sentence_what_came_in_is_what_went_out_or_is_still_here();
        sentence_a_request_is_paid_at_most_once();
        sentence_a_request_is_refunded_at_most_once();
        sentence_a_closed_request_is_paid_or_refunded_and_not_both();
        sentence_a_lock_is_slashed_or_returned_and_not_both();
        sentence_the_fee_went_to_the_payee_of_the_proof();
        sentence_a_copied_proof_never_paid_its_copier();
        sentence_nobody_is_slashed_before_the_grace_is_over();
        sentence_a_failed_proof_moves_no_money_and_no_status();
        sentence_status_moves_only_along_the_graph();
        sentence_a_final_status_is_final();
        sentence_a_frozen_model_is_never_paid();
        sentence_a_frozen_model_stays_frozen();
        sentence_only_evidence_freezes();
        sentence_only_locked_requests_hold_collateral();
        sentence_no_lock_outlives_its_deadline();
        sentence_a_locked_request_cannot_be_cancelled();
        sentence_a_refund_is_reachable_from_every_open_state();
        sentence_every_booking_can_be_withdrawn();
        sentence_a_nonce_settles_at_most_once();
        sentence_a_settled_nonce_stays_settled();
        sentence_a_failed_settlement_leaves_no_mark();
        sentence_the_supply_of_models_never_shrinks();
        sentence_an_id_never_changes_its_key();
        sentence_a_tombstone_stays();
        sentence_settlement_holds_no_money();
    }

    function sentence_balance_is_escrow_plus_collateral_plus_claimable_plus_donations() public view {
        assertEq(
            address(handler.theMarket()).balance,
            handler.openFees() + handler.lockedCollateral() + handler.bookings() + handler.donated(),
            "books"
        );
    }

    function sentence_what_came_in_is_what_went_out_or_is_still_here() public view {
        assertEq(handler.cameIn(), handler.wentOut() + address(handler.theMarket()).balance, "flow");
    }

    function sentence_a_request_is_paid_at_most_once() public view {
        for (uint256 i = 0; i < handler.count(); ++i) assertTrue(handler.fact(i).payments <= 1, "paid twice");
    }

    function sentence_a_request_is_refunded_at_most_once() public view {
        for (uint256 i = 0; i < handler.count(); ++i) assertTrue(handler.fact(i).refunds <= 1, "refunded twice");
    }

    function sentence_a_closed_request_is_paid_or_refunded_and_not_both() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            IInferenceMarket.Status status = handler.statusAt(i);
            uint256 paid = handler.fact(i).payments;
            uint256 refunded = handler.fact(i).refunds;
            assertEq(paid, status == IInferenceMarket.Status.Fulfilled ? 1 : 0, "paid iff fulfilled");
            assertEq(refunded, status == IInferenceMarket.Status.Refunded ? 1 : 0, "refunded iff refunded");
        }
    }

    function sentence_a_lock_is_slashed_or_returned_and_not_both() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            uint256 ended = handler.fact(i).slashes + handler.fact(i).releases;
            uint256 live = handler.statusAt(i) == IInferenceMarket.Status.Locked ? 1 : 0;
            assertEq(ended + live, handler.fact(i).locks, "locks");
        }
    }

    function sentence_the_fee_went_to_the_payee_of_the_proof() public view {
        assertEq(handler.misdirected(), 0, "misdirected");
    }

    function sentence_a_copied_proof_never_paid_its_copier() public view {
        assertEq(handler.theMarket().claimable(handler.THIEF()), 0, "the thief");
    }

    function sentence_nobody_is_slashed_before_the_grace_is_over() public view {
        assertEq(handler.earlySlashes(), 0, "early slashes");
    }

    function sentence_a_failed_proof_moves_no_money_and_no_status() public view {
        assertEq(handler.movedByFailure(), 0, "moved by a failure");
    }

    function sentence_status_moves_only_along_the_graph() public view {
        assertEq(handler.illegalMoves(), 0, "illegal moves");
    }

    function sentence_a_final_status_is_final() public view {
        assertEq(handler.resurrections(), 0, "resurrections");
    }

    function sentence_a_frozen_model_is_never_paid() public view {
        assertEq(handler.paidWhileFrozen(), 0, "paid while frozen");
    }

    function sentence_a_frozen_model_stays_frozen() public view {
        assertTrue(
            !handler.everFrozen() || handler.theRegistry().statusOf(handler.theModel()) == IModelRegistry.Status.Frozen,
            "thawed"
        );
    }

    function sentence_only_evidence_freezes() public view {
        assertTrue(
            handler.everFrozen() || handler.theRegistry().statusOf(handler.theModel()) == IModelRegistry.Status.Active,
            "frozen without evidence"
        );
    }

    function sentence_only_locked_requests_hold_collateral() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            IInferenceMarket.State memory state = handler.stateAt(i);
            bool locked = state.status == IInferenceMarket.Status.Locked;
            assertTrue(locked == (state.holder != address(0)), "a holder iff locked");
            assertEq(state.collateralWei, locked ? handler.terms(i).lockCollateralWei : 0, "collateral iff locked");
        }
    }

    function sentence_no_lock_outlives_its_deadline() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            IInferenceMarket.State memory state = handler.stateAt(i);
            if (state.status != IInferenceMarket.Status.Locked) continue;
            assertTrue(state.since <= handler.terms(i).deadline, "until");
            assertTrue(state.since <= state.lockedAt + handler.terms(i).lockSeconds, "for longer than offered");
        }
    }

    function sentence_a_locked_request_cannot_be_cancelled() public view {
        assertEq(handler.cancelledWhileLocked(), 0, "cancelled while locked");
    }

    function sentence_a_refund_is_reachable_from_every_open_state() public {
        uint256 snapshot = vm.snapshotState();
        handler.refundEverything();
        for (uint256 i = 0; i < handler.count(); ++i) {
            IInferenceMarket.Status status = handler.statusAt(i);
            assertTrue(
                status == IInferenceMarket.Status.Refunded || status == IInferenceMarket.Status.Fulfilled, "trapped"
            );
        }
        vm.revertToState(snapshot);
    }

    function sentence_every_booking_can_be_withdrawn() public {
        uint256 snapshot = vm.snapshotState();
        handler.withdrawEverything();
        assertEq(handler.bookings(), 0, "left in the books");
        vm.revertToState(snapshot);
    }

    function sentence_a_nonce_settles_at_most_once() public view {
        assertEq(handler.doubleSettlements(), 0, "settled twice");
    }

    function sentence_a_settled_nonce_stays_settled() public view {
        assertTrue(handler.allSettledStay(), "unsettled");
    }

    function sentence_a_failed_settlement_leaves_no_mark() public view {
        assertEq(handler.marksLeftByFailure(), 0, "a mark was left");
    }

    function sentence_the_supply_of_models_never_shrinks() public view {
        assertEq(handler.theRegistry().modelCount(), handler.modelsRegistered(), "models");
    }

    function sentence_an_id_never_changes_its_key() public view {
        if (handler.everFrozen()) return;
        (, bytes32 vkHash) = handler.theRegistry().keyOf(handler.theModel());
        assertTrue(vkHash == handler.theKey(), "the key changed");
    }

    function sentence_a_tombstone_stays() public view {
        assertEq(handler.undeadListings(), 0, "a listing came back");
    }

    function sentence_settlement_holds_no_money() public view {
        assertEq(address(handler.theSettlement()).balance, 0, "ether in the settlement contract");
    }
}
