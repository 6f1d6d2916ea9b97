// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IModelRegistry} from "./interfaces/IModelRegistry.sol";

/// @title What a verifying key must satisfy before anyone relies on it
/// @notice γ = δ, or δ equal to the generator, means that no one contributed to phase 2 and that anyone can forge.
/// An infinite or repeated IC point makes a public signal free.
library VerifyingKeyCheck {
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant MAX_SIGNALS = 64;

    uint256 private constant ALPHA = 0;
    uint256 private constant BETA = 64;
    uint256 private constant GAMMA = 192;
    uint256 private constant DELTA = 320;
    uint256 private constant IC = 448;

    /// keccak256 of the generator of G2 in EVM order.
    bytes32 private constant GENERATOR_HASH = keccak256(
        abi.encode(
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
            10857046999023057135944570762232829481370756359578518086990519993285655852781,
            4082367875863433681332203403145435568316851327593401208105741076214120093531,
            8495653923123431417604973247489272438418190587263600148770280649306958101930
        )
    );

    /// @notice Reverts with UnsafeVerifyingKey unless the key is one that a sound setup can end in.
    function requireSafe(bytes calldata vk) internal view {
        if (vk.length < IC + 128 || (vk.length - IC) % 64 != 0) revert IModelRegistry.UnsafeVerifyingKey("length");
        uint256 icCount = (vk.length - IC) / 64;
        if (icCount > MAX_SIGNALS + 1) revert IModelRegistry.UnsafeVerifyingKey("more than 64 signals");

        if (!_isG1(vk, ALPHA)) revert IModelRegistry.UnsafeVerifyingKey("alpha");
        for (uint256 i = 0; i < icCount; ++i) {
            if (!_isG1(vk, IC + 64 * i)) revert IModelRegistry.UnsafeVerifyingKey("IC point");
            for (uint256 j = 0; j < i; ++j) {
                // Equal x is a repeated point or its negative: either ties two signals together.
                if (_word(vk, IC + 64 * i) == _word(vk, IC + 64 * j)) {
                    revert IModelRegistry.UnsafeVerifyingKey("IC points repeat");
                }
            }
        }
        if (!_isG2(vk, BETA)) revert IModelRegistry.UnsafeVerifyingKey("beta");
        if (!_isG2(vk, GAMMA)) revert IModelRegistry.UnsafeVerifyingKey("gamma");
        if (!_isG2(vk, DELTA)) revert IModelRegistry.UnsafeVerifyingKey("delta");
        if (_sameUpToSign(vk, GAMMA, DELTA)) revert IModelRegistry.UnsafeVerifyingKey("gamma equals delta");
        if (_sameUpToSign(vk, BETA, DELTA)) revert IModelRegistry.UnsafeVerifyingKey("beta equals delta");
        if (_sameUpToSign(vk, BETA, GAMMA)) revert IModelRegistry.UnsafeVerifyingKey("beta equals gamma");
        if (keccak256(vk[DELTA:DELTA + 128]) == GENERATOR_HASH) {
            revert IModelRegistry.UnsafeVerifyingKey("delta is the generator");
        }
    }

    function _isG1(bytes calldata vk, uint256 place) private pure returns (bool) {
        uint256 x = _word(vk, place);
        uint256 y = _word(vk, place + 32);
        return x < Q && y < Q && mulmod(y, y, Q) == addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q);
    }

    /// Finite, canonical, on the curve and in the subgroup: the pairing precompile checks the last three of a point
    /// paired with infinity.
    function _isG2(bytes calldata vk, uint256 place) private view returns (bool) {
        uint256 any = _word(vk, place) | _word(vk, place + 32) | _word(vk, place + 64) | _word(vk, place + 96);
        if (any == 0) return false;
        (bool ok,) = address(8).staticcall{gas: 120_000}(abi.encodePacked(uint256(0), uint256(0), vk[place:place + 128]));
        return ok;
    }

    /// Points with one x are equal or opposite.
    function _sameUpToSign(bytes calldata vk, uint256 one, uint256 other) private pure returns (bool) {
        return _word(vk, one) == _word(vk, other) && _word(vk, one + 32) == _word(vk, other + 32);
    }

    function _word(bytes calldata vk, uint256 place) private pure returns (uint256 word) {
        assembly {
            word := calldataload(add(vk.offset, place))
        }
    }
}
