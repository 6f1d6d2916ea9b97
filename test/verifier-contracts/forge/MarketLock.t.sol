// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// The exclusive lock: who may fulfil when, to the second, and who loses what.
contract MarketLockTest is MarketWorld {
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
}
