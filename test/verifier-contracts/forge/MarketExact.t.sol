// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {Hostile} from "./Hostile.sol";
import {Toxic} from "./Toxic.sol";
import {World} from "./World.sol";

/// Boundaries of the terms and of the clock, to the unit; batches of several models; events, to the byte.
contract MarketExactTest is World {
    address private requester = human(1);
    address private operator = human(2);
    address private payee = human(3);

    function setUp() public {
        build();
    }

    function test_request_takes_terms_up_to_their_bounds() public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        terms.lockSeconds = 61;
        open(terms);
        (terms.nonce, terms.lockSeconds) = (2, 1 days);
        open(terms);
        (terms.nonce, terms.deadline) = (3, uint64(START));
        open(terms);
        (terms.callback, terms.callbackGas, terms.nonce) = (human(9), 1_000_000, 4);
        open(terms);
        (terms.lockSeconds, terms.lockCollateralWei, terms.nonce) = (0, 0, 5);
        open(terms);
        assertEq(address(market).balance, 5 ether, "escrow");
    }

    function test_request_refuses_terms_beyond_their_bounds() public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        terms.lockSeconds = 60;
        impossible(terms, "lockSeconds");
        terms.lockSeconds = 1 days + 1;
        impossible(terms, "lockSeconds");
        terms.lockSeconds = 61;
        terms.lockCollateralWei = 0;
        impossible(terms, "lockCollateralWei");
        terms.lockCollateralWei = 1;
        terms.deadline = uint64(START - 1);
        impossible(terms, "deadline");
        terms.deadline = uint64(START);
        terms.minSetupClass = 0;
        impossible(terms, "minSetupClass");
        terms.minSetupClass = 3;
        impossible(terms, "minSetupClass");
        terms.minSetupClass = 1;
        terms.inputSignalCount = 0;
        impossible(terms, "inputSignalCount");
        terms.inputSignalCount = 1;
        terms.inputDigest = 0;
        impossible(terms, "inputDigest");
        terms.inputDigest = bytes32(uint256(1));
        (terms.callback, terms.callbackGas) = (human(9), 1_000_001);
        impossible(terms, "callbackGas");
        (terms.callback, terms.callbackGas) = (human(9), 0);
        impossible(terms, "callback");
        (terms.callback, terms.callbackGas) = (address(0), 1);
        impossible(terms, "callback");
        terms.callbackGas = 0;
        open(terms);
        impossibleAgain(terms);
    }

    function test_lock_writes_down_who_and_until_when() public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        bytes32 id = open(terms);
        lockAs(operator, terms);
        IInferenceMarket.State memory state = market.stateOf(id);
        assertEq(state.since, START + 1 hours, "until");
        assertEq(state.lockedAt, START, "locked at");
        assertEq(state.collateralWei, 0.5 ether, "collateral");
        assertTrue(state.holder == operator, "holder");
        terms.nonce = 2;
        id = open(terms);
        vm.warp(terms.deadline);
        lockAs(operator, terms);
        assertEq(market.stateOf(id).since, terms.deadline, "no lock outlives the deadline");
        terms.nonce = 3;
        open(terms);
        vm.warp(uint256(terms.deadline) + 1);
        vm.deal(operator, 1 ether);
        vm.prank(operator);
        (bool ok, bytes memory returned) =
            address(market).call{value: terms.lockCollateralWei}(abi.encodeCall(market.lock, (terms)));
        assertTrue(!ok, "locked after the deadline");
        assertReason(selectorOf(returned), IInferenceMarket.DeadlinePassed.selector, "after the deadline");
    }

    /// Cancelled shortly before the deadline: the deadline comes first.
    function testFuzz_refund_of_a_cancelled_request_waits_for_the_earlier_moment(uint256 ahead) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        uint256 cancelledAt = uint256(terms.deadline) - bound(ahead, 0, 1200);
        vm.warp(cancelledAt);
        vm.prank(requester);
        market.cancel(terms);
        uint256 from = cancelledAt + 600 <= terms.deadline ? cancelledAt + 600 : uint256(terms.deadline) + 1;
        vm.warp(from - 1);
        assertRefused(
            address(market),
            abi.encodeCall(market.refund, (terms)),
            abi.encodeWithSelector(IInferenceMarket.TooEarly.selector, from)
        );
        vm.warp(from);
        market.refund(terms);
        assertEq(market.claimable(requester), terms.feeWei, "the fee");
    }

    function test_nobody_is_paid_at_address_zero() public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        bytes memory zero = abi.encodeWithSelector(IInferenceMarket.ZeroAddress.selector);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, address(0), 5);
        assertRefused(address(market), abi.encodeCall(market.fulfil, (work)), zero);
        market.fulfil(fulfilment(terms, operator, payee, 5));
        vm.prank(payee);
        assertRefused(address(market), abi.encodeCall(market.withdraw, (payable(address(0)))), zero);
        vm.prank(payee);
        assertRefused(
            address(market),
            abi.encodeCall(market.withdraw, (payable(address(market)))),
            abi.encodeWithSelector(IInferenceMarket.TransferFailed.selector, address(market))
        );
        assertEq(market.claimable(payee), terms.feeWei, "still booked");
    }

    /// An input of two public signals: both are bound, in their order.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfil_binds_all_input_signals(uint256 x, uint256 y, uint256 output) public {
        (x, y, output) = (x >> 8, y >> 8, output >> 8);
        vm.assume(x != y);
        uint256 seed = 8000;
        IModelRegistry.Identity memory identity = Toxic.identity(seed, 4);
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        terms.modelId = registry.registerModel(identity, Toxic.keyBytes(seed, 4));
        terms.inputSignalCount = 2;
        terms.inputDigest = keccak256(abi.encode(x, y));
        bytes32 id = open(terms);
        uint256[] memory all = new uint256[](4);
        all[0] = contextOf(
            address(market), id, terms.modelId, identity.vkHash, operator, payee, terms.deadline
        );
        (all[1], all[2], all[3]) = (y, x, output);
        IInferenceMarket.Fulfilment memory work =
            IInferenceMarket.Fulfilment(terms, operator, payee, Toxic.prove(seed, all, 9, 1), tail(all));
        assertRefused(
            address(market),
            abi.encodeCall(market.fulfil, (work)),
            abi.encodeWithSelector(
                IInferenceMarket.InputMismatch.selector, terms.inputDigest, keccak256(abi.encode(y, x))
            )
        );
        (all[1], all[2]) = (x, y);
        work.proof = Toxic.prove(seed, all, 9, 1);
        work.signals = tail(all);
        market.fulfil(work);
        assertEq(market.claimable(payee), terms.feeWei, "paid");
    }

    /// Two models in any order, and a member that is skipped between neighbours.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfilBatch_spans_models(uint256 order, uint256 bad) public {
        uint256 seed = 8100;
        IModelRegistry.Identity memory identity = Toxic.identity(seed, SIGNALS);
        bytes32 second = registry.registerModel(identity, Toxic.keyBytes(seed, SIGNALS));
        IInferenceMarket.Fulfilment[] memory all = new IInferenceMarket.Fulfilment[](4);
        for (uint256 i = 0; i < 4; ++i) {
            IInferenceMarket.Terms memory terms = termsOf(requester, i);
            terms.feeWei = uint128(1 << (8 * i));
            if (order >> i & 1 == 0) {
                open(terms);
                all[i] = fulfilment(terms, operator, payee, i);
                continue;
            }
            terms.modelId = second;
            bytes32 id = open(terms);
            uint256 context =
                contextOf(address(market), id, second, identity.vkHash, operator, payee, terms.deadline);
            uint256[] memory signals = statement(context, INPUT, i);
            all[i] = IInferenceMarket.Fulfilment(
                terms, operator, payee, Toxic.prove(seed, signals, 70 + i, 1), tail(signals)
            );
        }
        bad %= 4;
        all[bad].signals[1] ^= 1;
        assertRefused(
            address(market),
            abi.encodeCall(market.fulfilBatch, (all)),
            abi.encodeWithSelector(IGroth16Verifier.ProofRejected.selector)
        );
        all[bad].signals[1] ^= 1;
        market.fulfil(all[bad]);
        assertEq(market.fulfilBatch(all), 3, "fulfilled");
        assertEq(market.claimable(payee), 0x01010101, "each fee once");
    }

    function test_fulfilBatch_refuses_another_count_of_signals_for_one_key() public {
        IInferenceMarket.Fulfilment[] memory all = new IInferenceMarket.Fulfilment[](2);
        for (uint256 i = 0; i < 2; ++i) {
            IInferenceMarket.Terms memory terms = termsOf(requester, i);
            open(terms);
            all[i] = fulfilment(terms, operator, payee, i);
        }
        uint256[] memory three = new uint256[](3);
        three[0] = INPUT;
        all[1].signals = three;
        assertRefused(
            address(market),
            abi.encodeCall(market.fulfilBatch, (all)),
            abi.encodeWithSelector(IGroth16Verifier.SignalCountMismatch.selector, 3, 4)
        );
    }

    function test_fulfilBatch_takes_sixty_four_and_no_more() public {
        IInferenceMarket.Fulfilment[] memory all = new IInferenceMarket.Fulfilment[](64);
        for (uint256 i = 0; i < 64; ++i) {
            IInferenceMarket.Terms memory terms = termsOf(requester, i);
            open(terms);
            all[i] = fulfilment(terms, operator, payee, i);
        }
        uint256 before = gasleft();
        assertEq(market.fulfilBatch(all), 64, "fulfilled");
        assertTrue(before - gasleft() < 15_000_000, "half a block");
        assertRefused(
            address(market),
            abi.encodeCall(market.fulfilBatch, (new IInferenceMarket.Fulfilment[](65))),
            abi.encodeWithSelector(IInferenceMarket.BatchTooLarge.selector, 64, 65)
        );
    }

    function test_every_move_is_announced() public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        bytes32 id = market.requestIdOf(terms);
        vm.expectEmit(address(market));
        emit IInferenceMarket.InferenceRequested(id, modelId, requester, terms);
        open(terms);
        vm.deal(operator, 1 ether);
        vm.expectEmit(address(market));
        emit IInferenceMarket.RequestLocked(id, operator, uint64(START + 1 hours));
        vm.prank(operator);
        market.lock{value: 0.5 ether}(terms);
        vm.warp(START + 1 hours + 601);
        vm.expectEmit(address(market));
        emit IInferenceMarket.LockLapsed(id, operator, requester, 0.5 ether);
        market.lapse(terms);
        vm.expectEmit(address(market));
        emit IInferenceMarket.CancelStarted(id, uint64(START + 1 hours + 1201));
        vm.prank(requester);
        market.cancel(terms);
        vm.warp(START + 1 hours + 1201);
        vm.expectEmit(address(market));
        emit IInferenceMarket.RequestRefunded(id, requester, 1 ether);
        market.refund(terms);
        vm.expectEmit(address(market));
        emit IInferenceMarket.Withdrawn(requester, payee, 1.5 ether);
        vm.prank(requester);
        market.withdraw(payable(payee));

        Hostile consumer = new Hostile(market);
        consumer.set(Hostile.Manner.Revert, "");
        terms = termsOf(requester, 2);
        (terms.callback, terms.callbackGas) = (address(consumer), 50_000);
        id = open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, 5);
        vm.expectEmit(address(market));
        emit IInferenceMarket.InferenceFulfilled(id, modelId, operator, payee, 1 ether, work.signals);
        vm.expectEmit(address(market));
        emit IInferenceMarket.CallbackFailed(id, address(consumer));
        market.fulfil(work);
    }

    function tail(uint256[] memory all) private pure returns (uint256[] memory own) {
        own = new uint256[](all.length - 1);
        for (uint256 i = 1; i < all.length; ++i) own[i - 1] = all[i];
    }

    function impossible(IInferenceMarket.Terms memory terms, string memory what) private {
        vm.deal(requester, terms.feeWei);
        vm.prank(requester);
        (bool ok, bytes memory returned) =
            address(market).call{value: terms.feeWei}(abi.encodeCall(market.request, (terms)));
        assertTrue(!ok, what);
        bytes memory expected = abi.encodeWithSelector(IInferenceMarket.ImpossibleTerms.selector, what);
        assertTrue(keccak256(returned) == keccak256(expected), what);
    }

    function impossibleAgain(IInferenceMarket.Terms memory terms) private {
        vm.deal(requester, terms.feeWei);
        vm.prank(requester);
        (bool ok, bytes memory returned) =
            address(market).call{value: terms.feeWei}(abi.encodeCall(market.request, (terms)));
        assertTrue(!ok, "requested twice");
        assertReason(selectorOf(returned), IInferenceMarket.DuplicateRequest.selector, "requested twice");
    }
}
