// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";

/// Groth16 keys and proofs from known toxic waste, inside the EVM: any statement has a proof, so that fuzzing reaches
/// what lies behind the verifier. α and the logarithms kᵢ of the IC points follow from a seed; β = 2, γ = 3, δ = 4.
///   A = a·G1, B = b·G2, C = (a·b − α·β − γ·(k₀ + Σ kᵢ·sᵢ))/δ · G1
library Toxic {
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant BETA = 2;
    uint256 private constant GAMMA = 3;
    uint256 private constant DELTA = 4;

    function scalar(uint256 seed, uint256 index) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("toxic", seed, index))) % (R - 1) + 1;
    }

    function keyBytes(uint256 seed, uint256 signalCount) internal view returns (bytes memory vk) {
        vk = abi.encodePacked(
            g1(scalar(seed, 0)), abi.encodePacked(g2(BETA)), abi.encodePacked(g2(GAMMA)), abi.encodePacked(g2(DELTA))
        );
        for (uint256 i = 0; i <= signalCount; ++i) vk = abi.encodePacked(vk, g1(scalar(seed, 1 + i)));
    }

    /// A valid proof of `signals`; `a` ≠ 0 mod r and b in [1, 8] are its randomness.
    function prove(uint256 seed, uint256[] memory signals, uint256 a, uint256 b)
        internal
        view
        returns (uint256[8] memory proof)
    {
        uint256 statement = scalar(seed, 1);
        for (uint256 i = 0; i < signals.length; ++i) {
            statement = addmod(statement, mulmod(scalar(seed, 2 + i), signals[i], R), R);
        }
        uint256 c = mulmod(a, b, R);
        c = addmod(c, R - mulmod(scalar(seed, 0), BETA, R), R);
        c = addmod(c, R - mulmod(GAMMA, statement, R), R);
        c = mulmod(c, inverse(DELTA), R);
        uint256[2] memory pointA = g1(a);
        uint256[2] memory pointC = g1(c);
        uint256[4] memory pointB = g2(b);
        proof = [pointA[0], pointA[1], pointB[0], pointB[1], pointB[2], pointB[3], pointC[0], pointC[1]];
    }

    function identity(uint256 seed, uint256 signalCount) internal view returns (IModelRegistry.Identity memory) {
        return IModelRegistry.Identity({
            modelHash: keccak256(abi.encode("onnx", seed)),
            circuitHash: keccak256(abi.encode("r1cs", seed)),
            vkHash: keccak256(keyBytes(seed, signalCount)),
            setupClass: 1,
            contributorCount: 1,
            transcriptDigest: 0,
            compilerVersion: keccak256("0.1.0"),
            manifestDigest: keccak256(abi.encode("manifest", seed))
        });
    }

    function g1(uint256 k) internal view returns (uint256[2] memory point) {
        (bool ok, bytes memory result) = address(7).staticcall(abi.encode(1, 2, k));
        require(ok, "ecMul");
        return abi.decode(result, (uint256[2]));
    }

    function inverse(uint256 x) internal view returns (uint256) {
        (bool ok, bytes memory result) = address(5).staticcall(abi.encode(32, 32, 32, x, R - 2, R));
        require(ok, "modexp");
        return abi.decode(result, (uint256));
    }

    /// k·G2 for k in [1, 8], made by test/support/forge-points.ts: the EVM has no multiplication on G2.
    function g2(uint256 k) internal pure returns (uint256[4] memory) {
        if (k == 1) return [
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
            10857046999023057135944570762232829481370756359578518086990519993285655852781,
            4082367875863433681332203403145435568316851327593401208105741076214120093531,
            8495653923123431417604973247489272438418190587263600148770280649306958101930
        ];
        if (k == 2) return [
            14583779054894525174450323658765874724019480979794335525732096752006891875705,
            18029695676650738226693292988307914797657423701064905010927197838374790804409,
            11474861747383700316476719153975578001603231366361248090558603872215261634898,
            2140229616977736810657479771656733941598412651537078903776637920509952744750
        ];
        if (k == 3) return [
            7273165102799931111715871471550377909735733521218303035754523677688038059653,
            2725019753478801796453339367788033689375851816420509565303521482350756874229,
            957874124722006818841961785324909313781880061366718538693995380805373202866,
            2512659008974376214222774206987427162027254181373325676825515531566330959255
        ];
        if (k == 4) return [
            18556147586753789634670778212244811446448229326945855846642767021074501673839,
            18936818173480011669507163011118288089468827259971823710084038754632518263340,
            13775476761357503446238925910346030822904460488609979964814810757616608848118,
            18825831177813899069786213865729385895767511805925522466244528695074736584695
        ];
        if (k == 5) return [
            4540444681147253467785307942530223364530218361853237193970751657229138047649,
            20954117799226682825035885491234530437475518021362091509513177301640194298072,
            11631839690097995216017572651900167465857396346217730511548857041925508482915,
            21508930868448350162258892668132814424284302804699005394342512102884055673846
        ];
        if (k == 6) return [
            12345624066896925082600651626583520268054356403303305150512393106955803260718,
            10191129150170504690859455063377241352678147020731325090942140630855943625622,
            13790151551682513054696583104432356791070435696840691503641536676885931241944,
            16727484375212017249697795760885267597317766655549468217180521378213906474374
        ];
        if (k == 7) return [
            18551411094430470096460536606940536822990217226529861227533666875800903099477,
            15512671280233143720612069991584289591749188907863576513414377951116606878472,
            1711576522631428957817575436337311654689480489843856945284031697403898093784,
            13376798835316611669264291046140500151806347092962367781523498857425536295743
        ];
        if (k == 8) return [
            1513450333913810775282357068930057790874607011341873340507105465411024430745,
            11166086885672626473267565287145132336823242144708474818695443831501089511977,
            20245151454212206884108313452940569906396451322269011731680309881579291004202,
            10576778712883087908382530888778326306865681986179249638025895353796469496812
        ];
        revert("no such multiple of G2");
    }
}
