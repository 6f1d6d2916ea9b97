// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {ISettlement} from "../../../verifier-contracts/interfaces/ISettlement.sol";
import {Toxic} from "./Toxic.sol";
import {World} from "./World.sol";

/// Boundaries, reasons and events of registry and settlement, to the byte.
contract RecordsExactTest is World {
    function setUp() public {
        build();
    }

    function test_registerModel_takes_one_to_sixty_four_signals() public {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 count = [uint256(0), 1, 64, 65][i];
            IModelRegistry.Identity memory identity = Toxic.identity(900 + i, count);
            bytes memory data =
                abi.encodeCall(registry.registerModel, (identity, Toxic.keyBytes(900 + i, count)));
            if (count == 0) assertRefused(address(registry), data, unsafe("length"));
            else if (count == 65) assertRefused(address(registry), data, unsafe("more than 64 signals"));
            else registry.registerModel(identity, Toxic.keyBytes(900 + i, count));
        }
        (address key, bytes32 hash) = registry.keyOf(registry.modelAt(2));
        assertTrue(keccak256(key.code) == keccak256(bytes.concat(hex"00", Toxic.keyBytes(902, 64))), "stored");
        assertTrue(hash == keccak256(Toxic.keyBytes(902, 64)), "hash");
        assertEq(registry.modelCount(), 3, "count");
    }

    function test_registerModel_names_what_is_unsafe() public {
        refusedKey(0, 1, "alpha");
        refusedKey(64, 1, "beta");
        refusedKey(192, 1, "gamma");
        refusedKey(320, 1, "delta");
        refusedKey(448 + 64, 1, "IC point");
        bytes memory vk = Toxic.keyBytes(910, SIGNALS);
        write(vk, 448 + 64 + 32, Toxic.Q - word(vk, 448 + 32)); // −IC₀ in place of IC₁
        write(vk, 448 + 64, word(vk, 448));
        refusedVk(vk, "IC points repeat");
        vk = Toxic.keyBytes(910, SIGNALS);
        copy(vk, 64, Toxic.g2(3));
        refusedVk(vk, "beta equals gamma");
        copy(vk, 64, Toxic.g2(4));
        refusedVk(vk, "beta equals delta");
        copy(vk, 64, Toxic.g2(2));
        copy(vk, 192, Toxic.g2(4));
        refusedVk(vk, "gamma equals delta");
        vk = Toxic.keyBytes(910, SIGNALS);
        copy(vk, 320, Toxic.g2(1));
        refusedVk(vk, "delta is the generator");
        // A coordinate plus q has the same residue, and is refused all the same.
        vk = Toxic.keyBytes(910, SIGNALS);
        write(vk, 448, word(vk, 448) + Toxic.Q);
        refusedVk(vk, "IC point");
        vk = Toxic.keyBytes(910, SIGNALS);
        write(vk, 32, word(vk, 32) + Toxic.Q);
        refusedVk(vk, "alpha");
    }

    function test_registerModel_names_the_field() public {
        string[5] memory names = ["modelHash", "circuitHash", "compilerVersion", "manifestDigest", "contributorCount"];
        for (uint256 i = 0; i < 5; ++i) {
            IModelRegistry.Identity memory identity = Toxic.identity(920, SIGNALS);
            if (i == 0) identity.modelHash = 0;
            if (i == 1) identity.circuitHash = 0;
            if (i == 2) identity.compilerVersion = 0;
            if (i == 3) identity.manifestDigest = 0;
            if (i == 4) identity.contributorCount = 0;
            malformed(identity, names[i]);
        }
        IModelRegistry.Identity memory ceremony = Toxic.identity(920, SIGNALS);
        ceremony.setupClass = 2;
        malformed(ceremony, "transcriptDigest");
        ceremony.setupClass = 3;
        malformed(ceremony, "setupClass");
        ceremony.setupClass = 0;
        malformed(ceremony, "setupClass");
        ceremony.setupClass = 2;
        ceremony.transcriptDigest = keccak256("transcript");
        bytes32 id = registry.registerModel(ceremony, Toxic.keyBytes(920, SIGNALS));
        assertEq(registry.setupClassOf(id), 2, "class");
        assertEq(registry.setupClassOf(modelId), 1, "class");
    }

    /// The chains on which nothing of value lies, and their neighbours.
    function test_registerModel_knows_the_development_chains() public {
        uint64[5] memory chains = [uint64(31337), 1337, 11155111, 17000, 560048];
        for (uint256 i = 0; i < 5; ++i) {
            vm.chainId(chains[i]);
            register(930 + i);
            for (uint64 near = chains[i] - 1; near <= chains[i] + 1; near += 2) {
                vm.chainId(near);
                assertRefused(
                    address(registry),
                    abi.encodeCall(
                        registry.registerModel, (Toxic.identity(940, SIGNALS), Toxic.keyBytes(940, SIGNALS))
                    ),
                    abi.encodeWithSelector(IModelRegistry.DevSetupRefused.selector, near)
                );
            }
        }
        vm.chainId(31337);
    }

    function test_list_and_retire_to_the_byte() public {
        string memory longest = string(new bytes(512));
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelListed(modelId, address(this), 7, 8, longest);
        registry.list(modelId, 7, 8, longest);
        assertRefused(
            address(registry),
            abi.encodeCall(registry.list, (modelId, 1, 1, string(new bytes(513)))),
            abi.encodeWithSelector(IModelRegistry.UriTooLong.selector, 512, 513)
        );
        vm.expectEmit(address(registry));
        emit IModelRegistry.ListingRetired(modelId, address(this));
        registry.retire(modelId);
        assertTrue(registry.listingOf(modelId, address(this)).retired, "retired");
        bytes memory retired =
            abi.encodeWithSelector(IModelRegistry.RetiredListing.selector, modelId, address(this));
        assertRefused(address(registry), abi.encodeCall(registry.retire, (modelId)), retired);
        assertRefused(address(registry), abi.encodeCall(registry.list, (modelId, 1, 1, "")), retired);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelAttested(modelId, address(this), true);
        registry.attest(modelId, true);
        registry.attest(modelId, false);
        assertTrue(!registry.isAttested(modelId, address(this)), "taken back");
    }

    /// 2^248 is the least commitment: at it a difference anywhere counts, below it only the last signal does.
    function test_reportContradiction_at_its_bounds() public {
        bytes32 id = registry.registerModel(Toxic.identity(950, 4), Toxic.keyBytes(950, 4));
        bytes memory none = abi.encodeWithSelector(IModelRegistry.NotAContradiction.selector);
        uint256 bound_ = 1 << 248;
        contradictionRefused(id, four(1, bound_ - 1, 5, 6), four(1, bound_ - 1, 7, 6), none);
        contradictionRefused(id, four(1, bound_ - 1, 5, 6), four(1, bound_ - 1, 7, 8), none);
        contradictionRefused(id, four(1, bound_, 5, 6), four(2, bound_, 5, 6), none);
        contradictionRefused(id, four(1, bound_, 5, 6), four(1, bound_ + 1, 7, 6), none);
        contradictionRefused(id, new uint256[](2), new uint256[](2), none);
        contradictionRefused(id, four(1, bound_, 5, 6), statement(1, bound_, 7), none);
        uint256[] memory one = four(1, bound_, 5, 6);
        uint256[] memory other = four(1, bound_, 7, 6);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelFrozen(id, IModelRegistry.Evidence.Contradiction, address(this));
        registry.reportContradiction(id, one, Toxic.prove(950, one, 3, 1), other, Toxic.prove(950, other, 3, 1));
        contradictionRefused(id, one, other, abi.encodeWithSelector(IModelRegistry.FrozenModel.selector, id));
    }

    function test_reportCanary_says_what_it_expected() public {
        uint256 canary = registry.canaryOf(modelId);
        assertEq(canary, (1 << 252) + (uint256(keccak256(abi.encode(keccak256("verinfer/canary/v1"), modelId))) >> 8), "canary");
        uint256[8] memory proof;
        bytes4 selector = IModelRegistry.NotACanary.selector;
        assertRefused(
            address(registry),
            abi.encodeCall(registry.reportCanary, (modelId, new uint256[](1), proof)),
            abi.encodeWithSelector(selector, canary, 0)
        );
        assertRefused(
            address(registry),
            abi.encodeCall(registry.reportCanary, (modelId, statement(canary, 5, canary), proof)),
            abi.encodeWithSelector(selector, canary, 5)
        );
        uint256[] memory signals = statement(1, canary, 2);
        proof = prove(signals);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelFrozen(modelId, IModelRegistry.Evidence.Canary, address(this));
        registry.reportCanary(modelId, signals, proof);
    }

    function test_verifyInference_of_two_outputs_and_of_a_frozen_model() public {
        bytes32 id = registry.registerModel(Toxic.identity(960, 4), Toxic.keyBytes(960, 4));
        uint256[] memory all = four(1, INPUT, uint256(1) << 247, 9);
        bytes memory output = abi.encodePacked(uint248(all[2]), uint248(all[3]));
        bytes memory proof = abi.encode(uint256(1), Toxic.prove(960, all, 3, 1));
        registry.verifyInference(id, bytes32(INPUT), output, proof);
        assertRefused(
            address(registry),
            abi.encodeCall(registry.verifyInference, (id, bytes32(INPUT), abi.encodePacked(output, hex"00"), proof)),
            abi.encodeWithSelector(IModelRegistry.MalformedOutput.selector, 93, 63)
        );
        assertRefused(
            address(registry),
            abi.encodeCall(registry.verifyInference, (id, bytes32(INPUT), output, abi.encodePacked(proof, hex"00"))),
            abi.encodeWithSelector(IModelRegistry.MalformedProof.selector, 288, 289)
        );
        all[3] = 10;
        uint256[] memory first = four(1, INPUT, uint256(1) << 247, 9);
        registry.reportContradiction(id, first, Toxic.prove(960, first, 3, 1), all, Toxic.prove(960, all, 3, 1));
        assertRefused(
            address(registry),
            abi.encodeCall(registry.verifyInference, (id, bytes32(INPUT), output, proof)),
            abi.encodeWithSelector(IModelRegistry.FrozenModel.selector, id)
        );
    }

    /// One nonce, one bit: its neighbours in the word, in the next word and at the far end stay free.
    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_settle_marks_one_nonce(uint96 low, uint8 distance) public {
        vm.assume(distance != 0);
        uint256 nonce = uint256(uint160(address(this))) << 96 | low;
        ISettlement.Inference memory inference = proven(human(1), nonce, human(2), human(3), START, 7);
        bytes32 id = settlement.requestIdOf(human(1), nonce, modelId, START);
        vm.expectEmit(address(settlement));
        emit ISettlement.InferenceSettled(id, modelId, human(2), human(3), inference.signals);
        settlement.settle(inference);
        assertTrue(settlement.isSettled(human(1), nonce), "settled");
        assertTrue(!settlement.isSettled(human(1), nonce ^ distance), "in the word");
        assertTrue(!settlement.isSettled(human(1), nonce ^ (uint256(distance) << 8)), "in another word");
        assertTrue(!settlement.isSettled(human(1), nonce ^ (1 << 255)), "far away");
        assertTrue(!settlement.isSettled(human(2), nonce), "of another requester");
    }

    function test_settleBatch_announces_and_counts() public {
        ISettlement.Inference[] memory all = new ISettlement.Inference[](3);
        for (uint256 i = 0; i < 3; ++i) all[i] = proven(human(1), i, human(2), human(3), START, 7 + i);
        settlement.settle(all[1]);
        for (uint256 i = 0; i < 3; i += 2) {
            vm.expectEmit(address(settlement));
            emit ISettlement.InferenceSettled(
                settlement.requestIdOf(human(1), i, modelId, START), modelId, human(2), human(3), all[i].signals
            );
        }
        assertEq(settlement.settleBatch(all), 2, "settled");
        all[0].nonce = 9;
        all[2].nonce = 10;
        all[2].signals = new uint256[](3);
        assertRefused(
            address(settlement),
            abi.encodeCall(settlement.settleBatch, (all)),
            abi.encodeWithSelector(IGroth16Verifier.SignalCountMismatch.selector, 3, 4)
        );
        assertRefused(
            address(settlement),
            abi.encodeCall(settlement.settleBatch, (new ISettlement.Inference[](65))),
            abi.encodeWithSelector(ISettlement.BatchTooLarge.selector, 64, 65)
        );
    }

    function contradictionRefused(bytes32 id, uint256[] memory one, uint256[] memory other, bytes memory expected)
        private
    {
        uint256[8] memory proof;
        assertRefused(
            address(registry),
            abi.encodeCall(registry.reportContradiction, (id, one, proof, other, proof)),
            expected
        );
    }

    function malformed(IModelRegistry.Identity memory identity, string memory field) private {
        assertRefused(
            address(registry),
            abi.encodeCall(registry.registerModel, (identity, Toxic.keyBytes(920, SIGNALS))),
            abi.encodeWithSelector(IModelRegistry.MalformedIdentity.selector, field)
        );
    }

    function refusedKey(uint256 place, uint256 flip, string memory what) private {
        bytes memory vk = Toxic.keyBytes(910, SIGNALS);
        write(vk, place, word(vk, place) ^ flip);
        refusedVk(vk, what);
    }

    function refusedVk(bytes memory vk, string memory what) private {
        IModelRegistry.Identity memory identity = Toxic.identity(910, SIGNALS);
        identity.vkHash = keccak256(vk);
        assertRefused(address(registry), abi.encodeCall(registry.registerModel, (identity, vk)), unsafe(what));
    }

    function unsafe(string memory what) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.UnsafeVerifyingKey.selector, what);
    }

    function four(uint256 a, uint256 b, uint256 c, uint256 d) private pure returns (uint256[] memory all) {
        all = new uint256[](4);
        (all[0], all[1], all[2], all[3]) = (a, b, c, d);
    }

    function word(bytes memory data, uint256 place) private pure returns (uint256 value) {
        assembly {
            value := mload(add(add(data, 0x20), place))
        }
    }

    function write(bytes memory data, uint256 place, uint256 value) private pure {
        assembly {
            mstore(add(add(data, 0x20), place), value)
        }
    }

    function copy(bytes memory data, uint256 place, uint256[4] memory point) private pure {
        for (uint256 i = 0; i < 4; ++i) write(data, place + 32 * i, point[i]);
    }
}
