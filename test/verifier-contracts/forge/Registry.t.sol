// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {ModelRegistry} from "../../../verifier-contracts/ModelRegistry.sol";
import {Settlement} from "../../../verifier-contracts/Settlement.sol";
import {ProofGate} from "../../../verifier-contracts/ProofGate.sol";
import {Toxic} from "./Toxic.sol";
import {World} from "./World.sol";

contract RegistryTest is World {
    function setUp() public {
        build();
    }

    /// S10: the id is the hash of the identity; each field changes it, and nobody registers it twice.
    function testFuzz_registerModel_is_content_addressed(uint256 seed, uint256 field, bytes32 other, address sender) public {
        IModelRegistry.Identity memory identity = Toxic.identity(seed % 1000 + 1000, SIGNALS);
        bytes memory vk = Toxic.keyBytes(seed % 1000 + 1000, SIGNALS);
        vm.prank(sender);
        bytes32 id = registry.registerModel(identity, vk);
        assertTrue(id == registry.modelIdOf(identity), "the id is the hash of the identity");
        assertTrue(registry.modelAt(registry.modelCount() - 1) == id, "it is the last in the list");
        bytes4 reason = reasonOf(address(registry), abi.encodeCall(registry.registerModel, (identity, vk)));
        assertReason(reason, IModelRegistry.AlreadyRegistered.selector, "registered twice");
        vm.assume(other != 0);
        field %= 4;
        if (field == 0) identity.modelHash ^= other;
        if (field == 1) identity.circuitHash ^= other;
        if (field == 2) identity.compilerVersion ^= other;
        if (field == 3) identity.manifestDigest ^= other;
        assertTrue(registry.modelIdOf(identity) != id, "a field that does not change the id");
    }

    /// S06: a key that is not exactly what its hash says, or that anyone could forge under, never gets in.
    function testFuzz_registerModel_refuses_unsafe_keys(uint256 seed, uint256 kind, uint256 place, uint256 bit) public {
        bytes memory vk = Toxic.keyBytes(seed % 50 + 2000, SIGNALS);
        kind %= 10;
        if (kind == 0) _copyPart(vk, 192, 320, 128); // γ = δ
        if (kind == 1) _copyPart(vk, 64, 320, 128); // β = δ
        if (kind == 2) _zero(vk, 0, 64); // α infinite
        if (kind == 3) _zero(vk, 64 + 128 * (place % 3), 128); // β, γ or δ infinite
        if (kind == 4) _zero(vk, 448 + 64 * (place % 4), 64); // an IC point infinite
        if (kind == 5) _copyPart(vk, 448 + 64 * (place % 3), 448 + 64 * 3, 64); // IC points repeat
        if (kind == 6) _write(vk, 320, Toxic.g2(1)); // δ is the generator: nobody contributed
        if (kind == 7) vk[bit % vk.length] ^= bytes1(uint8(1 << (place % 8))); // a flipped bit is off the curve
        if (kind == 8) _write(vk, 320, _negative(Toxic.g2(3))); // δ = −γ
        if (kind == 9) vk = bytes.concat(vk, hex"00"); // length
        IModelRegistry.Identity memory identity = Toxic.identity(seed % 50 + 2000, SIGNALS);
        identity.vkHash = keccak256(vk);
        bytes4 reason = reasonOf(address(registry), abi.encodeCall(registry.registerModel, (identity, vk)));
        assertReason(reason, IModelRegistry.UnsafeVerifyingKey.selector, "an unsafe key");
    }

    function testFuzz_registerModel_refuses_another_key_and_sentinels(uint256 seed, uint256 field, bytes32 otherHash) public {
        IModelRegistry.Identity memory identity = Toxic.identity(seed % 50 + 3000, SIGNALS);
        bytes memory vk = Toxic.keyBytes(seed % 50 + 3000, SIGNALS);
        vm.assume(otherHash != identity.vkHash);
        bytes32 right = identity.vkHash;
        identity.vkHash = otherHash;
        bytes4 reason = reasonOf(address(registry), abi.encodeCall(registry.registerModel, (identity, vk)));
        assertReason(reason, IModelRegistry.VerifyingKeyMismatch.selector, "another key");
        identity.vkHash = right;
        field %= 6;
        if (field == 0) identity.modelHash = 0;
        if (field == 1) identity.circuitHash = 0;
        if (field == 2) identity.compilerVersion = 0;
        if (field == 3) identity.manifestDigest = 0;
        if (field == 4) identity.setupClass = uint8(seed % 2 == 0 ? 0 : 3 + seed % 253);
        if (field == 5) identity.setupClass = 2; // a ceremony without a transcript
        reason = reasonOf(address(registry), abi.encodeCall(registry.registerModel, (identity, vk)));
        assertReason(reason, IModelRegistry.MalformedIdentity.selector, "a sentinel");
    }

    /// M17: one party's setup is refused where money is.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_registerModel_refuses_dev_setups_on_value_chains(uint64 chainId) public {
        vm.assume(chainId != 31337 && chainId != 1337 && chainId != 11155111 && chainId != 17000 && chainId != 560048 && chainId != 0);
        IModelRegistry.Identity memory identity = Toxic.identity(4000, SIGNALS);
        bytes memory vk = Toxic.keyBytes(4000, SIGNALS);
        vm.chainId(chainId);
        bytes4 reason = reasonOf(address(registry), abi.encodeCall(registry.registerModel, (identity, vk)));
        assertReason(reason, IModelRegistry.DevSetupRefused.selector, "a dev setup");
        (identity.setupClass, identity.transcriptDigest) = (2, keccak256("transcript"));
        registry.registerModel(identity, vk);
        vm.chainId(31337);
    }

    /// S11: a listing speaks for its sender alone, and a tombstone stays one.
    function testFuzz_list_and_retire_speak_for_the_sender(address one, address other, uint128 price, uint32 ppm) public {
        vm.assume(one != other);
        vm.prank(one);
        registry.list(modelId, price, ppm, "ipfs://one");
        assertEq(registry.listingOf(modelId, one).priceHintWei, price, "price");
        assertEq(registry.listingOf(modelId, one).agreementPpm, ppm, "agreement");
        assertEq(bytes(registry.listingOf(modelId, other).uri).length, 0, "another's listing");
        vm.prank(other);
        registry.retire(modelId);
        assertTrue(!registry.listingOf(modelId, one).retired, "another retired it");
        vm.prank(one);
        registry.retire(modelId);
        vm.prank(one);
        bytes4 reason = reasonOf(address(registry), abi.encodeCall(registry.list, (modelId, price, ppm, "ipfs://two")));
        assertReason(reason, IModelRegistry.RetiredListing.selector, "a tombstone that came back");
        assertTrue(registry.statusOf(modelId) == IModelRegistry.Status.Active, "retiring a listing froze the model");
    }

    function testFuzz_list_bounds_the_uri(uint16 extra) public {
        string memory uri = string(new bytes(513 + extra % 2000));
        bytes4 reason = reasonOf(address(registry), abi.encodeCall(registry.list, (modelId, 1, 1, uri)));
        assertReason(reason, IModelRegistry.UriTooLong.selector, "a long uri");
    }

    function testFuzz_attest_speaks_for_the_sender(address attester, address other, bool value) public {
        vm.assume(attester != other);
        vm.prank(attester);
        registry.attest(modelId, value);
        assertTrue(registry.isAttested(modelId, attester) == value, "attested");
        assertTrue(!registry.isAttested(modelId, other), "another attested");
    }

    /// C27: an id that was never registered does nothing anywhere.
    function testFuzz_unknown_models_do_nothing(bytes32 id) public {
        vm.assume(id != modelId);
        uint256[] memory signals = statement(1, INPUT, 1);
        uint256[8] memory proof = prove(signals);
        bytes[7] memory calls = [
            abi.encodeCall(registry.list, (id, 1, 1, "u")),
            abi.encodeCall(registry.retire, (id)),
            abi.encodeCall(registry.attest, (id, true)),
            abi.encodeCall(registry.keyOf, (id)),
            abi.encodeCall(registry.setupClassOf, (id)),
            abi.encodeCall(registry.reportCanary, (id, signals, proof)),
            abi.encodeCall(registry.reportContradiction, (id, signals, proof, signals, proof))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            assertReason(reasonOf(address(registry), calls[i]), IModelRegistry.UnknownModel.selector, "unknown");
        }
        assertTrue(registry.statusOf(id) == IModelRegistry.Status.Unknown, "status");
    }

    /// M22: two valid proofs, one commitment, two outputs: anyone freezes the model, for ever.
    function testFuzz_reportContradiction_freezes(uint256 input, uint256 one, uint256 other, address reporter) public {
        (one, other) = (one % Toxic.R, other % Toxic.R);
        vm.assume(one != other);
        uint256[] memory first = statement(one >> 8, bound(input, 1 << 248, Toxic.R - 1), one);
        uint256[] memory second = statement(other >> 8, first[1], other);
        uint256[8] memory proof = prove(first);
        uint256[8] memory otherProof = prove(second);
        vm.prank(reporter);
        registry.reportContradiction(modelId, first, proof, second, otherProof);
        assertTrue(registry.statusOf(modelId) == IModelRegistry.Status.Frozen, "frozen");
        assertReason(
            reasonOf(address(registry), abi.encodeCall(registry.keyOf, (modelId))),
            IModelRegistry.FrozenModel.selector,
            "a frozen model gives no key"
        );
    }

    /// M22: what an honest prover makes never freezes: other inputs, one statement twice, or a bad proof.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_reportContradiction_never_fires_on_honest_pairs(uint256 a, uint256 b, uint256 raw, uint256 bit) public {
        (a, b) = (a % Toxic.R, b % Toxic.R);
        uint256[] memory first = statement(raw >> 8, a, uint256(keccak256(abi.encode(a))) >> 8);
        uint256[] memory second = statement(bit >> 8, b, uint256(keccak256(abi.encode(b))) >> 8);
        _harmless(first, second, prove(first), prove(second));
        _harmless(first, first, prove(first), prove(first));
        second = statement(raw >> 8, a, addmod(first[2], 1, Toxic.R));
        uint256[8] memory forged = prove(first);
        forged[bit % 8] ^= 1;
        _harmless(first, second, prove(first), forged);
    }

    /// M22, inputs in public: three packed input signals agree in the first and differ in the second. No contradiction.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_reportContradiction_does_not_take_a_public_input_for_a_commitment(uint256 x, uint256 y, uint256 z) public {
        uint256 seed = 5000;
        bytes32 id = registry.registerModel(Toxic.identity(seed, 4), Toxic.keyBytes(seed, 4));
        x >>= 8;
        vm.assume(y >> 8 != z >> 8);
        uint256[] memory first = new uint256[](4);
        uint256[] memory second = new uint256[](4);
        (first[0], first[1], first[2], first[3]) = (1, x, y >> 8, 3);
        (second[0], second[1], second[2], second[3]) = (2, x, z >> 8, 4);
        bytes4 reason = reasonOf(
            address(registry),
            abi.encodeCall(
                registry.reportContradiction,
                (id, first, Toxic.prove(seed, first, 7, 1), second, Toxic.prove(seed, second, 7, 1))
            )
        );
        assertReason(reason, IModelRegistry.NotAContradiction.selector, "a public input");
        second[2] = first[2]; // now only the last signal differs, and that one is an output
        registry.reportContradiction(
            id, first, Toxic.prove(seed, first, 7, 1), second, Toxic.prove(seed, second, 7, 1)
        );
        assertTrue(registry.statusOf(id) == IModelRegistry.Status.Frozen, "frozen");
    }

    /// M23: a proof of the statement that nobody can prove honestly freezes the model.
    function testFuzz_reportCanary_freezes(uint256 context, uint256 output, address reporter) public {
        uint256[] memory signals = statement(context >> 8, registry.canaryOf(modelId), output % Toxic.R);
        uint256[8] memory proof = prove(signals);
        vm.prank(reporter);
        registry.reportCanary(modelId, signals, proof);
        assertTrue(registry.statusOf(modelId) == IModelRegistry.Status.Frozen, "frozen");
    }

    function testFuzz_reportCanary_never_fires_on_another_statement(uint256 input, uint256 output, uint256 bit) public {
        input %= Toxic.R;
        uint256 canary = registry.canaryOf(modelId);
        vm.assume(input != canary);
        uint256[] memory signals = statement(1, input, output % Toxic.R);
        assertReason(
            reasonOf(address(registry), abi.encodeCall(registry.reportCanary, (modelId, signals, prove(signals)))),
            IModelRegistry.NotACanary.selector,
            "another statement"
        );
        signals[1] = canary;
        uint256[8] memory forged = prove(signals);
        forged[bit % 8] ^= 1 << (bit % 250);
        (bool ok,) = address(registry).call(abi.encodeCall(registry.reportCanary, (modelId, signals, forged)));
        assertTrue(!ok && registry.statusOf(modelId) == IModelRegistry.Status.Active, "a bad proof froze the model");
    }

    function testFuzz_verifyInference_accepts_what_is_proved(uint256 context, uint256 input, uint256 output) public {
        (context, input, output) = (context >> 8, input % Toxic.R, output >> 8);
        uint256[8] memory p = prove(statement(context, input, output));
        bytes memory proof = abi.encode(context, [p[0], p[1]], [[p[2], p[3]], [p[4], p[5]]], [p[6], p[7]]);
        bytes memory packed = abi.encodePacked(uint248(output));
        registry.verifyInference(modelId, bytes32(input), packed, proof);
        packed[output % 31] ^= 0x01;
        bytes4 reason =
            reasonOf(address(registry), abi.encodeCall(registry.verifyInference, (modelId, bytes32(input), packed, proof)));
        assertReason(reason, IGroth16Verifier.ProofRejected.selector, "another output");
    }

    function testFuzz_verifyInference_rejects_other_lengths(uint16 outputLength, uint16 proofLength) public {
        vm.assume(outputLength % 31 != 0 && proofLength != 288);
        assertReason(
            reasonOf(
                address(registry),
                abi.encodeCall(registry.verifyInference, (modelId, bytes32(INPUT), new bytes(31), new bytes(proofLength)))
            ),
            IModelRegistry.MalformedProof.selector,
            "proof length"
        );
        assertReason(
            reasonOf(
                address(registry),
                abi.encodeCall(registry.verifyInference, (modelId, bytes32(INPUT), new bytes(outputLength), new bytes(288)))
            ),
            IModelRegistry.MalformedOutput.selector,
            "output length"
        );
    }

    /// S09: a verifier that is not there, or is no longer the one that was pinned, judges nothing.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_a_changed_verifier_judges_nothing(bytes calldata code, address empty) public {
        vm.assume(keccak256(code) != registry.verifierCodeHash() && empty.code.length == 0);
        (bool made,) = address(this).call(abi.encodeCall(this.makeRegistry, (empty)));
        assertTrue(!made, "a registry over nothing");
        uint256[] memory signals = statement(1, registry.canaryOf(modelId), 1);
        uint256[8] memory proof = prove(signals);
        vm.etch(address(verifier), code);
        assertReason(
            reasonOf(address(registry), abi.encodeCall(registry.reportCanary, (modelId, signals, proof))),
            IModelRegistry.VerifierChanged.selector,
            "registry"
        );
        assertReason(
            reasonOf(
                address(settlement),
                abi.encodeCall(settlement.settle, (proven(address(1), 1, address(2), address(3), START, 4)))
            ),
            ProofGate.VerifierCodeChanged.selector,
            "settlement"
        );
        (made,) = address(this).call(abi.encodeCall(this.makeSettlement, ()));
        assertTrue(!made, "a settlement over a changed verifier");
    }

    function makeRegistry(address over) external returns (ModelRegistry) {
        return newRegistry(IGroth16Verifier(over));
    }

    function makeSettlement() external returns (Settlement) {
        return newSettlement(registry);
    }

    function _harmless(
        uint256[] memory one,
        uint256[] memory other,
        uint256[8] memory proof,
        uint256[8] memory otherProof
    ) private {
        (bool ok,) = address(registry).call(
            abi.encodeCall(registry.reportContradiction, (modelId, one, proof, other, otherProof))
        );
        assertTrue(!ok && registry.statusOf(modelId) == IModelRegistry.Status.Active, "an honest pair froze the model");
    }

    function _copyPart(bytes memory data, uint256 from, uint256 to, uint256 length) private pure {
        assembly {
            mcopy(add(add(data, 0x20), to), add(add(data, 0x20), from), length)
        }
    }

    function _zero(bytes memory data, uint256 from, uint256 length) private pure {
        for (uint256 i = 0; i < length; ++i) data[from + i] = 0;
    }

    function _write(bytes memory data, uint256 to, uint256[4] memory point) private pure {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 word = point[i];
            assembly {
                mstore(add(add(data, 0x20), add(to, shl(5, i))), word)
            }
        }
    }

    function _negative(uint256[4] memory point) private pure returns (uint256[4] memory) {
        return [point[0], point[1], Toxic.Q - point[2], Toxic.Q - point[3]];
    }
}
