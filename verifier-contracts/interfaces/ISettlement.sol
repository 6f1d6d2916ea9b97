// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Verified inferences on record, without money
/// @notice Settles an inference: recomputes its context, verifies the proof, marks the request as settled and emits
/// the verified statement. Operator and payee are bound by the proof through the context, so a copied proof still names
/// its maker.
/// @dev A request is settled at most once. The upper 160 bits of a nonce may name an address: then it alone, or the
/// requester, may submit. A nonce that names nobody may be submitted by anyone, and used up by anyone: nothing here is
/// signed, so a proof of whatever model may name any requester, and nothing of value may hang on the absence of a
/// settlement. Escrowed requests have their own records in the market.
interface ISettlement {
    /// @dev signals: the public signals without the context, inputs first. deadline: the last second, Unix time, at
    /// which the inference settles.
    struct Inference {
        bytes32 modelId;
        address requester;
        uint256 nonce;
        address operator;
        address payee;
        uint256 deadline;
        uint256[8] proof;
        uint256[] signals;
    }

    event InferenceSettled(
        bytes32 indexed requestId,
        bytes32 indexed modelId,
        address indexed operator,
        address payee,
        uint256[] signals
    );

    error AlreadySettled(bytes32 requestId);
    error DeadlinePassed(uint256 deadline);
    /// @notice The nonce names the address that may submit it.
    error NotSubmitter(address submitter);
    error BatchTooLarge(uint256 max, uint256 got);
    /// @notice Every member of the batch is settled or out of time.
    error NothingToSettle();

    /// @notice Settles one inference. Reverts with the error of IGroth16Verifier when the proof does not hold.
    function settle(Inference calldata inference) external returns (bytes32 requestId);

    /// @notice Settles what is left of a batch: members settled before, or out of time, are skipped. Neighbours of
    /// one model share a key, so sort by model. One bad proof, or one member that is another's to submit, reverts them
    /// all: check off chain before sending.
    function settleBatch(Inference[] calldata inferences) external returns (uint256 settledCount);

    /// @notice keccak256(abi.encode(tag, requester, nonce, modelId, deadline)).
    function requestIdOf(address requester, uint256 nonce, bytes32 modelId, uint256 deadline)
        external
        pure
        returns (bytes32);

    /// @notice Whether the nonce of this requester is used up.
    function isSettled(address requester, uint256 nonce) external view returns (bool);
}
