// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {ISettlement} from "../../../verifier-contracts/interfaces/ISettlement.sol";
import {InferenceMarket} from "../../../verifier-contracts/InferenceMarket.sol";
import {ModelRegistry} from "../../../verifier-contracts/ModelRegistry.sol";
import {Settlement} from "../../../verifier-contracts/Settlement.sol";
import {Donor} from "./Hostile.sol";
import {Toxic} from "./Toxic.sol";
import {World} from "./World.sol";

/// Four people, a thief and time: every action tries a real call and writes down what happened, apart from the
/// contracts' own books. Actions that must fail are tried as well.
contract Handler is World {
    struct Fact {
        uint256 payments;
        uint256 refunds;
        uint256 locks;
        uint256 slashes;
        uint256 releases;
    }

    address public constant THIEF = address(0x7417e7);
    uint256 private constant MAX_REQUESTS = 12;

    IInferenceMarket.Terms[] private allTerms;
    Fact[] private facts;
    ISettlement.Inference[] private settled;

    uint256 public cameIn;
    uint256 public wentOut;
    uint256 public donated;
    uint256 public misdirected;
    uint256 public earlySlashes;
    uint256 public movedByFailure;
    uint256 public illegalMoves;
    uint256 public resurrections;
    uint256 public paidWhileFrozen;
    uint256 public cancelledWhileLocked;
    uint256 public doubleSettlements;
    uint256 public marksLeftByFailure;
    uint256 public modelsRegistered;
    uint256 public undeadListings;
    bool public everFrozen;
    uint256 private clock = START;

    constructor() {
        build();
        modelsRegistered = 1;
    }

    function request(uint256 who, uint96 fee, uint32 ahead, bool lockable) external {
        if (allTerms.length == MAX_REQUESTS) return;
        IInferenceMarket.Terms memory made = termsOf(_person(who), allTerms.length);
        made.feeWei = fee;
        made.deadline = uint64(clock + bound(ahead, 1, 3 hours));
        if (!lockable) (made.lockSeconds, made.lockCollateralWei) = (0, 0);
        else made.lockSeconds = uint32(bound(ahead, 61, 2 hours));
        vm.deal(made.requester, made.requester.balance + fee);
        vm.prank(made.requester);
        (bool ok,) = address(market).call{value: fee}(abi.encodeCall(market.request, (made)));
        if (!ok) return;
        cameIn += fee;
        allTerms.push(made);
        facts.push();
    }

    function lock(uint256 which, uint256 who) external {
        if (allTerms.length == 0) return;
        which %= allTerms.length;
        IInferenceMarket.Terms memory on = allTerms[which];
        IInferenceMarket.State memory before = stateAt(which);
        address operator = _person(who);
        vm.deal(operator, operator.balance + on.lockCollateralWei);
        vm.prank(operator);
        (bool ok,) = address(market).call{value: on.lockCollateralWei}(abi.encodeCall(market.lock, (on)));
        _note(which, before, ok);
        if (!ok) return;
        cameIn += on.lockCollateralWei;
        ++facts[which].locks;
    }

    function fulfil(uint256 which, uint256 who, uint256 payTo, uint256 output) external {
        if (allTerms.length == 0) return;
        which %= allTerms.length;
        _fulfil(which, _person(who), _person(payTo), output >> 8);
    }

    function steal(uint256 which, uint256 who, uint256 output) external {
        if (allTerms.length == 0) return;
        which %= allTerms.length;
        IInferenceMarket.State memory before = stateAt(which);
        uint256 booked = bookings();
        IInferenceMarket.Fulfilment memory work =
            fulfilment(allTerms[which], _person(who), _person(who), output >> 8);
        work.payee = THIEF;
        if (output % 2 == 0) work.operator = THIEF;
        vm.prank(THIEF);
        (bool ok,) = address(market).call(abi.encodeCall(market.fulfil, (work)));
        if (ok || booked != bookings() || !_same(before, stateAt(which))) ++movedByFailure;
    }

    function fulfilBadly(uint256 which, uint256 who, uint256 word, uint256 bit) external {
        if (allTerms.length == 0) return;
        which %= allTerms.length;
        IInferenceMarket.State memory before = stateAt(which);
        uint256 booked = bookings();
        IInferenceMarket.Fulfilment memory work = fulfilment(allTerms[which], _person(who), _person(who), 9);
        work.proof[word % 8] ^= 1 << (bit % 253);
        (bool ok,) = address(market).call(abi.encodeCall(market.fulfil, (work)));
        if (ok || booked != bookings() || !_same(before, stateAt(which))) ++movedByFailure;
    }

    function fulfilBatch(uint256 from, uint256 size, uint256 who) external {
        if (allTerms.length == 0) return;
        size = bound(size, 1, 3);
        IInferenceMarket.Fulfilment[] memory works = new IInferenceMarket.Fulfilment[](size);
        IInferenceMarket.State[] memory before = new IInferenceMarket.State[](size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 which = (from % allTerms.length + i) % allTerms.length;
            works[i] = fulfilment(allTerms[which], _person(who), _person(who), i);
            before[i] = stateAt(which);
        }
        bool frozen = _frozen();
        (bool ok,) = address(market).call(abi.encodeCall(market.fulfilBatch, (works)));
        for (uint256 i = 0; i < size; ++i) {
            uint256 which = (from % allTerms.length + i) % allTerms.length;
            bool first = i < allTerms.length; // a batch may name a request twice
            if (!first) continue;
            bool paid = ok && before[i].status != IInferenceMarket.Status.Fulfilled
                && stateAt(which).status == IInferenceMarket.Status.Fulfilled;
            _note(which, before[i], paid);
            if (paid) {
                ++facts[which].payments;
                if (frozen) ++paidWhileFrozen;
            }
        }
    }

    function cancel(uint256 which) external {
        if (allTerms.length == 0) return;
        which %= allTerms.length;
        IInferenceMarket.State memory before = stateAt(which);
        bool alive = before.status == IInferenceMarket.Status.Locked && !_over(before);
        vm.prank(allTerms[which].requester);
        (bool ok,) = address(market).call(abi.encodeCall(market.cancel, (allTerms[which])));
        if (ok && alive) ++cancelledWhileLocked;
        _note(which, before, ok);
    }

    function refund(uint256 which) external {
        if (allTerms.length == 0) return;
        _refund(which % allTerms.length);
    }

    function lapse(uint256 which) external {
        if (allTerms.length == 0) return;
        which %= allTerms.length;
        IInferenceMarket.State memory before = stateAt(which);
        (bool ok,) = address(market).call(abi.encodeCall(market.lapse, (allTerms[which])));
        _note(which, before, ok);
    }

    function withdraw(uint256 who) external {
        _withdraw(_person(who));
    }

    function donate(uint96 amount) external {
        vm.deal(address(this), amount);
        new Donor{value: amount}(payable(address(market)));
        donated += amount;
        cameIn += amount;
    }

    function settle(uint256 who, uint8 nonce, uint256 output, bool badly) external {
        ISettlement.Inference memory inference =
            proven(_person(who), nonce, _person(who), _person(who), clock + 1, output >> 8);
        bool before = settlement.isSettled(inference.requester, nonce);
        if (badly) inference.proof[output % 8] ^= 2;
        (bool ok,) = address(settlement).call(abi.encodeCall(settlement.settle, (inference)));
        if (ok && before) ++doubleSettlements;
        if (!ok && !before && settlement.isSettled(inference.requester, nonce)) ++marksLeftByFailure;
        if (ok) settled.push(inference);
    }

    function freezeByContradiction(uint256 one, uint256 other, uint256 rare) external {
        (one, other) = (one >> 8, other >> 8);
        if (one == other || rare % 5 != 0) return;
        uint256[] memory first = statement(1, INPUT, one);
        uint256[] memory second = statement(2, INPUT, other);
        (bool ok,) = address(registry).call(
            abi.encodeCall(registry.reportContradiction, (modelId, first, prove(first), second, prove(second)))
        );
        if (ok) everFrozen = true;
    }

    function accuseFalsely(uint256 one, uint256 other) external {
        uint256[] memory first = statement(1, (1 << 250) + (one >> 8), 1);
        uint256[] memory second = statement(2, (1 << 251) + (other >> 8), 2);
        (bool ok,) = address(registry).call(
            abi.encodeCall(registry.reportContradiction, (modelId, first, prove(first), second, prove(second)))
        );
        if (ok) everFrozen = false; // makes invariant_only_evidence_freezes fail
    }

    function registerAnother(uint256 seed) external {
        if (modelsRegistered > 3) return;
        seed = 10_000 + seed % 5;
        (bool ok,) = address(registry).call(
            abi.encodeCall(registry.registerModel, (Toxic.identity(seed, SIGNALS), Toxic.keyBytes(seed, SIGNALS)))
        );
        if (ok) ++modelsRegistered;
    }

    function listAndRetire(uint256 who, bool retire) external {
        address publisher = _person(who);
        bool before = registry.listingOf(modelId, publisher).retired;
        vm.prank(publisher);
        (bool ok,) = address(registry).call(
            retire ? abi.encodeCall(registry.retire, (modelId)) : abi.encodeCall(registry.list, (modelId, 1, 2, "u"))
        );
        if (before && (ok || !registry.listingOf(modelId, publisher).retired)) ++undeadListings;
    }

    function wait(uint32 time) external {
        clock += bound(time, 1, 40 minutes);
        vm.warp(clock);
    }

    function refundEverything() external {
        clock += 2 days;
        vm.warp(clock);
        for (uint256 i = 0; i < allTerms.length; ++i) _refund(i);
    }

    function withdrawEverything() external {
        for (uint256 i = 0; i < 4; ++i) _withdraw(_person(i));
    }

    function openFees() external view returns (uint256 sum) {
        for (uint256 i = 0; i < allTerms.length; ++i) {
            IInferenceMarket.Status status = statusAt(i);
            if (status != IInferenceMarket.Status.Fulfilled && status != IInferenceMarket.Status.Refunded) {
                sum += allTerms[i].feeWei;
            }
        }
    }

    function lockedCollateral() external view returns (uint256 sum) {
        for (uint256 i = 0; i < allTerms.length; ++i) sum += stateAt(i).collateralWei;
    }

    function bookings() public view returns (uint256 sum) {
        for (uint256 i = 0; i < 4; ++i) sum += market.claimable(_person(i));
        sum += market.claimable(THIEF);
    }

    function allSettledStay() external view returns (bool) {
        for (uint256 i = 0; i < settled.length; ++i) {
            if (!settlement.isSettled(settled[i].requester, settled[i].nonce)) return false;
        }
        return true;
    }

    function count() external view returns (uint256) {
        return allTerms.length;
    }

    function fact(uint256 i) external view returns (Fact memory) {
        return facts[i];
    }

    function terms(uint256 i) external view returns (IInferenceMarket.Terms memory) {
        return allTerms[i];
    }

    function stateAt(uint256 i) public view returns (IInferenceMarket.State memory) {
        return market.stateOf(market.requestIdOf(allTerms[i]));
    }

    function statusAt(uint256 i) public view returns (IInferenceMarket.Status) {
        return stateAt(i).status;
    }

    function theMarket() external view returns (InferenceMarket) {
        return market;
    }

    function theRegistry() external view returns (ModelRegistry) {
        return registry;
    }

    function theSettlement() external view returns (Settlement) {
        return settlement;
    }

    function theModel() external view returns (bytes32) {
        return modelId;
    }

    function theKey() external view returns (bytes32) {
        return vkHash;
    }

    function _fulfil(uint256 which, address operator, address payTo, uint256 output) private {
        IInferenceMarket.State memory before = stateAt(which);
        uint256 had = market.claimable(payTo);
        bool frozen = _frozen();
        (bool ok,) = address(market).call(
            abi.encodeCall(market.fulfil, (fulfilment(allTerms[which], operator, payTo, output)))
        );
        _note(which, before, ok);
        if (!ok) return;
        ++facts[which].payments;
        if (frozen) ++paidWhileFrozen;
        if (market.claimable(payTo) < had + allTerms[which].feeWei) ++misdirected;
    }

    function _refund(uint256 which) private {
        IInferenceMarket.State memory before = stateAt(which);
        (bool ok,) = address(market).call(abi.encodeCall(market.refund, (allTerms[which])));
        _note(which, before, ok);
        if (ok) ++facts[which].refunds;
    }

    function _withdraw(address who) private {
        uint256 had = who.balance;
        vm.prank(who);
        (bool ok,) = address(market).call(abi.encodeCall(market.withdraw, (payable(who))));
        if (ok) wentOut += who.balance - had;
    }

    /// What a call did to a request: was the move one of the graph, and how did a lock end?
    function _note(uint256 which, IInferenceMarket.State memory before, bool ok) private {
        IInferenceMarket.State memory now_ = stateAt(which);
        IInferenceMarket.Status a = before.status;
        IInferenceMarket.Status b = now_.status;
        if (!ok) {
            if (!_same(before, now_)) ++illegalMoves;
            return;
        }
        if (a == IInferenceMarket.Status.Fulfilled || a == IInferenceMarket.Status.Refunded) {
            if (a != b) ++resurrections;
        }
        if (a == IInferenceMarket.Status.Cancelling && b != IInferenceMarket.Status.Fulfilled && b != IInferenceMarket.Status.Refunded) {
            if (a != b) ++illegalMoves;
        }
        if (b == IInferenceMarket.Status.None) ++illegalMoves;
        bool ended = a == IInferenceMarket.Status.Locked
            && (b != IInferenceMarket.Status.Locked || now_.lockedAt != before.lockedAt || now_.holder != before.holder);
        if (!ended) return;
        // A lock ends by its holder's proof, by a proof in its first minute, by a freeze: returned. Else: slashed.
        bool isSlashed = _over(before) && !_frozen();
        if (isSlashed) ++facts[which].slashes;
        else ++facts[which].releases;
        if (!isSlashed && !_frozen() && b != IInferenceMarket.Status.Fulfilled) ++earlySlashes;
    }

    function _over(IInferenceMarket.State memory state) private view returns (bool) {
        return clock > uint256(state.since) + 10 minutes;
    }

    function _frozen() private view returns (bool) {
        return registry.statusOf(modelId) == IModelRegistry.Status.Frozen;
    }

    function _same(IInferenceMarket.State memory a, IInferenceMarket.State memory b) private pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    function _person(uint256 who) private pure returns (address) {
        return human(who % 4);
    }
}
