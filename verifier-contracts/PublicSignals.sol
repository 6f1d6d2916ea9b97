// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The public signals of an inference, as a contract must recompute them
/// @notice Mirror of circuits/public-signals.ts; both are tested against test/vectors/public-signals.json.
library PublicSignals {
    bytes32 internal constant SETTLEMENT_TAG = keccak256("verinfer/settlement/v1");
    bytes32 internal constant REQUEST_TAG = keccak256("verinfer/request/v1");
    bytes32 internal constant CANARY_TAG = keccak256("verinfer/canary/v1");
    uint256 internal constant VERSION = 1;

    /// Below this lies every packed signal, so a signal at or above it can only be a commitment.
    uint256 internal constant PACKED_BOUND = 1 << 248;

    /// @notice Signal 0: what this proof may be used for, and by whom. 248 bits, so always below r.
    /// @param contract_ The contract that asks; never an argument that a caller chose.
    function context(
        address contract_,
        bytes32 requestId,
        bytes32 modelId,
        bytes32 vkHash,
        address operator,
        address payee,
        uint256 deadline
    ) internal view returns (uint256) {
        return uint256(
            keccak256(
                abi.encode(
                    SETTLEMENT_TAG,
                    VERSION,
                    block.chainid,
                    contract_,
                    requestId,
                    modelId,
                    vkHash,
                    operator,
                    payee,
                    deadline
                )
            )
        ) >> 8;
    }

    /// @notice The second signal of a statement that no honest prover can make: at or above 2^248 no packed input
    /// reaches it, and as a Poseidon commitment nobody knows its opening. 2^252 + 2^248 < r.
    function canaryOf(bytes32 modelId) internal pure returns (uint256) {
        return (1 << 252) + (uint256(keccak256(abi.encode(CANARY_TAG, modelId))) >> 8);
    }
}
