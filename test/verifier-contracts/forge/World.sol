// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {ISettlement} from "../../../verifier-contracts/interfaces/ISettlement.sol";
import {Groth16Verifier} from "../../../verifier-contracts/Groth16Verifier.sol";
import {InferenceMarket} from "../../../verifier-contracts/InferenceMarket.sol";
import {ModelRegistry} from "../../../verifier-contracts/ModelRegistry.sol";
import {Settlement} from "../../../verifier-contracts/Settlement.sol";
import {Deploy} from "./Deploy.sol";
import {Toxic} from "./Toxic.sol";

/// Everything deployed, one model of three signals (context, input commitment, output), and proofs for it.
abstract contract World is Deploy {
    uint256 internal constant SEED = 42;
    uint256 internal constant SIGNALS = 3;
    /// A commitment: at or above 2^248.
    uint256 internal constant INPUT = (1 << 251) + 12345;

    /// Tests count from here: with via_ir the compiler may read block.timestamp again after a warp.
    uint256 internal constant START = 1_800_000_000;

    Groth16Verifier internal verifier;
    ModelRegistry internal registry;
    Settlement internal settlement;
    InferenceMarket internal market;
    bytes32 internal modelId;
    bytes32 internal vkHash;

    function build() internal {
        vm.warp(START);
        vm.chainId(31337);
        verifier = newVerifier();
        registry = newRegistry(verifier);
        settlement = newSettlement(registry);
        market = newMarket(registry);
        modelId = register(SEED);
        vkHash = Toxic.identity(SEED, SIGNALS).vkHash;
    }

    function register(uint256 seed) internal returns (bytes32) {
        return registry.registerModel(Toxic.identity(seed, SIGNALS), Toxic.keyBytes(seed, SIGNALS));
    }

    /// docs/architecture.md, written out again.
    function contextOf(
        address contract_,
        bytes32 requestId,
        bytes32 model,
        bytes32 key,
        address operator,
        address payee,
        uint256 deadline
    ) internal view returns (uint256) {
        return uint256(
            keccak256(
                abi.encode(
                    keccak256("verinfer/settlement/v1"), 1, block.chainid, contract_, requestId, model, key, operator, payee, deadline
                )
            )
        ) >> 8;
    }

    function statement(uint256 context, uint256 input, uint256 output) internal pure returns (uint256[] memory signals) {
        signals = new uint256[](3);
        (signals[0], signals[1], signals[2]) = (context, input, output);
    }

    function prove(uint256[] memory signals) internal view returns (uint256[8] memory) {
        return Toxic.prove(SEED, signals, uint256(keccak256(abi.encode(signals))) % (Toxic.R - 1) + 1, 1 + signals[2] % 8);
    }

    function proven(address requester, uint256 nonce, address operator, address payee, uint256 deadline, uint256 output)
        internal
        view
        returns (ISettlement.Inference memory inference)
    {
        bytes32 requestId = settlement.requestIdOf(requester, nonce, modelId, deadline);
        uint256 context = contextOf(address(settlement), requestId, modelId, vkHash, operator, payee, deadline);
        uint256[] memory signals = new uint256[](2);
        (signals[0], signals[1]) = (INPUT, output);
        inference = ISettlement.Inference(
            modelId, requester, nonce, operator, payee, deadline, prove(statement(context, INPUT, output)), signals
        );
    }

    function termsOf(address requester, uint256 nonce) internal view returns (IInferenceMarket.Terms memory) {
        return IInferenceMarket.Terms({
            requester: requester,
            nonce: nonce,
            modelId: modelId,
            inputDigest: keccak256(abi.encode(INPUT)),
            inputSignalCount: 1,
            minSetupClass: 1,
            attester: address(0),
            feeWei: 1 ether,
            deadline: uint64(START + 1 days),
            lockCollateralWei: 0.5 ether,
            lockSeconds: 1 hours,
            callback: address(0),
            callbackGas: 0
        });
    }

    function fulfilment(IInferenceMarket.Terms memory terms, address operator, address payee, uint256 output)
        internal
        view
        returns (IInferenceMarket.Fulfilment memory)
    {
        uint256 context = contextOf(
            address(market), market.requestIdOf(terms), terms.modelId, vkHash, operator, payee, terms.deadline
        );
        uint256[] memory signals = new uint256[](2);
        (signals[0], signals[1]) = (INPUT, output);
        return IInferenceMarket.Fulfilment(terms, operator, payee, prove(statement(context, INPUT, output)), signals);
    }

    function open(IInferenceMarket.Terms memory terms) internal returns (bytes32) {
        vm.deal(terms.requester, terms.requester.balance + terms.feeWei);
        vm.prank(terms.requester);
        return market.request{value: terms.feeWei}(terms);
    }

    function lockAs(address operator, IInferenceMarket.Terms memory terms) internal {
        vm.deal(operator, operator.balance + terms.lockCollateralWei);
        vm.prank(operator);
        market.lock{value: terms.lockCollateralWei}(terms);
    }

    /// Two proofs with one input and two outputs: what only a forger can make.
    function freeze() internal {
        uint256[] memory one = statement(1, INPUT, 1);
        uint256[] memory other = statement(2, INPUT, 2);
        registry.reportContradiction(modelId, one, prove(one), other, prove(other));
    }

    /// An account that is no contract of ours, no precompile and no cheat code.
    function human(uint256 seed) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("human", seed)))));
    }

    function reasonOf(address target, bytes memory data) internal returns (bytes4) {
        (bool ok, bytes memory returned) = target.call(data);
        assertTrue(!ok, "the call went through");
        return selectorOf(returned);
    }

    function assertReason(bytes4 got, bytes4 expected, string memory what) internal pure {
        assertEq(uint32(got), uint32(expected), what);
    }

    function statusOf(bytes32 requestId) internal view returns (IInferenceMarket.Status) {
        return market.stateOf(requestId).status;
    }
}
