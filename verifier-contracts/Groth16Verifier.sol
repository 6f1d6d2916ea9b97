// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";

/// @title Groth16 (eprint 2016/260) over BN254
/// @notice One proof:  e(−A, B) · e(α, β) · e(vkₓ, γ) · e(C, δ) = 1 with vkₓ = IC₀ + Σ sᵢ·ICᵢ.
/// A batch folds the equations with weights ρᵢ drawn from a hash of the whole call: all keys, signals and proofs.
/// e is bilinear, so the γ, δ and α sides of one key fold into one pairing each: N + 3 pairings instead of 4N.
/// @dev A failed precompile burns all gas it was given, and a starved one fails like one that met a bad point.
/// So each call gets a fixed cap, 1.5 times the price of EIP-1108, and is made only when that much is left. A chain
/// without a precompile answers a call there with success and no bytes: the size of every answer is checked.
contract Groth16Verifier is IGroth16Verifier {
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// Bytes before the first IC point: alpha 64, beta, gamma, delta 128 each.
    uint256 private constant KEY_HEAD = 448;

    uint256 private constant ADD_CAP = 225; // 150 · 1.5
    uint256 private constant MUL_CAP = 9_000; // 6 000 · 1.5
    uint256 private constant PAIRING_BASE_CAP = 67_500; // 45 000 · 1.5
    uint256 private constant PAIRING_PAIR_CAP = 51_000; // 34 000 · 1.5

    /// @inheritdoc IGroth16Verifier
    function verify(address key, bytes32 keyHash, uint256[8] calldata proof, uint256[] calldata signals) external view {
        uint256 count = signals.length;
        uint256 offset;
        assembly {
            offset := calldataload(0x144) // the word that locates `signals`
        }
        if (offset != 0x160 || msg.data.length != 0x184 + 32 * count) revert MalformedCalldata();

        _requireProof(_word(proof), 0);
        uint256 keyAt = _loadKey(key, keyHash, count);

        // acc ← IC₀, then acc ← acc + sᵢ·ICᵢ
        uint256 work = _allocate(160);
        _copy(work, keyAt + KEY_HEAD, 64);
        uint256 first;
        assembly {
            first := signals.offset
        }
        for (uint256 i = 0; i < count; ++i) {
            uint256 signal;
            assembly {
                signal := calldataload(add(first, shl(5, i)))
            }
            if (signal >= R) revert SignalNotCanonical(i, signal);
            _accumulate(work, keyAt + KEY_HEAD + 64 + 64 * i, signal);
        }

        uint256 pairs = _allocate(4 * 192);
        assembly {
            let a := proof
            mstore(pairs, calldataload(a))
            mstore(add(pairs, 0x20), sub(Q, calldataload(add(a, 0x20)))) // y ≠ 0: the curve has no point of order two
            calldatacopy(add(pairs, 0x40), add(a, 0x40), 0x80)
            mcopy(add(pairs, 0xc0), keyAt, 0xc0)
            mcopy(add(pairs, 0x180), work, 0x40)
            mcopy(add(pairs, 0x1c0), add(keyAt, 0xc0), 0x80)
            calldatacopy(add(pairs, 0x240), add(a, 0xc0), 0x40)
            mcopy(add(pairs, 0x280), add(keyAt, 0x140), 0x80)
        }
        _requirePairing(pairs, 4);
    }

    /// @inheritdoc IGroth16Verifier
    function verifyBatch(Group[] calldata groups) external view {
        uint256 total;
        uint256 words = 2 + groups.length; // offset and length of `groups`, one offset a group
        for (uint256 g = 0; g < groups.length; ++g) {
            Group calldata group = groups[g];
            uint256 proofCount = group.proofs.length / 256;
            if (proofCount == 0 || group.proofs.length % 256 != 0 || group.signals.length % (32 * proofCount) != 0) {
                revert MalformedCalldata();
            }
            total += proofCount;
            words += 6 + 8 * proofCount + group.signals.length / 32;
        }
        if (total == 0) revert EmptyBatch();
        if (msg.data.length != 4 + 32 * words) revert MalformedCalldata();

        uint256 seed = uint256(keccak256(msg.data));
        uint256 pairCount = total + 3 * groups.length;
        uint256 pairs = _allocate(pairCount * 192);
        uint256 place = pairs;
        uint256 index;
        for (uint256 g = 0; g < groups.length; ++g) {
            (place, index) = _foldGroup(groups[g], seed, index, place);
        }
        _requirePairing(pairs, pairCount);
    }

    /// Writes the pairs of one group at `place`: (−ρᵢ·Aᵢ, Bᵢ)…, (Σρ·α, β), (Σρ·IC₀ + Σⱼ(Σᵢ ρᵢ·sᵢⱼ)·ICⱼ, γ), (Σρᵢ·Cᵢ, δ).
    function _foldGroup(Group calldata group, uint256 seed, uint256 index, uint256 place)
        private
        view
        returns (uint256, uint256)
    {
        uint256 proofCount = group.proofs.length / 256;
        uint256 signalCount = group.signals.length / 32 / proofCount;
        uint256 keyAt = _loadKey(group.key, group.keyHash, signalCount);
        uint256 sums = _allocate(32 * (signalCount + 1)); // Σρ, then Σᵢ ρᵢ·sᵢⱼ
        uint256 cSum = _allocate(224); // the point at infinity, then Σρᵢ·Cᵢ; and room to work
        uint256 proofAt;
        uint256 signalAt;
        {
            bytes calldata proofs = group.proofs;
            bytes calldata signals = group.signals;
            assembly {
                proofAt := proofs.offset
                signalAt := signals.offset
            }
        }
        for (uint256 i = 0; i < proofCount; ++i) {
            _requireProof(proofAt, 8 * index);
            uint256 weight = index == 0 ? 1 : _weight(seed, index);
            _addSignals(sums, signalAt, signalCount, weight);
            _foldPoints(proofAt, weight, place, cSum);
            place += 192;
            proofAt += 256;
            signalAt += 32 * signalCount;
            ++index;
        }
        return (_closeGroup(keyAt, sums, signalCount, cSum, place), index);
    }

    /// (−ρ·A, B) at `place`, cSum ← cSum + ρ·C. The first weight is one: its two products are the points themselves.
    function _foldPoints(uint256 proofAt, uint256 weight, uint256 place, uint256 cSum) private view {
        _requireGas(2 * MUL_CAP + ADD_CAP);
        bool ok;
        assembly {
            let product := add(cSum, 0x40)
            let factor := add(cSum, 0x80)
            calldatacopy(place, proofAt, 0xc0)
            calldatacopy(product, add(proofAt, 0xc0), 0x40)
            ok := 1
            if iszero(eq(weight, 1)) {
                mstore(add(factor, 0x40), weight)
                mcopy(factor, product, 0x40)
                ok := staticcall(MUL_CAP, 7, factor, 0x60, product, 0x40)
                ok := and(eq(returndatasize(), 0x40), ok)
                mcopy(factor, place, 0x40)
                ok := and(staticcall(MUL_CAP, 7, factor, 0x60, place, 0x40), ok)
                ok := and(eq(returndatasize(), 0x40), ok)
            }
            mstore(add(place, 0x20), sub(Q, mload(add(place, 0x20)))) // ρ < r and A has order r: never infinity
            ok := and(staticcall(ADD_CAP, 6, cSum, 0x80, cSum, 0x40), ok)
            ok := and(eq(returndatasize(), 0x40), ok)
        }
        if (!ok) revert PrecompileFailed(7);
    }

    /// The three pairs that a group shares.
    function _closeGroup(uint256 keyAt, uint256 sums, uint256 signalCount, uint256 cSum, uint256 place)
        private
        view
        returns (uint256)
    {
        uint256 acc = _allocate(160);
        for (uint256 j = 0; j <= signalCount; ++j) {
            uint256 sum;
            assembly {
                sum := mload(add(sums, shl(5, j)))
            }
            _accumulate(acc, keyAt + KEY_HEAD + 64 * j, sum);
        }
        uint256 weights;
        assembly {
            weights := mload(sums)
            mcopy(place, keyAt, 0xc0)
            mcopy(add(place, 0xc0), acc, 0x40)
            mcopy(add(place, 0x100), add(keyAt, 0xc0), 0x80)
            mcopy(add(place, 0x180), cSum, 0x40)
            mcopy(add(place, 0x1c0), add(keyAt, 0x140), 0x80)
        }
        if (weights != 1) _multiply(place, weights);
        return place + 576;
    }

    /// sums[0] += weight, sums[1 + j] += weight · signalⱼ, modulo r; every signal must be canonical.
    function _addSignals(uint256 sums, uint256 signalAt, uint256 signalCount, uint256 weight) private pure {
        assembly {
            mstore(sums, addmod(mload(sums), weight, R))
        }
        for (uint256 j = 0; j < signalCount; ++j) {
            uint256 signal;
            assembly {
                signal := calldataload(add(signalAt, shl(5, j)))
                let sum := add(sums, shl(5, add(j, 1)))
                mstore(sum, addmod(mload(sum), mulmod(weight, signal, R), R))
            }
            if (signal >= R) revert SignalNotCanonical(j, signal);
        }
    }

    /// A 128-bit weight, never zero.
    function _weight(uint256 seed, uint256 index) private pure returns (uint256 weight) {
        assembly {
            mstore(0x00, seed)
            mstore(0x20, index)
            weight := or(shr(128, keccak256(0x00, 0x40)), iszero(shr(128, keccak256(0x00, 0x40))))
        }
    }

    /// Eight canonical coordinates, A and C finite and on the curve, B not all zero. `place` is a calldata position.
    function _requireProof(uint256 place, uint256 index) private pure {
        bool canonical;
        bool a;
        bool b;
        bool c;
        assembly {
            function word(start, i) -> value {
                value := calldataload(add(start, shl(5, i)))
            }
            // y² = x³ + 3; (0, 0), the encoding of infinity, does not satisfy it
            function onCurve(x, y) -> ok {
                ok := eq(mulmod(y, y, Q), addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q))
            }
            let ax := word(place, 0)
            let ay := word(place, 1)
            let cx := word(place, 6)
            let cy := word(place, 7)
            canonical := and(and(lt(ax, Q), lt(ay, Q)), and(lt(cx, Q), lt(cy, Q)))
            a := onCurve(ax, ay)
            c := onCurve(cx, cy)
            let any := 0
            for { let i := 2 } lt(i, 6) { i := add(i, 1) } {
                let value := word(place, i)
                canonical := and(canonical, lt(value, Q))
                any := or(any, value)
            }
            b := iszero(iszero(any))
        }
        if (!canonical) _refuseCoordinate(place, index);
        if (!a) revert PointNotOnCurve(index);
        if (!c) revert PointNotOnCurve(index + 6);
        if (!b) revert InvalidPoint();
    }

    /// Names the first coordinate that is not in [0, q).
    function _refuseCoordinate(uint256 place, uint256 index) private pure {
        for (uint256 i = 0; i < 8; ++i) {
            uint256 value;
            assembly {
                value := calldataload(add(place, shl(5, i)))
            }
            if (value >= Q) revert CoordinateNotCanonical(index + i, value);
        }
    }

    /// Copies the key bytes into memory, checks their hash and their count of signals.
    function _loadKey(address key, bytes32 keyHash, uint256 signalCount) private view returns (uint256 keyAt) {
        uint256 length = KEY_HEAD + 64 * (signalCount + 1);
        uint256 stored = key.code.length;
        if (stored != length + 1) {
            revert SignalCountMismatch(stored > KEY_HEAD + 64 ? (stored - 1 - KEY_HEAD) / 64 - 1 : 0, signalCount);
        }
        keyAt = _allocate(length);
        bytes32 got;
        assembly {
            extcodecopy(key, keyAt, 1, length)
            got := keccak256(keyAt, length)
        }
        if (got != keyHash) revert VerifyingKeyMismatch(keyHash, got);
    }

    /// acc ← acc + scalar · point. `acc` owns 160 bytes: the sum, then room for the product and its scalar.
    function _accumulate(uint256 acc, uint256 point, uint256 scalar) private view {
        _requireGas(MUL_CAP + ADD_CAP);
        bool multiplied;
        bool added;
        assembly {
            let product := add(acc, 0x40)
            mcopy(product, point, 0x40)
            mstore(add(product, 0x40), scalar)
            multiplied := staticcall(MUL_CAP, 7, product, 0x60, product, 0x40)
            multiplied := and(eq(returndatasize(), 0x40), multiplied)
            added := staticcall(ADD_CAP, 6, acc, 0x80, acc, 0x40)
            added := and(eq(returndatasize(), 0x40), added)
        }
        if (!multiplied) revert PrecompileFailed(7);
        if (!added) revert PrecompileFailed(6);
    }

    /// The point at `place` ← scalar · point. Uses the 32 bytes behind it and restores them.
    function _multiply(uint256 place, uint256 scalar) private view {
        _requireGas(MUL_CAP);
        bool ok;
        assembly {
            let behind := mload(add(place, 0x40))
            mstore(add(place, 0x40), scalar)
            ok := staticcall(MUL_CAP, 7, place, 0x60, place, 0x40)
            ok := and(eq(returndatasize(), 0x40), ok)
            mstore(add(place, 0x40), behind)
        }
        if (!ok) revert PrecompileFailed(7);
    }

    function _requirePairing(uint256 pairs, uint256 pairCount) private view {
        uint256 cap = PAIRING_BASE_CAP + PAIRING_PAIR_CAP * pairCount;
        _requireGas(cap);
        bool ok;
        bool answered;
        uint256 verdict;
        assembly {
            ok := staticcall(cap, 8, pairs, mul(pairCount, 192), 0x00, 0x20)
            answered := eq(returndatasize(), 0x20)
            verdict := mload(0x00)
        }
        // A, C and the key are known to be good, and the gas was there: only a B can make the call itself fail.
        if (!ok) revert InvalidPoint();
        if (!answered) revert PrecompileFailed(8);
        if (verdict != 1) revert ProofRejected();
    }

    /// A call passes on at most 63/64 of the gas left (EIP-150); 2 000 covers what surrounds it.
    function _requireGas(uint256 cap) private view {
        uint256 needed = cap + cap / 32 + 2_000;
        uint256 left = gasleft();
        if (left < needed) revert InsufficientGas(needed, left);
    }

    function _allocate(uint256 size) private pure returns (uint256 place) {
        assembly {
            place := mload(0x40)
            mstore(0x40, add(place, size))
            calldatacopy(place, calldatasize(), size) // zeroes it
        }
    }

    function _copy(uint256 to, uint256 from, uint256 size) private pure {
        assembly {
            mcopy(to, from, size)
        }
    }

    function _word(uint256[8] calldata proof) private pure returns (uint256 place) {
        assembly {
            place := proof
        }
    }
}
