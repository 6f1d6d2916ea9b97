// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {ProofGate} from "./ProofGate.sol";
import {PublicSignals} from "./PublicSignals.sol";

/// @title Settlement
/// @notice One request, one settlement. See ISettlement.
contract Settlement is ISettlement, ProofGate {
    uint256 public constant MAX_BATCH = 64;

    /// Bit `nonce & 255` of word `nonce >> 8`: 256 neighbouring nonces share a slot, and its price.
    mapping(address requester => mapping(uint256 word => uint256 bits)) private marks;

    constructor(IModelRegistry registry_) ProofGate(registry_) {}

    /// @inheritdoc ISettlement
    function settle(Inference calldata inference) external returns (bytes32 requestId) {
        requestId = _requestId(inference);
        if (block.timestamp > inference.deadline) revert DeadlinePassed(inference.deadline);
        _requireSubmitter(inference);
        if (!_mark(inference)) revert AlreadySettled(requestId);
        (address key, bytes32 vkHash) = registry.keyOf(inference.modelId);
        _requireVerifier();
        verifier.verify(key, vkHash, inference.proof, _allSignals(inference, requestId, vkHash));
        _record(inference, requestId);
    }

    /// @inheritdoc ISettlement
    function settleBatch(Inference[] calldata inferences) external returns (uint256 settledCount) {
        if (inferences.length > MAX_BATCH) revert BatchTooLarge(MAX_BATCH, inferences.length);
        bytes32[] memory requestIds = new bytes32[](inferences.length); // 0: skipped
        for (uint256 i = 0; i < inferences.length; ++i) {
            Inference calldata inference = inferences[i];
            _requireSubmitter(inference);
            if (block.timestamp > inference.deadline || !_mark(inference)) continue;
            requestIds[i] = _requestId(inference);
            _record(inference, requestIds[i]); // undone with everything else when a proof does not hold
            ++settledCount;
        }
        if (settledCount == 0) revert NothingToSettle();
        _requireVerifier();
        verifier.verifyBatch(_groups(inferences, requestIds));
    }

    /// @inheritdoc ISettlement
    function requestIdOf(address requester, uint256 nonce, bytes32 modelId, uint256 deadline)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(PublicSignals.REQUEST_TAG, requester, nonce, modelId, deadline));
    }

    /// @inheritdoc ISettlement
    function isSettled(address requester, uint256 nonce) external view returns (bool) {
        return marks[requester][nonce >> 8] >> (nonce & 255) & 1 == 1;
    }

    /// One group for each run of live members that name the same model.
    function _groups(Inference[] calldata all, bytes32[] memory requestIds)
        private
        view
        returns (IGroth16Verifier.Group[] memory groups)
    {
        groups = new IGroth16Verifier.Group[](all.length);
        uint256 count;
        uint256 from;
        while (from < all.length) {
            if (requestIds[from] == 0) {
                ++from;
                continue;
            }
            uint256 to = from + 1;
            uint256 members = 1;
            while (to < all.length && (requestIds[to] == 0 || all[to].modelId == all[from].modelId)) {
                if (requestIds[to] != 0) ++members;
                ++to;
            }
            groups[count++] = _group(all, requestIds, from, to, members);
            from = to;
        }
        assembly {
            mstore(groups, count)
        }
    }

    function _group(Inference[] calldata all, bytes32[] memory requestIds, uint256 from, uint256 to, uint256 members)
        private
        view
        returns (IGroth16Verifier.Group memory group)
    {
        (group.key, group.keyHash) = registry.keyOf(all[from].modelId);
        uint256 width = all[from].signals.length + 1;
        bytes memory proofs = new bytes(256 * members);
        bytes memory signals = new bytes(32 * width * members);
        uint256 member;
        for (uint256 i = from; i < to; ++i) {
            if (requestIds[i] == 0) continue;
            Inference calldata inference = all[i];
            uint256[] calldata own = inference.signals;
            uint256[8] calldata proof = inference.proof;
            if (own.length + 1 != width) revert IGroth16Verifier.SignalCountMismatch(width, own.length + 1);
            uint256 context = _context(inference, requestIds[i], group.keyHash);
            assembly {
                calldatacopy(add(proofs, add(0x20, shl(8, member))), proof, 0x100)
                let start := add(signals, add(0x20, shl(5, mul(width, member))))
                mstore(start, context)
                calldatacopy(add(start, 0x20), own.offset, shl(5, own.length))
            }
            ++member;
        }
        group.proofs = proofs;
        group.signals = signals;
    }

    /// Nothing here is signed, so a proof of any model at all may name any requester and any nonce. A nonce that names
    /// its submitter is safe from whoever guesses it or sees it pending.
    function _requireSubmitter(Inference calldata inference) private view {
        address submitter = address(uint160(inference.nonce >> 96));
        if (submitter == address(0) || msg.sender == submitter || msg.sender == inference.requester) return;
        revert NotSubmitter(submitter);
    }

    /// Sets the mark of the request; false when it was set before.
    function _mark(Inference calldata inference) private returns (bool) {
        mapping(uint256 => uint256) storage words = marks[inference.requester];
        uint256 word = inference.nonce >> 8;
        uint256 bit = 1 << (inference.nonce & 255);
        uint256 bits = words[word];
        if (bits & bit != 0) return false;
        words[word] = bits | bit;
        return true;
    }

    function _allSignals(Inference calldata inference, bytes32 requestId, bytes32 vkHash)
        private
        view
        returns (uint256[] memory all)
    {
        uint256[] calldata own = inference.signals;
        all = new uint256[](own.length + 1);
        all[0] = _context(inference, requestId, vkHash);
        assembly {
            calldatacopy(add(all, 0x40), own.offset, shl(5, own.length))
        }
    }

    function _context(Inference calldata inference, bytes32 requestId, bytes32 vkHash) private view returns (uint256) {
        return PublicSignals.context(
            address(this),
            requestId,
            inference.modelId,
            vkHash,
            inference.operator,
            inference.payee,
            inference.deadline
        );
    }

    function _requestId(Inference calldata inference) private pure returns (bytes32) {
        return requestIdOf(inference.requester, inference.nonce, inference.modelId, inference.deadline);
    }

    function _record(Inference calldata inference, bytes32 requestId) private {
        emit InferenceSettled(
            requestId, inference.modelId, inference.operator, inference.payee, inference.signals
        );
    }
}
