// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {Groth16Verifier} from "../../../verifier-contracts/Groth16Verifier.sol";
import {Deploy} from "./Deploy.sol";
import {Toxic} from "./Toxic.sol";

/// What the verifier says when it refuses, to the last byte, and batches of several keys.
contract VerifierExactTest is Deploy {
    Groth16Verifier private verifier;
    address private constant KEY = address(0x4b45);
    address private constant OTHER = address(0x4b46);
    uint256 private constant SEED = 1;

    function setUp() public {
        verifier = newVerifier();
        vm.etch(KEY, bytes.concat(hex"00", Toxic.keyBytes(SEED, 3)));
        vm.etch(OTHER, bytes.concat(hex"00", Toxic.keyBytes(SEED + 1, 1)));
    }

    function test_verify_names_what_is_wrong() public {
        uint256[8] memory proof = Toxic.prove(SEED, signals(3), 5, 1);
        for (uint256 i = 0; i < 8; ++i) {
            uint256[8] memory bad = Toxic.prove(SEED, signals(3), 5, 1);
            bad[i] = Toxic.Q;
            refused(bad, signals(3), abi.encodeWithSelector(IGroth16Verifier.CoordinateNotCanonical.selector, i, Toxic.Q));
        }
        uint256[8] memory off = Toxic.prove(SEED, signals(3), 5, 1);
        off[1] ^= 1;
        refused(off, signals(3), abi.encodeWithSelector(IGroth16Verifier.PointNotOnCurve.selector, 0));
        off[1] ^= 1;
        off[7] ^= 1;
        refused(off, signals(3), abi.encodeWithSelector(IGroth16Verifier.PointNotOnCurve.selector, 6));
        for (uint256 i = 0; i < 3; ++i) {
            uint256[] memory wrong = signals(3);
            wrong[i] = Toxic.R;
            refused(proof, wrong, abi.encodeWithSelector(IGroth16Verifier.SignalNotCanonical.selector, i, Toxic.R));
        }
        uint256[8] memory infinite = Toxic.prove(SEED, signals(3), 5, 1);
        (infinite[2], infinite[3], infinite[4], infinite[5]) = (0, 0, 0, 0);
        refused(infinite, signals(3), abi.encodeWithSelector(IGroth16Verifier.InvalidPoint.selector));
        // One coordinate of B alone is not infinity; it is on no curve.
        infinite[3] = 1;
        refused(infinite, signals(3), abi.encodeWithSelector(IGroth16Verifier.InvalidPoint.selector));
    }

    function test_verify_says_how_many_signals_a_key_names() public {
        uint256[8] memory proof = Toxic.prove(SEED, signals(3), 5, 1);
        bytes4 selector = IGroth16Verifier.SignalCountMismatch.selector;
        refused(proof, signals(2), abi.encodeWithSelector(selector, 3, 2));
        refused(proof, signals(4), abi.encodeWithSelector(selector, 3, 4));
        vm.etch(KEY, "");
        refused(proof, signals(3), abi.encodeWithSelector(selector, 0, 3));
        vm.etch(KEY, new bytes(513)); // a STOP byte, the head, IC₀: no signals
        refused(proof, signals(3), abi.encodeWithSelector(selector, 0, 3));
        vm.etch(KEY, new bytes(577));
        refused(proof, signals(3), abi.encodeWithSelector(selector, 1, 3));
    }

    function test_verify_reads_the_key_behind_its_first_byte_and_pins_it() public {
        uint256[] memory right = signals(3);
        bytes memory vk = Toxic.keyBytes(SEED, 3);
        vk[100] ^= 0x01;
        vm.etch(KEY, bytes.concat(hex"00", vk));
        assertRefused(
            address(verifier),
            abi.encodeCall(verifier.verify, (KEY, keyHash(SEED, 3), Toxic.prove(SEED, right, 5, 1), right)),
            abi.encodeWithSelector(IGroth16Verifier.VerifyingKeyMismatch.selector, keyHash(SEED, 3), keccak256(vk))
        );
    }

    function test_verifyBatch_of_two_keys_counts_through_all_proofs() public {
        IGroth16Verifier.Group[] memory groups = twoKeys();
        verifier.verifyBatch(groups);
        // Proof 2 of the call is the second of the second group: its words are 16 to 23.
        groups[1].proofs = withWord(groups[1].proofs, 8 + 3, Toxic.Q);
        batchRefused(groups, abi.encodeWithSelector(IGroth16Verifier.CoordinateNotCanonical.selector, 19, Toxic.Q));
        groups = twoKeys();
        groups[1].proofs = withWord(groups[1].proofs, 0, 1 << 200);
        batchRefused(groups, abi.encodeWithSelector(IGroth16Verifier.PointNotOnCurve.selector, 8));
        groups = twoKeys();
        groups[1].proofs = withWord(groups[1].proofs, 14, 1 << 200);
        batchRefused(groups, abi.encodeWithSelector(IGroth16Verifier.PointNotOnCurve.selector, 22));
        groups = twoKeys();
        groups[0].signals = withWord(groups[0].signals, 2, Toxic.R);
        batchRefused(groups, abi.encodeWithSelector(IGroth16Verifier.SignalNotCanonical.selector, 2, Toxic.R));
        groups = twoKeys();
        groups[1].signals = withWord(groups[1].signals, 1, 9);
        batchRefused(groups, abi.encodeWithSelector(IGroth16Verifier.ProofRejected.selector));
        groups = twoKeys();
        (groups[0].key, groups[1].key) = (groups[1].key, groups[0].key);
        batchRefused(groups, abi.encodeWithSelector(IGroth16Verifier.SignalCountMismatch.selector, 1, 3));
        groups = twoKeys();
        groups[1].keyHash = groups[0].keyHash;
        batchRefused(
            groups,
            abi.encodeWithSelector(
                IGroth16Verifier.VerifyingKeyMismatch.selector, keyHash(SEED, 3), keyHash(SEED + 1, 1)
            )
        );
    }

    function test_verifyBatch_refuses_groups_that_do_not_add_up() public {
        bytes memory malformed = abi.encodeWithSelector(IGroth16Verifier.MalformedCalldata.selector);
        IGroth16Verifier.Group[] memory groups = twoKeys();
        groups[0].proofs = "";
        batchRefused(groups, malformed);
        groups = twoKeys();
        groups[0].proofs = bytes.concat(groups[0].proofs, new bytes(32));
        batchRefused(groups, malformed);
        groups = twoKeys();
        groups[1].signals = bytes.concat(groups[1].signals, new bytes(32)); // three words for two proofs
        batchRefused(groups, malformed);
        groups = twoKeys();
        bytes memory data = abi.encodeCall(verifier.verifyBatch, (groups));
        assembly {
            mstore(data, sub(mload(data), 32))
        }
        (bool ok,) = address(verifier).call(data);
        assertTrue(!ok, "a word less");
    }

    /// Two groups of one key: their sums are apart, so a proof moved from one to the other with its signals is the same.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_verifyBatch_of_many_groups(uint256 a, uint256 split) public view {
        uint256 count = 4;
        split = bound(split, 1, count - 1);
        IGroth16Verifier.Group[] memory groups = new IGroth16Verifier.Group[](3);
        groups[0] = group(KEY, SEED, 3, split, a);
        groups[1] = group(OTHER, SEED + 1, 1, 1, a ^ 1);
        groups[2] = group(KEY, SEED, 3, count - split, a ^ 2);
        verifier.verifyBatch(groups);
    }

    function twoKeys() private view returns (IGroth16Verifier.Group[] memory groups) {
        groups = new IGroth16Verifier.Group[](2);
        groups[0] = group(KEY, SEED, 3, 1, 77);
        groups[1] = group(OTHER, SEED + 1, 1, 2, 78);
    }

    function group(address key, uint256 seed, uint256 width, uint256 count, uint256 a)
        private
        view
        returns (IGroth16Verifier.Group memory made)
    {
        (made.key, made.keyHash) = (key, keyHash(seed, width));
        for (uint256 i = 0; i < count; ++i) {
            uint256[] memory own = signals(width);
            own[0] = uint256(keccak256(abi.encode(a, i))) >> 8;
            uint256[8] memory proof = Toxic.prove(seed, own, own[0] | 1, 1 + i);
            made.proofs = abi.encodePacked(made.proofs, proof);
            made.signals = abi.encodePacked(made.signals, own);
        }
    }

    function keyHash(uint256 seed, uint256 width) private view returns (bytes32) {
        return keccak256(Toxic.keyBytes(seed, width));
    }

    function signals(uint256 count) private pure returns (uint256[] memory made) {
        made = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) made[i] = 7 + i;
    }

    function withWord(bytes memory data, uint256 index, uint256 value) private pure returns (bytes memory changed) {
        changed = bytes.concat(data);
        assembly {
            mstore(add(add(changed, 0x20), shl(5, index)), value)
        }
    }

    function refused(uint256[8] memory proof, uint256[] memory own, bytes memory expected) private {
        assertRefused(
            address(verifier), abi.encodeCall(verifier.verify, (KEY, keyHash(SEED, 3), proof, own)), expected
        );
    }

    function batchRefused(IGroth16Verifier.Group[] memory groups, bytes memory expected) private {
        assertRefused(address(verifier), abi.encodeCall(verifier.verifyBatch, (groups)), expected);
    }
}
