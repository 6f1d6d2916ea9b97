// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";

/// @title The one way a contract of this folder asks for a verdict
/// @notice An external call to the verifier of the registry, whose code hash was read when this contract was made.
/// The verifier is never inherited: an assembly return in inherited code would end the caller.
abstract contract ProofGate {
    IModelRegistry public immutable registry;
    IGroth16Verifier public immutable verifier;
    bytes32 public immutable verifierCodeHash;

    /// @notice The code at the verifier's address is not the code that was pinned.
    error VerifierCodeChanged(bytes32 expected, bytes32 got);

    constructor(IModelRegistry registry_) {
        registry = registry_;
        verifier = registry_.verifier();
        verifierCodeHash = registry_.verifierCodeHash();
        _requireVerifier();
    }

    function _requireVerifier() internal view {
        bytes32 got = address(verifier).codehash;
        if (got != verifierCodeHash) revert VerifierCodeChanged(verifierCodeHash, got);
    }
}
