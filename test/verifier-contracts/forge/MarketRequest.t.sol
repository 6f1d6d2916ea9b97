// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {InferenceMarket} from "../../../verifier-contracts/InferenceMarket.sol";
import {MarketWorld} from "./MarketWorld.sol";
import {Toxic} from "./Toxic.sol";

/// What a requester may ask for, take back and not dodge.
contract MarketRequestTest is MarketWorld {
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
}
