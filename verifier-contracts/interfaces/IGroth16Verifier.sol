// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Groth16 over BN254, one contract for every model
/// @notice The verifying key is a parameter: it lies on chain as the code of `key`, a STOP byte and then the key
/// bytes of docs/architecture.md, and is pinned by its keccak256. Both functions revert unless the statement
/// holds; neither returns a verdict, so no caller can mistake a failure of the call for a verdict on the proof.
/// @dev Proof words: a.x, a.y, b.x.c1, b.x.c0, b.y.c1, b.y.c0, c.x, c.y (EIP-197 order).
/// Only ProofRejected, InvalidPoint, PointNotOnCurve, CoordinateNotCanonical and SignalNotCanonical speak about
/// the proof. Everything else, an empty revert above all, says nothing about it.
interface IGroth16Verifier {
    /// @notice Proofs that share one verifying key, flattened: 256 bytes a proof, 32 bytes a signal, as many signals for
    /// each proof. Bytes, because the ABI coder copies them at once and words one by one.
    struct Group {
        address key;
        bytes32 keyHash;
        bytes proofs;
        bytes signals;
    }

    /// @notice The calldata has another length or layout than the canonical ABI encoding.
    error MalformedCalldata();
    /// @notice A coordinate is not in [0, q). `index` counts the proof words of the call.
    error CoordinateNotCanonical(uint256 index, uint256 value);
    /// @notice A public signal is not in [0, r).
    error SignalNotCanonical(uint256 index, uint256 value);
    /// @notice A or C is not a finite point of the curve.
    error PointNotOnCurve(uint256 index);
    /// @notice B is infinite, off the curve or outside the subgroup of order r.
    error InvalidPoint();
    /// @notice The key names another number of public signals.
    error SignalCountMismatch(uint256 expected, uint256 got);
    /// @notice The code at `key` is not the key that `keyHash` names.
    error VerifyingKeyMismatch(bytes32 expected, bytes32 got);
    /// @notice Not enough gas is left to tell a bad proof from a starved precompile.
    error InsufficientGas(uint256 needed, uint256 left);
    /// @notice A precompile failed on points that are known to be good.
    error PrecompileFailed(uint256 precompile);
    /// @notice The pairing equation does not hold.
    error ProofRejected();
    /// @notice A batch has no proof.
    error EmptyBatch();

    /// @notice Reverts unless `proof` proves `signals` under the key.
    function verify(address key, bytes32 keyHash, uint256[8] calldata proof, uint256[] calldata signals) external view;

    /// @notice Reverts unless every proof of every group holds, except with probability 2^-128.
    function verifyBatch(Group[] calldata groups) external view;
}
