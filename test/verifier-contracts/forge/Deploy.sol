// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "../../../verifier-contracts/interfaces/IModelRegistry.sol";
import {CreditGate} from "../../../verifier-contracts/examples/CreditGate.sol";
import {Groth16Verifier} from "../../../verifier-contracts/Groth16Verifier.sol";
import {InferenceMarket} from "../../../verifier-contracts/InferenceMarket.sol";
import {ModelRegistry} from "../../../verifier-contracts/ModelRegistry.sol";
import {Settlement} from "../../../verifier-contracts/Settlement.sol";
import {Spec} from "./Vm.sol";

/// Deploys the bytes that build.ts wrote: what is tested is what is deployed. VERINFER_ARTIFACTS names another folder;
/// the mutation campaign puts mutants there.
abstract contract Deploy is Spec {
    function newVerifier() internal returns (Groth16Verifier) {
        return Groth16Verifier(create("Groth16Verifier", ""));
    }

    function newRegistry(IGroth16Verifier verifier) internal returns (ModelRegistry) {
        return ModelRegistry(create("ModelRegistry", abi.encode(verifier)));
    }

    function newSettlement(IModelRegistry registry) internal returns (Settlement) {
        return Settlement(create("Settlement", abi.encode(registry)));
    }

    function newMarket(IModelRegistry registry) internal returns (InferenceMarket) {
        return InferenceMarket(create("InferenceMarket", abi.encode(registry)));
    }

    function newGate(InferenceMarket market, bytes32 modelId, uint256 approve, uint256 decline)
        internal
        returns (CreditGate)
    {
        return CreditGate(payable(create("CreditGate", abi.encode(market, modelId, approve, decline))));
    }

    /// Reverts with what the constructor reverted with.
    function create(string memory name, bytes memory arguments) private returns (address made) {
        string memory folder = vm.envOr("VERINFER_ARTIFACTS", string("verifier-contracts/out"));
        bytes memory init = bytes.concat(vm.getCode(string.concat(folder, "/", name, ".json")), arguments);
        assembly {
            made := create(0, add(init, 0x20), mload(init))
            if iszero(made) {
                let place := mload(0x40)
                returndatacopy(place, 0, returndatasize())
                revert(place, returndatasize())
            }
        }
    }
}
