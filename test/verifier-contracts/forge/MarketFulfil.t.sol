// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// Which proof is paid for, and whom it pays, alone and in a batch.
contract MarketFulfilTest is MarketWorld {
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
}
