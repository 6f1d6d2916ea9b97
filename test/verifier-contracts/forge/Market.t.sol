// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {InferenceMarket} from "../../../verifier-contracts/InferenceMarket.sol";
import {Donor, Hostile, Gauge} from "./Hostile.sol";
import {Toxic} from "./Toxic.sol";
import {World} from "./World.sol";

contract MarketTest is World {
    address private requester = human(1);
    address private operator = human(2);
    address private payee = human(3);
    address private rival = human(4);

    function setUp() public {
        build();
    }

    function testFuzz_request_escrows_exactly_the_fee(uint256 nonce, uint128 fee, uint128 sent) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, nonce);
        terms.feeWei = fee;
        vm.deal(requester, uint256(fee) + sent);
        if (sent != fee) {
            vm.prank(requester);
            (bool ok,) = address(market).call{value: sent}(abi.encodeCall(market.request, (terms)));
            assertTrue(!ok, "another value");
        }
        vm.prank(requester);
        bytes32 id = market.request{value: fee}(terms);
        assertEq(address(market).balance, fee, "escrow");
        assertTrue(statusOf(id) == IInferenceMarket.Status.Open, "open");
        vm.deal(requester, fee);
        vm.prank(requester);
        (bool twice,) = address(market).call{value: fee}(abi.encodeCall(market.request, (terms)));
        assertTrue(!twice, "requested twice");
    }

    /// M06: an id is the hash of all terms, of the market and of the chain, and belongs to its requester.
    function testFuzz_request_ids_are_derived(uint256 nonce, uint256 field, uint256 other, address sender) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, nonce);
        bytes32 id = market.requestIdOf(terms);
        InferenceMarket twin = newMarket(registry);
        assertTrue(twin.requestIdOf(terms) != id, "another market");
        vm.assume(sender != requester);
        vm.deal(sender, 10 ether);
        vm.prank(sender);
        (bool ok, bytes memory returned) = address(market).call{value: 1 ether}(abi.encodeCall(market.request, (terms)));
        assertTrue(!ok, "for another");
        assertReason(selectorOf(returned), IInferenceMarket.NotRequester.selector, "for another");
        field %= 13;
        if (other == 0) other = 1;
        if (field == 0) terms.requester = address(uint160(terms.requester) ^ uint160(bound(other, 1, type(uint160).max)));
        if (field == 1) terms.nonce ^= other;
        if (field == 2) terms.modelId ^= bytes32(other);
        if (field == 3) terms.inputDigest ^= bytes32(other);
        if (field == 4) terms.inputSignalCount += uint16(bound(other, 1, 1000));
        if (field == 5) terms.minSetupClass += 1;
        if (field == 6) terms.attester = address(uint160(bound(other, 1, type(uint160).max)));
        if (field == 7) terms.feeWei += uint128(bound(other, 1, 1 ether));
        if (field == 8) terms.deadline += uint64(bound(other, 1, 1000));
        if (field == 9) terms.lockCollateralWei += uint128(bound(other, 1, 1 ether));
        if (field == 10) terms.lockSeconds += uint32(bound(other, 1, 1000));
        if (field == 11) terms.callback = address(uint160(bound(other, 1, type(uint160).max)));
        if (field == 12) terms.callbackGas += uint32(bound(other, 1, 1000));
        assertTrue(market.requestIdOf(terms) != id, "a term that does not change the id");
    }

    function testFuzz_request_refuses_impossible_terms(uint256 kind, uint256 raw) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, raw);
        kind %= 8;
        if (kind == 0) terms.deadline = uint64(START - 1 - raw % 1e9);
        if (kind == 1) terms.inputSignalCount = 0;
        if (kind == 2) terms.inputDigest = 0;
        if (kind == 3) terms.minSetupClass = raw % 2 == 0 ? 0 : uint8(3 + raw % 253);
        if (kind == 4) terms.lockSeconds = raw % 2 == 0 ? uint32(1 + raw % 60) : uint32(1 days + 1 + raw % 1e6);
        if (kind == 5) terms.lockCollateralWei = 0;
        if (kind == 6) (terms.callback, terms.callbackGas) = (human(9), uint32(1_000_001 + raw % 1e6));
        if (kind == 7) terms.callbackGas = uint32(1 + raw % 1e6); // gas for nobody
        vm.deal(requester, 1 ether);
        vm.prank(requester);
        (bool ok, bytes memory returned) = address(market).call{value: 1 ether}(abi.encodeCall(market.request, (terms)));
        assertTrue(!ok, "impossible terms");
        assertReason(selectorOf(returned), IInferenceMarket.ImpossibleTerms.selector, "impossible terms");
    }

    /// M17: a minimum setup class is a floor, and a named attester must have spoken.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_request_demands_a_setup_class_and_an_attester(address attester, address other) public {
        vm.assume(attester != address(0) && attester != other);
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        terms.minSetupClass = 2;
        assertReason(_requestRefused(terms), IInferenceMarket.SetupClassTooLow.selector, "dev for ceremony");
        IModelRegistry.Identity memory identity = Toxic.identity(7000, SIGNALS);
        (identity.setupClass, identity.transcriptDigest) = (2, keccak256("transcript"));
        terms.modelId = registry.registerModel(identity, Toxic.keyBytes(7000, SIGNALS));
        terms.attester = attester;
        vm.prank(other);
        registry.attest(terms.modelId, true);
        assertReason(_requestRefused(terms), IInferenceMarket.NotAttested.selector, "attested by another");
        vm.prank(attester);
        registry.attest(terms.modelId, true);
        open(terms);
    }

    function testFuzz_fulfil_pays_the_payee_of_the_proof(address submitter, uint256 output, uint128 fee) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        terms.feeWei = fee;
        bytes32 id = open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, output >> 8);
        vm.prank(submitter);
        market.fulfil(work);
        assertEq(market.claimable(payee), fee, "payee");
        assertTrue(submitter == payee || market.claimable(submitter) == 0, "submitter");
        assertTrue(statusOf(id) == IInferenceMarket.Status.Fulfilled, "fulfilled");
        assertReason(_fulfilRefused(work), IInferenceMarket.WrongStatus.selector, "paid twice");
    }

    /// M01: a copied proof pays its maker whatever the copier writes beside it, on every path and after a lapsed lock.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfil_cannot_be_redirected(uint256 path, address thief, uint256 output) public {
        vm.assume(thief != operator && thief != payee && thief != address(0));
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        path %= 3;
        if (path > 0) lockAs(path == 1 ? operator : rival, terms);
        if (path == 2) vm.warp(START + 1 hours + 10 minutes + 1);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, output >> 8);
        IInferenceMarket.Fulfilment memory stolen = fulfilment(terms, operator, payee, output >> 8);
        stolen.payee = thief;
        vm.prank(thief);
        assertReason(_fulfilRefused(stolen), IGroth16Verifier.ProofRejected.selector, "another payee");
        stolen.operator = thief;
        vm.prank(thief);
        assertReason(_fulfilRefused(stolen), IGroth16Verifier.ProofRejected.selector, "another operator and payee");
        vm.prank(thief);
        market.fulfil(work);
        assertEq(market.claimable(thief), 0, "the thief");
        assertTrue(market.claimable(payee) >= terms.feeWei, "the maker");
    }

    /// M02: a proof for one request proves nothing for another, nor for a settlement.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfil_binds_the_request(uint256 nonce, uint256 output) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, nonce);
        open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, output >> 8);
        unchecked {
            work.terms = termsOf(requester, nonce + 1);
        }
        open(work.terms);
        assertReason(_fulfilRefused(work), IGroth16Verifier.ProofRejected.selector, "another request");
    }

    /// M10: without the output, or with another input, there is nothing to pay for.
    function testFuzz_fulfil_demands_input_and_output(uint256 input, uint256 output) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, output >> 8);
        uint256[] memory all = work.signals;
        work.signals = new uint256[](1);
        work.signals[0] = INPUT;
        assertReason(_fulfilRefused(work), IInferenceMarket.NoOutput.selector, "no output");
        work.signals = all;
        vm.assume(input != INPUT);
        work.signals[0] = input;
        assertReason(_fulfilRefused(work), IInferenceMarket.InputMismatch.selector, "another input");
    }

    /// M05: nothing that is not a proof is taken for one.
    function testFuzz_fulfil_rejects_what_is_no_proof(uint256[8] calldata words, bytes calldata junk) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, 1);
        work.proof = words;
        (bool ok,) = address(market).call(abi.encodeCall(market.fulfil, (work)));
        assertTrue(!ok, "random words");
        work.proof = [uint256(0), 0, 0, 0, 0, 0, 0, 0];
        (ok,) = address(market).call(abi.encodeCall(market.fulfil, (work)));
        assertTrue(!ok, "zeros");
        (ok,) = address(market).call(bytes.concat(market.fulfil.selector, junk));
        assertTrue(!ok, "junk");
        assertEq(market.claimable(payee), 0, "paid for nothing");
    }

    /// M04, M21: the table of who may fulfil when, to the second.
    function testFuzz_fulfil_boundaries(uint256 moment, uint256 who) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        uint256 start = START;
        lockAs(operator, terms);
        uint256 lockEnd = start + terms.lockSeconds;
        uint256[11] memory moments = [
            start,
            start + 59,
            start + 60,
            lockEnd,
            lockEnd + 1,
            lockEnd + 600,
            lockEnd + 601,
            uint256(terms.deadline) - 1,
            terms.deadline,
            uint256(terms.deadline) + 1,
            uint256(terms.deadline) + 601
        ];
        uint256 now_ = moments[moment % 11];
        bool isHolder = who % 2 == 0;
        vm.warp(now_);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, isHolder ? operator : rival, payee, 5);
        bool exclusive = now_ >= start + 60 && now_ <= lockEnd + 600;
        bool allowed = exclusive ? isHolder : now_ <= terms.deadline;
        (bool ok, bytes memory returned) = address(market).call(abi.encodeCall(market.fulfil, (work)));
        assertTrue(ok == allowed, "the table of moments");
        if (!ok) {
            bytes4 reason = selectorOf(returned);
            assertTrue(
                reason == IInferenceMarket.LockedByOther.selector || reason == IInferenceMarket.DeadlinePassed.selector,
                "the reason"
            );
        } else {
            // Collateral returns unless the lock was over, grace included.
            uint256 slashed = now_ > lockEnd + 600 ? terms.lockCollateralWei : 0;
            assertEq(market.claimable(requester), slashed, "slashed");
            assertEq(market.claimable(operator), terms.lockCollateralWei - slashed, "returned");
        }
    }

    /// M21: the holder delivers in the grace after the deadline, when the lock ended with it.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfil_in_the_grace_after_the_deadline(uint256 late) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        vm.warp(terms.deadline - 5 minutes);
        lockAs(operator, terms);
        vm.warp(bound(late, uint256(terms.deadline) + 1, uint256(terms.deadline) + 10 minutes));
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.refund, (terms))),
            IInferenceMarket.LockStillAlive.selector,
            "refunded in the grace"
        );
        assertReason(
            _fulfilRefused(fulfilment(terms, rival, payee, 5)), IInferenceMarket.LockedByOther.selector, "a rival"
        );
        market.fulfil(fulfilment(terms, operator, payee, 5));
        assertEq(market.claimable(operator), terms.lockCollateralWei, "collateral");
    }

    /// M04: a lock that began less than a minute before the deadline holds, for its holder, from its first second.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfil_by_the_holder_when_the_deadline_falls_into_the_first_minute(
        uint256 ahead,
        uint256 late,
        bool batch
    ) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        uint256 lockedAt = uint256(terms.deadline) - bound(ahead, 0, 58);
        vm.warp(lockedAt);
        lockAs(operator, terms);
        vm.warp(bound(late, uint256(terms.deadline) + 1, lockedAt + 59));
        assertReason(
            _fulfilRefused(fulfilment(terms, rival, payee, 5)), IInferenceMarket.DeadlinePassed.selector, "a rival"
        );
        IInferenceMarket.Fulfilment[] memory works = new IInferenceMarket.Fulfilment[](1);
        works[0] = fulfilment(terms, operator, payee, 5);
        if (batch) assertEq(market.fulfilBatch(works), 1, "fulfilled");
        else market.fulfil(works[0]);
        assertEq(market.claimable(operator), terms.lockCollateralWei, "collateral");
    }

    /// M07: no order of one block lets a requester read a proof and keep the fee.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_a_requester_who_saw_the_proof_cannot_dodge(uint256 trick, uint64 wait) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        bytes32 id = open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, 5);
        trick %= 3;
        if (trick != 1) {
            vm.prank(requester);
            market.cancel(terms);
            assertReason(
                reasonOf(address(market), abi.encodeCall(market.refund, (terms))),
                IInferenceMarket.TooEarly.selector,
                "refunded at once"
            );
            vm.warp(START + bound(wait, 0, 10 minutes));
        }
        if (trick == 1) {
            lockAs(rival, terms); // the requester's other self
            vm.warp(START + bound(wait, 0, 59));
        }
        market.fulfil(work);
        assertEq(market.claimable(payee), terms.feeWei, "the fee");
        assertTrue(statusOf(id) == IInferenceMarket.Status.Fulfilled, "fulfilled");
    }

    function testFuzz_cancel_is_for_the_requester_of_an_unlocked_request(address other) public {
        vm.assume(other != requester);
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        bytes32 id = open(terms);
        vm.prank(other);
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.cancel, (terms))),
            IInferenceMarket.NotRequester.selector,
            "by another"
        );
        lockAs(operator, terms);
        vm.prank(requester);
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.cancel, (terms))),
            IInferenceMarket.WrongStatus.selector,
            "while locked"
        );
        vm.warp(START + 1 hours + 601);
        vm.prank(requester);
        market.cancel(terms);
        assertTrue(statusOf(id) == IInferenceMarket.Status.Cancelling, "cancelling after the lock lapsed");
        assertEq(market.claimable(requester), terms.lockCollateralWei, "and the holder slashed");
    }

    function testFuzz_refund_returns_the_fee_to_the_requester(address sender, uint256 moment, bool cancelling) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        bytes32 id = open(terms);
        uint256 start = START;
        if (cancelling) {
            vm.prank(requester);
            market.cancel(terms);
        }
        uint256 from = cancelling ? start + 10 minutes : uint256(terms.deadline) + 1;
        vm.warp(bound(moment, start, from - 1));
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.refund, (terms))), IInferenceMarket.TooEarly.selector, "early"
        );
        vm.warp(from);
        vm.prank(sender);
        market.refund(terms);
        assertEq(market.claimable(requester), terms.feeWei, "the fee");
        assertTrue(statusOf(id) == IInferenceMarket.Status.Refunded, "refunded");
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.refund, (terms))),
            IInferenceMarket.WrongStatus.selector,
            "refunded twice"
        );
        assertReason(
            _fulfilRefused(fulfilment(terms, operator, payee, 5)), IInferenceMarket.WrongStatus.selector, "paid and refunded"
        );
    }

    /// M08: a holder who vanishes is slashed once, after the grace and not before, and others may fulfil then.
    function testFuzz_lock_and_vanish_is_slashed_once(uint256 wait, uint256 way) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        uint256 end = START + terms.lockSeconds;
        lockAs(operator, terms);
        vm.warp(bound(wait, START, end + 600));
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.lapse, (terms))),
            IInferenceMarket.LockStillAlive.selector,
            "slashed in the grace"
        );
        vm.warp(end + 601);
        way %= 3;
        if (way == 0) market.lapse(terms);
        if (way == 1) lockAs(rival, terms);
        if (way == 2) market.fulfil(fulfilment(terms, rival, payee, 5));
        assertEq(market.claimable(requester), terms.lockCollateralWei, "slashed to the requester");
        assertEq(market.claimable(operator), 0, "the holder");
        (bool again,) = address(market).call(abi.encodeCall(market.lapse, (terms)));
        assertTrue(!again, "slashed twice");
    }

    function testFuzz_lock_takes_exactly_the_collateral(uint128 sent, address second) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        vm.assume(sent != terms.lockCollateralWei && second != address(0));
        vm.deal(operator, sent);
        vm.prank(operator);
        (bool ok,) = address(market).call{value: sent}(abi.encodeCall(market.lock, (terms)));
        assertTrue(!ok, "another collateral");
        lockAs(operator, terms);
        vm.deal(second, 1 ether);
        vm.prank(second);
        (ok,) = address(market).call{value: terms.lockCollateralWei}(abi.encodeCall(market.lock, (terms)));
        assertTrue(!ok, "locked twice");
        IInferenceMarket.Terms memory unlockable = termsOf(requester, 2);
        (unlockable.lockSeconds, unlockable.lockCollateralWei) = (0, 0);
        open(unlockable);
        vm.prank(operator);
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.lock, (unlockable))),
            IInferenceMarket.LockNotOffered.selector,
            "no lock offered"
        );
    }

    /// M19: whatever fails to verify, nobody loses anything by it.
    function testFuzz_a_failed_proof_costs_nobody_anything(uint256 word, uint256 bit, bool locked) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        bytes32 id = open(terms);
        if (locked) lockAs(operator, terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, 5);
        work.proof[word % 8] ^= 1 << (bit % 253);
        bytes32 before = keccak256(abi.encode(market.stateOf(id)));
        (bool ok,) = address(market).call(abi.encodeCall(market.fulfil, (work)));
        assertTrue(!ok, "accepted");
        assertTrue(keccak256(abi.encode(market.stateOf(id))) == before, "the state moved");
        assertEq(market.claimable(requester) + market.claimable(operator) + market.claimable(payee), 0, "money moved");
        vm.warp(START + 2 minutes);
        market.fulfil(fulfilment(terms, operator, payee, 5));
        assertEq(market.claimable(operator), locked ? terms.lockCollateralWei : 0, "collateral");
    }

    /// M20: under a frozen model nothing is paid, and everything flows back: the fee, and the collateral to its holder.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_freeze_pays_nobody_and_traps_nothing(bool locked, bool cancelling, uint64 wait) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        if (locked) {
            lockAs(operator, terms);
        } else if (cancelling) {
            vm.prank(requester);
            market.cancel(terms);
        }
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, payee, 5);
        freeze();
        assertReason(_fulfilRefused(work), IModelRegistry.FrozenModel.selector, "paid under a frozen model");
        vm.warp(START + bound(wait, 0, 30 days));
        market.refund(terms);
        assertEq(market.claimable(requester), terms.feeWei, "the fee");
        assertEq(market.claimable(operator), locked ? terms.lockCollateralWei : 0, "the collateral");
        (terms.nonce, terms.deadline) = (2, uint64(START + 365 days));
        assertReason(_requestRefused(terms), IModelRegistry.FrozenModel.selector, "a new request");
    }

    /// M15: only the owner of a booking moves it, to wherever it says.
    function testFuzz_withdraw_is_for_the_sender(address thief, uint256 to) public {
        vm.assume(thief != payee);
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        market.fulfil(fulfilment(terms, operator, payee, 5));
        address payable target = payable(human(1000 + to % 1000));
        vm.prank(thief);
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.withdraw, (target))),
            IInferenceMarket.NothingToWithdraw.selector,
            "by another"
        );
        vm.prank(payee);
        assertEq(market.withdraw(target), terms.feeWei, "amount");
        assertEq(target.balance, terms.feeWei, "received");
        vm.prank(payee);
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.withdraw, (target))),
            IInferenceMarket.NothingToWithdraw.selector,
            "twice"
        );
    }

    /// M11: eight hostile manners, as payee and as consumer: each loses its own call and nothing of anyone else's.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_hostile_receivers_hurt_only_themselves(uint256 manner, uint256 gas_) public {
        Hostile hostile = new Hostile(market);
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        (terms.callback, terms.callbackGas) = (address(hostile), uint32(bound(gas_, 30_000, 1_000_000)));
        bytes32 id = open(terms);
        IInferenceMarket.Fulfilment memory work = fulfilment(terms, operator, address(hostile), 5);
        IInferenceMarket.Terms memory bystander = termsOf(rival, 2);
        open(bystander);
        market.fulfil(fulfilment(bystander, operator, payee, 6));

        Hostile.Manner how = Hostile.Manner(manner % 8);
        bytes memory again = how == Hostile.Manner.ReenterWithdraw
            ? abi.encodeCall(market.withdraw, (payable(address(hostile))))
            : how == Hostile.Manner.ReenterRefund
                ? abi.encodeCall(market.refund, (terms))
                : abi.encodeCall(market.fulfil, (work));
        hostile.set(how, again);
        // In the callback a withdrawal is fair: the payment is booked. It calls receive(), which asks for more.
        market.fulfil(work);
        assertTrue(statusOf(id) == IInferenceMarket.Status.Fulfilled, "the callback blocked the payment");
        uint256 paid = terms.feeWei - market.claimable(address(hostile));
        assertEq(address(hostile).balance, paid, "booked and received are one fee");

        if (paid == 0) {
            hostile.act{gas: 5_000_000}(abi.encodeCall(market.withdraw, (payable(address(hostile)))), 0);
            assertEq(
                address(hostile).balance + market.claimable(address(hostile)), terms.feeWei, "one fee, here or there"
            );
        }
        if (address(hostile).balance == 0) {
            (bool ok,) = hostile.act(abi.encodeCall(market.withdraw, (payable(human(77)))), 0);
            assertTrue(ok && human(77).balance == terms.feeWei, "a contract that cannot receive names another account");
        }
        vm.prank(payee);
        market.withdraw(payable(payee));
        assertEq(payee.balance, bystander.feeWei, "the bystander");
        assertEq(address(market).balance, market.claimable(address(hostile)), "nothing else is left");
    }

    /// A submitter cannot starve the callback: it gets the gas that the request set aside, or nothing happens.
    /// The verifier's floor leaves some 100,000 behind it, so only a greater promise can be broken.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_callback_gets_its_gas(uint256 offset) public {
        Gauge consumer = new Gauge();
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        (terms.callback, terms.callbackGas) = (address(consumer), 400_000);
        bytes32 id = open(terms);
        bytes memory data = abi.encodeCall(market.fulfil, (fulfilment(terms, operator, payee, 5)));
        uint256 fulfilled;
        for (uint256 gasLimit = 200_000 + bound(offset, 0, 39_999); gasLimit < 1_000_000; gasLimit += 40_000) {
            uint256 snapshot = vm.snapshotState();
            (bool ok,) = address(market).call{gas: gasLimit}(data);
            uint256 got = consumer.gasAtEntry();
            bool isFulfilled = statusOf(id) == IInferenceMarket.Status.Fulfilled;
            vm.revertToState(snapshot);
            assertTrue(ok == isFulfilled, "status");
            assertTrue(ok ? got > 399_000 && got <= 400_000 : got == 0, "fulfilled without all of its gas");
            if (ok) ++fulfilled;
        }
        assertTrue(fulfilled > 0, "enough gas was enough");
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_fulfilBatch_fulfils_what_is_left(uint256 count, uint256 before, uint256 refunded) public {
        count = bound(count, 1, 5);
        IInferenceMarket.Fulfilment[] memory all = new IInferenceMarket.Fulfilment[](count);
        for (uint256 i = 0; i < count; ++i) {
            IInferenceMarket.Terms memory terms = termsOf(requester, i);
            open(terms);
            all[i] = fulfilment(terms, operator, payee, i);
        }
        uint256 left = count;
        uint256 booked;
        for (uint256 i = 0; i < count; ++i) {
            if (before >> i & 1 == 1) {
                market.fulfil(all[i]);
                booked += 1 ether;
                --left;
            } else if (refunded >> i & 1 == 1) {
                lockAs(rival, all[i].terms);
                --left;
            }
        }
        vm.warp(START + 61);
        if (left == 0) {
            assertReason(
                reasonOf(address(market), abi.encodeCall(market.fulfilBatch, (all))),
                IInferenceMarket.NothingToFulfil.selector,
                "nothing"
            );
        } else {
            assertEq(market.fulfilBatch(all), left, "fulfilled");
        }
        assertEq(market.claimable(payee), booked + left * 1 ether, "one fee each");
    }

    function testFuzz_fulfilBatch_is_all_or_nothing(uint256 count, uint256 bad, uint256 bit) public {
        count = bound(count, 1, 5);
        IInferenceMarket.Fulfilment[] memory all = new IInferenceMarket.Fulfilment[](count);
        for (uint256 i = 0; i < count; ++i) {
            IInferenceMarket.Terms memory terms = termsOf(requester, i);
            open(terms);
            all[i] = fulfilment(terms, operator, payee, i);
        }
        all[bad % count].proof[bit % 8] ^= 1 << (bit % 253);
        (bool ok,) = address(market).call(abi.encodeCall(market.fulfilBatch, (all)));
        assertTrue(!ok, "a bad member passed");
        assertEq(market.claimable(payee), 0, "paid");
        (ok,) = address(market).call(
            abi.encodeCall(market.fulfilBatch, (new IInferenceMarket.Fulfilment[](65)))
        );
        assertTrue(!ok, "beyond the cap");
    }

    /// M13: ether that nobody booked changes nothing and belongs to nobody.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_donations_change_nothing(uint96 amount) public {
        IInferenceMarket.Terms memory terms = termsOf(requester, 1);
        open(terms);
        vm.deal(address(this), amount);
        new Donor{value: amount}(payable(address(market)));
        (bool ok,) = address(market).call{value: 0}("");
        assertTrue(!ok, "a plain transfer");
        market.fulfil(fulfilment(terms, operator, payee, 5));
        vm.prank(payee);
        market.withdraw(payable(payee));
        assertEq(payee.balance, terms.feeWei, "the payee");
        assertEq(address(market).balance, amount, "the donation");
    }

    function test_constants_are_what_the_documents_say() public view {
        assertEq(market.CANCEL_DELAY(), 600, "cancel delay");
        assertEq(market.GRACE(), 600, "grace");
        assertEq(market.LOCK_DELAY(), 60, "lock delay");
        assertEq(market.MAX_CALLBACK_GAS(), 1_000_000, "callback gas");
        assertEq(market.MAX_BATCH(), 64, "market batch");
        assertEq(settlement.MAX_BATCH(), 64, "settlement batch");
        assertTrue(market.registry() == registry && settlement.registry() == registry, "one registry");
        assertTrue(registry.verifier() == verifier, "the verifier of the registry");
        assertTrue(market.verifier() == verifier && settlement.verifier() == verifier, "and of all");
        bytes32 codeHash = address(verifier).codehash;
        assertTrue(registry.verifierCodeHash() == codeHash, "pinned by the registry");
        assertTrue(market.verifierCodeHash() == codeHash && settlement.verifierCodeHash() == codeHash, "and by all");
    }

    function _requestRefused(IInferenceMarket.Terms memory terms) private returns (bytes4) {
        vm.deal(terms.requester, 10 ether);
        vm.prank(terms.requester);
        (bool ok, bytes memory returned) =
            address(market).call{value: terms.feeWei}(abi.encodeCall(market.request, (terms)));
        assertTrue(!ok, "requested");
        return selectorOf(returned);
    }

    function _fulfilRefused(IInferenceMarket.Fulfilment memory work) private returns (bytes4) {
        return reasonOf(address(market), abi.encodeCall(market.fulfil, (work)));
    }
}
