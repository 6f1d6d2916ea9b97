// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {ISettlement} from "../../../verifier-contracts/interfaces/ISettlement.sol";
import {Settlement} from "../../../verifier-contracts/Settlement.sol";
import {Toxic} from "./Toxic.sol";
import {World} from "./World.sol";

contract SettlementTest is World {
    function setUp() public {
        build();
    }

    function testFuzz_settle_once_by_anyone(address requester, uint96 nonce, address operator, address payee, address sender)
        public
    {
        ISettlement.Inference memory inference = proven(requester, nonce, operator, payee, START, 7);
        assertTrue(!settlement.isSettled(requester, nonce), "settled before");
        vm.prank(sender);
        bytes32 requestId = settlement.settle(inference);
        assertTrue(requestId == settlement.requestIdOf(requester, nonce, modelId, START), "request id");
        assertTrue(settlement.isSettled(requester, nonce), "settled");
        assertTrue(!settlement.isSettled(requester, uint256(nonce) + 1), "its neighbour");
        assertReason(_refused(inference), ISettlement.AlreadySettled.selector, "settled twice");
        inference = proven(requester, nonce, operator, payee, START + 1, 8);
        assertReason(_refused(inference), ISettlement.AlreadySettled.selector, "the nonce with other terms");
    }

    /// finding-23: a stranger with a proof of a model of their own could use up the nonces that follow one that was settled.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_only_by_the_submitter_that_the_nonce_names(
        address requester,
        address submitter,
        address stranger,
        uint96 low,
        bool byRequester
    ) public {
        vm.assume(submitter != address(0) && stranger != submitter && stranger != requester);
        uint256 nonce = uint256(uint160(submitter)) << 96 | low;
        ISettlement.Inference memory theirs = proven(requester, nonce, stranger, stranger, START, 9);
        bytes memory refusal = abi.encodeWithSelector(ISettlement.NotSubmitter.selector, submitter);
        vm.prank(stranger);
        assertRefused(address(settlement), abi.encodeCall(settlement.settle, (theirs)), refusal);
        ISettlement.Inference[] memory batch = new ISettlement.Inference[](1);
        batch[0] = theirs;
        vm.prank(stranger);
        assertRefused(address(settlement), abi.encodeCall(settlement.settleBatch, (batch)), refusal);
        assertTrue(!settlement.isSettled(requester, nonce), "a stranger left a mark");
        ISettlement.Inference memory ours = proven(requester, nonce, human(2), human(3), START, 7);
        vm.prank(byRequester ? requester : submitter);
        settlement.settle(ours);
        assertTrue(settlement.isSettled(requester, nonce), "settled");
    }

    /// M01, M02: every bound value is bound.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_binds_every_value(uint256 field, uint256 other, uint256 output) public {
        ISettlement.Inference memory inference =
            proven(human(1), 1, human(2), human(3), START + 100, output >> 8);
        address stranger = address(uint160(uint256(keccak256(abi.encode(other)))));
        field %= 7;
        if (field == 0) inference.operator = stranger;
        if (field == 1) inference.payee = stranger;
        if (field == 2) inference.requester = stranger;
        if (field == 3) inference.nonce ^= uint96(other) == 0 ? 1 : uint96(other);
        if (field == 4) inference.deadline = inference.deadline + 1 + other % 1e9;
        if (field == 5) inference.signals[1] = addmod(inference.signals[1], 1 + other % (Toxic.R - 1), Toxic.R);
        if (field == 6) inference.signals[0] = addmod(inference.signals[0], 1 + other % (Toxic.R - 1), Toxic.R);
        assertReason(_refused(inference), IGroth16Verifier.ProofRejected.selector, "a changed value");
        assertTrue(!settlement.isSettled(inference.requester, inference.nonce), "a refused settlement left its mark");
    }

    /// M02: another chain, another settlement contract, another model with the same key.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_binds_chain_contract_and_model(uint64 chainId, uint256 manifest) public {
        vm.assume(chainId != 31337);
        ISettlement.Inference memory inference = proven(human(1), 1, human(2), human(3), START, 7);
        Settlement twin = newSettlement(registry);
        assertReason(
            reasonOf(address(twin), abi.encodeCall(twin.settle, (inference))),
            IGroth16Verifier.ProofRejected.selector,
            "another contract"
        );
        IModelRegistry.Identity memory identity = Toxic.identity(SEED, SIGNALS);
        identity.manifestDigest = keccak256(abi.encode(manifest));
        ISettlement.Inference memory moved = proven(human(1), 1, human(2), human(3), START, 7);
        moved.modelId = registry.registerModel(identity, Toxic.keyBytes(SEED, SIGNALS));
        assertReason(_refused(moved), IGroth16Verifier.ProofRejected.selector, "another model, same key");
        vm.chainId(chainId);
        assertReason(_refused(inference), IGroth16Verifier.ProofRejected.selector, "another chain");
        vm.chainId(31337);
        settlement.settle(inference);
    }

    /// M04: the deadline is the last second.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_until_the_deadline(uint32 ahead, uint32 late) public {
        uint256 deadline = START + ahead;
        ISettlement.Inference memory inference = proven(human(1), 1, human(2), human(3), deadline, 7);
        vm.warp(deadline + 1 + late);
        assertReason(_refused(inference), ISettlement.DeadlinePassed.selector, "after the deadline");
        vm.warp(deadline);
        settlement.settle(inference);
    }

    /// P07 on chain: the same statement in another proof is the same settlement.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_counts_a_rerandomized_proof_once(uint256 a, uint256 b) public {
        ISettlement.Inference memory inference = proven(human(1), 1, human(2), human(3), START, 7);
        settlement.settle(inference);
        bytes32 requestId = settlement.requestIdOf(human(1), 1, modelId, START);
        uint256 context =
            contextOf(address(settlement), requestId, modelId, vkHash, human(2), human(3), START);
        inference.proof =
            Toxic.prove(SEED, statement(context, INPUT, 7), bound(a, 1, Toxic.R - 1), bound(b, 1, 8));
        assertReason(_refused(inference), ISettlement.AlreadySettled.selector, "a re-randomized twin");
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settleBatch_settles_what_is_left(uint256 count, uint256 before, uint256 late) public {
        count = bound(count, 1, 6);
        ISettlement.Inference[] memory all = _batch(count);
        uint256 left = count;
        for (uint256 i = 0; i < count; ++i) {
            if (before >> i & 1 == 1) {
                settlement.settle(all[i]);
                --left;
            } else if (late >> i & 1 == 1) {
                all[i].deadline = START - 1; // out of time, and not even proved for it
                --left;
            }
        }
        if (left == 0) {
            assertReason(
                reasonOf(address(settlement), abi.encodeCall(settlement.settleBatch, (all))),
                ISettlement.NothingToSettle.selector,
                "nothing"
            );
            return;
        }
        assertEq(settlement.settleBatch(all), left, "settled");
        for (uint256 i = 0; i < count; ++i) {
            bool late_ = before >> i & 1 == 0 && late >> i & 1 == 1;
            assertTrue(settlement.isSettled(all[i].requester, all[i].nonce) != late_, "each live member is settled");
        }
    }

    function testFuzz_settleBatch_is_all_or_nothing(uint256 count, uint256 bad, uint256 bit) public {
        count = bound(count, 1, 6);
        ISettlement.Inference[] memory all = _batch(count);
        bad %= count;
        all[bad].proof[bit % 8] ^= 1 << (bit % 253);
        (bool ok,) = address(settlement).call(abi.encodeCall(settlement.settleBatch, (all)));
        assertTrue(!ok, "a bad member passed");
        for (uint256 i = 0; i < count; ++i) {
            assertTrue(!settlement.isSettled(all[i].requester, all[i].nonce), "a mark was left");
        }
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settleBatch_settles_a_twin_once(uint256 count, uint256 twin) public {
        count = bound(count, 2, 5);
        ISettlement.Inference[] memory all = _batch(count);
        all[twin % (count - 1) + 1] = all[0];
        assertEq(settlement.settleBatch(all), count - 1, "a member named twice");
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settleBatch_spans_models(uint256 order) public {
        uint256 seed = 6000 + order % 100;
        IModelRegistry.Identity memory identity = Toxic.identity(seed, SIGNALS);
        bytes32 second = registry.registerModel(identity, Toxic.keyBytes(seed, SIGNALS));
        ISettlement.Inference[] memory all = _batch(4);
        for (uint256 i = 0; i < 4; ++i) {
            if (order >> i & 1 == 0) continue;
            bytes32 requestId = settlement.requestIdOf(human(1), all[i].nonce, second, all[i].deadline);
            uint256 context = contextOf(
                address(settlement), requestId, second, identity.vkHash, human(2), human(3), all[i].deadline
            );
            all[i].modelId = second;
            all[i].proof = Toxic.prove(seed, statement(context, INPUT, all[i].signals[1]), 77 + i, 1);
        }
        assertEq(settlement.settleBatch(all), 4, "two models in one batch");
    }

    /// M14: a batch has a cap.
    function testFuzz_settleBatch_is_capped(uint8 extra) public {
        ISettlement.Inference[] memory all = new ISettlement.Inference[](65 + uint256(extra));
        assertReason(
            reasonOf(address(settlement), abi.encodeCall(settlement.settleBatch, (all))),
            ISettlement.BatchTooLarge.selector,
            "too large"
        );
    }

    /// M14: the gas of a batch grows by the member, and the largest takes less than half a block.
    function test_the_largest_batch_fits_in_half_a_block() public {
        uint256 last;
        for (uint256 size = 1; size <= 64; size *= 4) {
            ISettlement.Inference[] memory all = _batch(size, size);
            uint256 before = gasleft();
            settlement.settleBatch(all);
            uint256 used = before - gasleft();
            assertTrue(last == 0 || used < 4 * last, "the gas grows faster than the batch");
            last = used;
        }
        assertTrue(last < 15_000_000, "the largest batch");
    }

    /// M16: nothing off chain is signed for a contract of ours: a request is a transaction, a settlement is a proof.
    /// S03: no gas limit makes a valid settlement look like an invalid one.
    function testFuzz_settle_never_judges_without_gas(uint256 gasLimit) public {
        ISettlement.Inference memory inference = proven(human(1), 1, human(2), human(3), START, 7);
        gasLimit = bound(gasLimit, 0, 500_000);
        (bool ok, bytes memory returned) =
            address(settlement).call{gas: gasLimit}(abi.encodeCall(settlement.settle, (inference)));
        bytes4 reason = selectorOf(returned);
        assertTrue(
            ok || (reason != IGroth16Verifier.ProofRejected.selector && reason != IGroth16Verifier.InvalidPoint.selector),
            "a valid proof was judged invalid"
        );
        assertTrue(ok == settlement.isSettled(human(1), 1), "settled without success");
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_refuses_a_frozen_model(uint256 output) public {
        ISettlement.Inference memory inference = proven(human(1), 1, human(2), human(3), START, output >> 8);
        freeze();
        assertReason(_refused(inference), IModelRegistry.FrozenModel.selector, "frozen");
    }

    function testFuzz_settle_refuses_another_count_of_signals(uint8 count) public {
        vm.assume(count != 2);
        ISettlement.Inference memory inference = proven(human(1), 1, human(2), human(3), START, 7);
        inference.signals = new uint256[](count);
        assertReason(_refused(inference), IGroth16Verifier.SignalCountMismatch.selector, "count");
    }

    function _batch(uint256 count) private view returns (ISettlement.Inference[] memory) {
        return _batch(count, 0);
    }

    function _batch(uint256 count, uint256 lane) private view returns (ISettlement.Inference[] memory all) {
        all = new ISettlement.Inference[](count);
        for (uint256 i = 0; i < count; ++i) {
            all[i] = proven(human(1), lane << 8 | i, human(2), human(3), START + 1, 100 + i);
        }
    }

    function _refused(ISettlement.Inference memory inference) private returns (bytes4) {
        return reasonOf(address(settlement), abi.encodeCall(settlement.settle, (inference)));
    }
}
