// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {Groth16Verifier} from "../../../verifier-contracts/Groth16Verifier.sol";
import {Deploy} from "./Deploy.sol";
import {Toxic} from "./Toxic.sol";

contract VerifierTest is Deploy {
    Groth16Verifier private verifier;
    address private key = address(0x4b45);
    bytes32 private keyHash;
    uint256 private constant SEED = 1;
    uint256 private constant COUNT = 3;

    function setUp() public {
        verifier = newVerifier();
        bytes memory vk = Toxic.keyBytes(SEED, COUNT);
        vm.etch(key, bytes.concat(hex"00", vk));
        keyHash = keccak256(vk);
    }

    function testFuzz_verify_accepts_every_valid_proof(uint256[3] calldata raw, uint256 a, uint256 b) public view {
        uint256[] memory signals = _signals(raw);
        verifier.verify(key, keyHash, _prove(signals, a, b), signals);
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_verify_rejects_another_statement(uint256[3] calldata raw, uint256 a, uint256 which, uint256 delta)
        public
        view
    {
        uint256[] memory signals = _signals(raw);
        uint256[8] memory proof = _prove(signals, a, 1);
        which %= COUNT;
        signals[which] = addmod(signals[which], bound(delta, 1, Toxic.R - 1), Toxic.R);
        assertEq(_verdict(proof, signals), IGroth16Verifier.ProofRejected.selector);
    }

    /// S01: each of the eight coordinates has exactly one accepted encoding.
    function testFuzz_verify_rejects_every_other_encoding_of_a_coordinate(uint256 a, uint256 which, uint256 k) public view {
        uint256[] memory signals = _small();
        uint256[8] memory proof = _prove(signals, a, 1);
        which %= 8;
        proof[which] += Toxic.Q * bound(k, 1, (type(uint256).max - proof[which]) / Toxic.Q);
        assertEq(_verdict(proof, signals), IGroth16Verifier.CoordinateNotCanonical.selector);
    }

    function testFuzz_verify_rejects_a_changed_coordinate(uint256 a, uint256 which, uint256 bit) public view {
        uint256[] memory signals = _small();
        uint256[8] memory proof = _prove(signals, a, 1 + bit % 8);
        proof[which % 8] ^= 1 << (bit % 256);
        bytes4 got = _verdict(proof, signals);
        assertTrue(_isVerdict(got), "a flipped bit is a verdict");
    }

    /// S02: a signal has one encoding, and its bound is r.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_verify_rejects_a_signal_at_or_above_r(uint256 a, uint256 which, uint256 k) public view {
        uint256[] memory signals = _small();
        uint256[8] memory proof = _prove(signals, a, 1);
        signals[which % COUNT] += Toxic.R * bound(k, 1, 5);
        assertEq(_verdict(proof, signals), IGroth16Verifier.SignalNotCanonical.selector);
        uint256[5] memory edges = [Toxic.R, Toxic.R + 1, Toxic.Q - 1, Toxic.Q, type(uint256).max];
        for (uint256 i = 0; i < edges.length; ++i) {
            signals[which % COUNT] = edges[i];
            assertEq(_verdict(proof, signals), IGroth16Verifier.SignalNotCanonical.selector);
        }
        signals = _small();
        signals[which % COUNT] = Toxic.R - 1;
        verifier.verify(key, keyHash, _prove(signals, bound(a, 1, Toxic.R - 1), 1), signals);
    }

    /// S05: whatever the words are, the bill stays below 305k of execution.
    function testFuzz_verify_rejects_random_words_at_a_bounded_price(uint256[8] calldata proof, uint256[3] calldata raw)
        public
        view
    {
        uint256[8] memory words = proof;
        for (uint256 i = 0; i < 8; ++i) words[i] %= Toxic.Q;
        _bounded(words, _signals(raw));
    }

    /// S05: a B that is on no curve or off the subgroup burns the cap of the pairing call and no more.
    function testFuzz_verify_bounds_the_price_of_a_bad_b(uint256 a, uint256 x, uint256 kind) public view {
        uint256[] memory signals = _small();
        uint256[8] memory proof = _prove(signals, a, 1);
        if (kind % 2 == 0) {
            proof[2 + x % 4] = addmod(proof[2 + x % 4], bound(x, 1, Toxic.Q - 1), Toxic.Q);
        } else {
            (proof[2], proof[3]) = (0, 1);
            proof[4] = 15975588672102553735566230729081043132501226101599136527557730645158523614371;
            proof[5] = 3610091866386166428467545612961983990332663701371483510632385378352395651980;
        }
        _bounded(proof, signals);
    }

    /// S08: the calldata has one layout and one length.
    function testFuzz_verify_rejects_other_calldata(uint256 a, uint8 extra, uint256 offset, bytes32 dirt) public view {
        uint256[] memory signals = _small();
        bytes memory data = abi.encodeCall(verifier.verify, (key, keyHash, _prove(signals, a, 1), signals));
        (bool ok,) = address(verifier).staticcall(bytes.concat(data, new bytes(1 + uint256(extra))));
        assertTrue(!ok, "bytes behind the last signal");
        bytes memory moved = bytes.concat(data);
        assembly {
            mstore(add(moved, 0x164), offset) // the word that locates the signals
        }
        (ok,) = address(verifier).staticcall(moved);
        assertTrue(ok == (offset == 0x160), "another place for the signals");
        bytes memory dirty = bytes.concat(data);
        assembly {
            let word := add(dirty, 0x24)
            mstore(word, or(mload(word), shl(160, dirt)))
        }
        (ok,) = address(verifier).staticcall(dirty);
        assertTrue(ok == (uint256(dirt) << 160 == 0), "dirty bits above the address");
    }

    /// A chain without a precompile answers a call there with success and no bytes, which is no verdict.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_verify_judges_nothing_without_the_precompiles(uint256 a, uint256 which) public {
        uint256[] memory signals = _small();
        bytes memory one = abi.encodeCall(verifier.verify, (key, keyHash, _prove(signals, a, 1), signals));
        bytes memory batch = abi.encodeCall(verifier.verifyBatch, (_batch(2, a, 1)));
        vm.mockCall(address(uint160(6 + which % 3)), "", "");
        for (uint256 i = 0; i < 2; ++i) {
            (bool ok, bytes memory returned) = address(verifier).staticcall(i == 0 ? one : batch);
            assertTrue(!ok, "accepted without a precompile");
            assertEq(selectorOf(returned), IGroth16Verifier.PrecompileFailed.selector);
        }
        vm.clearMockedCalls();
        verifier.verify(key, keyHash, _prove(signals, a, 1), signals);
    }

    function testFuzz_verify_rejects_a_truncated_call(uint256 a, uint16 cut) public view {
        uint256[] memory signals = _small();
        bytes memory data = abi.encodeCall(verifier.verify, (key, keyHash, _prove(signals, a, 1), signals));
        uint256 length = cut % data.length;
        assembly {
            mstore(data, length)
        }
        (bool ok,) = address(verifier).staticcall(data);
        assertTrue(!ok, "a truncated call");
    }

    function testFuzz_verify_pins_the_key(uint256 a, bytes32 otherHash, address otherKey) public view {
        vm.assume(otherHash != keyHash && otherKey != key);
        uint256[] memory signals = _small();
        uint256[8] memory proof = _prove(signals, a, 1);
        (, bytes memory returned) =
            address(verifier).staticcall(abi.encodeCall(verifier.verify, (key, otherHash, proof, signals)));
        assertEq(selectorOf(returned), IGroth16Verifier.VerifyingKeyMismatch.selector);
        (bool ok,) = address(verifier).staticcall(abi.encodeCall(verifier.verify, (otherKey, keyHash, proof, signals)));
        assertTrue(!ok, "a key at another address");
    }

    function testFuzz_verify_counts_signals(uint256 a, uint8 count) public view {
        vm.assume(count != COUNT);
        (, bytes memory returned) = address(verifier).staticcall(
            abi.encodeCall(verifier.verify, (key, keyHash, _prove(_small(), a, 1), new uint256[](count)))
        );
        assertEq(selectorOf(returned), IGroth16Verifier.SignalCountMismatch.selector);
    }

    /// S03: with too little gas a valid proof reverts, and never with a word about the proof.
    function testFuzz_verify_never_judges_without_gas(uint256 a, uint256 gasLimit) public view {
        uint256[] memory signals = _small();
        gasLimit = bound(gasLimit, 0, 400_000);
        (bool ok, bytes memory returned) = address(verifier).staticcall{gas: gasLimit}(
            abi.encodeCall(verifier.verify, (key, keyHash, _prove(signals, a, 1), signals))
        );
        assertTrue(ok || !_isVerdict(selectorOf(returned)), "a valid proof was judged invalid");
    }

    /// S03, swept: 500 gas limits from nothing to more than enough, through both entry points.
    function test_no_gas_limit_turns_a_valid_proof_into_an_invalid_one() public view {
        uint256[] memory signals = _small();
        bytes memory one = abi.encodeCall(verifier.verify, (key, keyHash, _prove(signals, 5, 1), signals));
        bytes memory batch = abi.encodeCall(verifier.verifyBatch, (_batch(2, 5, 1)));
        uint256 accepted;
        for (uint256 i = 0; i < 500; ++i) {
            (bool ok, bytes memory returned) = address(verifier).staticcall{gas: i * 1_000}(i % 2 == 0 ? one : batch);
            assertTrue(ok || !_isVerdict(selectorOf(returned)), "a valid proof was judged invalid");
            if (ok) ++accepted;
        }
        assertTrue(accepted > 50, "the sweep reached the gas at which proofs pass");
    }

    function testFuzz_verifyBatch_accepts_valid_proofs(uint256 count, uint256 a, uint256 raw) public view {
        verifier.verifyBatch(_batch(bound(count, 1, 8), a, raw));
    }

    function testFuzz_verifyBatch_rejects_one_bad_member(uint256 count, uint256 a, uint256 bad, uint256 bit) public view {
        count = bound(count, 1, 6);
        IGroth16Verifier.Group[] memory groups = _batch(count, a, bit);
        bytes memory target = bit % 2 == 0 ? groups[0].proofs : groups[0].signals;
        uint256 place = bad % target.length;
        target[place] = bytes1(uint8(target[place]) ^ uint8(1 << (bit % 8)));
        (bool ok, bytes memory returned) = address(verifier).staticcall(abi.encodeCall(verifier.verifyBatch, (groups)));
        assertTrue(!ok && _isVerdict(selectorOf(returned)), "a bad member passed");
    }

    /// Two wrong proofs whose errors cancel in a plain sum do not cancel in a weighted one. Any two of three: the weights
    /// differ from each other, not only from the first, which is one.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_verifyBatch_rejects_errors_that_cancel(uint256 a, uint256 delta) public view {
        delta = bound(delta, 1, Toxic.R - 1);
        IGroth16Verifier.Group[] memory groups = _batch(3, a, delta);
        uint256[2] memory shift = Toxic.g1(delta);
        _addToC(groups[0].proofs, a % 3, shift);
        shift[1] = Toxic.Q - shift[1];
        _addToC(groups[0].proofs, (a % 3 + 1) % 3, shift);
        (bool ok, bytes memory returned) = address(verifier).staticcall(abi.encodeCall(verifier.verifyBatch, (groups)));
        assertTrue(!ok && selectorOf(returned) == IGroth16Verifier.ProofRejected.selector, "errors cancelled");
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_verifyBatch_never_judges_without_gas(uint256 a, uint256 gasLimit) public view {
        gasLimit = bound(gasLimit, 0, 700_000);
        (bool ok, bytes memory returned) =
            address(verifier).staticcall{gas: gasLimit}(abi.encodeCall(verifier.verifyBatch, (_batch(3, a, 1))));
        assertTrue(ok || !_isVerdict(selectorOf(returned)), "a valid batch was judged invalid");
    }

    function testFuzz_verifyBatch_rejects_other_calldata(uint256 a, uint8 extra) public view {
        bytes memory data = abi.encodeCall(verifier.verifyBatch, (_batch(2, a, 1)));
        (bool ok,) = address(verifier).staticcall(bytes.concat(data, new bytes(1 + uint256(extra))));
        assertTrue(!ok, "bytes behind the last signal");
        (, bytes memory returned) =
            address(verifier).staticcall(abi.encodeCall(verifier.verifyBatch, (new IGroth16Verifier.Group[](0))));
        assertEq(selectorOf(returned), IGroth16Verifier.EmptyBatch.selector);
    }

    function _batch(uint256 count, uint256 a, uint256 raw) private view returns (IGroth16Verifier.Group[] memory groups) {
        groups = new IGroth16Verifier.Group[](1);
        bytes memory proofs;
        bytes memory all;
        for (uint256 i = 0; i < count; ++i) {
            uint256[] memory signals = _small();
            signals[0] = uint256(keccak256(abi.encode(raw, i))) >> 8;
            uint256[8] memory proof = _prove(signals, uint256(keccak256(abi.encode(a, i))), 1 + i);
            proofs = abi.encodePacked(proofs, proof);
            all = abi.encodePacked(all, signals);
        }
        groups[0] = IGroth16Verifier.Group(key, keyHash, proofs, all);
    }

    function _addToC(bytes memory proofs, uint256 index, uint256[2] memory shift) private view {
        uint256 x;
        uint256 y;
        assembly {
            let place := add(add(proofs, 0xe0), mul(index, 0x100))
            x := mload(place)
            y := mload(add(place, 0x20))
        }
        (, bytes memory sum) = address(6).staticcall(abi.encode(x, y, shift));
        (x, y) = abi.decode(sum, (uint256, uint256));
        assembly {
            let place := add(add(proofs, 0xe0), mul(index, 0x100))
            mstore(place, x)
            mstore(add(place, 0x20), y)
        }
    }

    function _bounded(uint256[8] memory proof, uint256[] memory signals) private view {
        bytes memory data = abi.encodeCall(verifier.verify, (key, keyHash, proof, signals));
        uint256 before = gasleft();
        (bool ok, bytes memory returned) = address(verifier).staticcall(data);
        uint256 used = before - gasleft();
        assertTrue(!ok && _isVerdict(selectorOf(returned)), "accepted");
        assertTrue(used <= 305_000, "the price of a bad proof");
    }

    function _verdict(uint256[8] memory proof, uint256[] memory signals) private view returns (bytes4) {
        (bool ok, bytes memory returned) =
            address(verifier).staticcall(abi.encodeCall(verifier.verify, (key, keyHash, proof, signals)));
        assertTrue(!ok, "accepted");
        return selectorOf(returned);
    }

    function _isVerdict(bytes4 selector) private pure returns (bool) {
        return selector == IGroth16Verifier.ProofRejected.selector || selector == IGroth16Verifier.InvalidPoint.selector
            || selector == IGroth16Verifier.PointNotOnCurve.selector
            || selector == IGroth16Verifier.CoordinateNotCanonical.selector
            || selector == IGroth16Verifier.SignalNotCanonical.selector;
    }

    function assertEq(bytes4 got, bytes4 expected) private pure {
        assertEq(uint32(got), uint32(expected), "selector");
    }

    function _prove(uint256[] memory signals, uint256 a, uint256 b) private view returns (uint256[8] memory) {
        return Toxic.prove(SEED, signals, bound(a, 1, Toxic.R - 1), bound(b, 1, 8));
    }

    function _signals(uint256[3] calldata raw) private pure returns (uint256[] memory signals) {
        signals = new uint256[](COUNT);
        for (uint256 i = 0; i < COUNT; ++i) signals[i] = raw[i] % Toxic.R;
    }

    function _small() private pure returns (uint256[] memory signals) {
        signals = new uint256[](COUNT);
        for (uint256 i = 0; i < COUNT; ++i) signals[i] = 7 + i;
    }
}
