// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../../verifier-contracts/interfaces/IGroth16Verifier.sol";
import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {ISettlement} from "../../../verifier-contracts/interfaces/ISettlement.sol";
import {Hostile} from "./Hostile.sol";
import {World} from "./World.sol";

/// S03: every way in that ends at the verifier, with a valid proof, at 500 gas limits from nothing to more than enough.
/// Too little gas reverts without a word about the proof and without a trace; enough gas goes through.
contract GasSweepTest is World {
    uint256 private constant LEVELS = 500;

    function setUp() public {
        build();
    }

    function test_sweep_settle() public {
        sweep(address(settlement), abi.encodeCall(settlement.settle, (settled(1))), 450_000);
    }

    function test_sweep_settleBatch() public {
        ISettlement.Inference[] memory all = new ISettlement.Inference[](2);
        (all[0], all[1]) = (settled(1), settled(2));
        sweep(address(settlement), abi.encodeCall(settlement.settleBatch, (all)), 650_000);
    }

    function test_sweep_fulfil() public {
        sweep(address(market), abi.encodeCall(market.fulfil, (asked(1, address(0)))), 450_000);
    }

    function test_sweep_fulfil_with_a_callback() public {
        address consumer = address(new Hostile(market));
        sweep(address(market), abi.encodeCall(market.fulfil, (asked(1, consumer))), 550_000);
    }

    function test_sweep_fulfilBatch() public {
        IInferenceMarket.Fulfilment[] memory all = new IInferenceMarket.Fulfilment[](2);
        (all[0], all[1]) = (asked(1, address(0)), asked(2, address(0)));
        sweep(address(market), abi.encodeCall(market.fulfilBatch, (all)), 700_000);
    }

    function test_sweep_verifyInference() public {
        uint256[8] memory p = prove(statement(1, INPUT, 5));
        bytes memory proof = abi.encode(uint256(1), p);
        sweep(
            address(registry),
            abi.encodeCall(registry.verifyInference, (modelId, bytes32(INPUT), abi.encodePacked(uint248(5)), proof)),
            400_000
        );
    }

    function test_sweep_reportContradiction() public {
        uint256[] memory one = statement(1, INPUT, 1);
        uint256[] memory other = statement(2, INPUT, 2);
        sweep(
            address(registry),
            abi.encodeCall(registry.reportContradiction, (modelId, one, prove(one), other, prove(other))),
            700_000
        );
    }

    function test_sweep_reportCanary() public {
        uint256[] memory signals = statement(1, registry.canaryOf(modelId), 1);
        sweep(address(registry), abi.encodeCall(registry.reportCanary, (modelId, signals, prove(signals))), 400_000);
    }

    function sweep(address target, bytes memory data, uint256 most) private {
        uint256 accepted;
        for (uint256 i = 0; i < LEVELS; ++i) {
            uint256 snapshot = vm.snapshotState();
            (bool ok, bytes memory returned) = target.call{gas: most * i / LEVELS}(data);
            vm.revertToState(snapshot);
            assertTrue(ok || !isVerdict(selectorOf(returned)), "a valid proof was judged invalid");
            assertTrue(ok || accepted == 0, "more gas was not enough");
            if (ok) ++accepted;
        }
        assertTrue(accepted > 10 && accepted < LEVELS - 10, "the sweep begins below the price and ends above it");
    }

    function settled(uint256 nonce) private view returns (ISettlement.Inference memory) {
        return proven(human(1), nonce, human(2), human(3), START, 7);
    }

    function asked(uint256 nonce, address consumer) private returns (IInferenceMarket.Fulfilment memory) {
        IInferenceMarket.Terms memory terms = termsOf(human(1), nonce);
        if (consumer != address(0)) (terms.callback, terms.callbackGas) = (consumer, 60_000);
        open(terms);
        return fulfilment(terms, human(2), human(3), 5);
    }

    function isVerdict(bytes4 selector) private pure returns (bool) {
        return selector == IGroth16Verifier.ProofRejected.selector || selector == IGroth16Verifier.InvalidPoint.selector
            || selector == IGroth16Verifier.PointNotOnCurve.selector
            || selector == IGroth16Verifier.CoordinateNotCanonical.selector
            || selector == IGroth16Verifier.SignalNotCanonical.selector;
    }
}
