// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {Donor, Hostile, Gauge} from "./Hostile.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// Payments, callbacks, a frozen model and ether that nobody booked.
contract MarketMoneyTest is MarketWorld {
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
}
