// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {CreditGate} from "../../../verifier-contracts/examples/CreditGate.sol";
import {World} from "./World.sol";

/// The example consumer, from the application to the withdrawal of the operator's fee, and every way that it can end.
contract GateTest is World {
    CreditGate private gate;
    address private applicant = human(1);
    address private operatorA = human(2);
    address private operatorB = human(3);
    uint64 private constant DEADLINE = uint64(START + 1 days);

    function setUp() public {
        build();
        gate = newGate(market, modelId, 3, 7);
    }

    /// forge-config: slow.fuzz.runs = 1000
    function testFuzz_the_story_of_a_credit(uint256 output, uint128 fee, address submitter) public {
        IInferenceMarket.Terms memory terms = apply_(fee);
        assertTrue(gate.decisionOf(applicant) == CreditGate.Decision.Pending, "pending");
        output >>= 8;
        market.fulfil(fulfilment(terms, operatorA, operatorA, output));
        IInferenceMarket.Fulfilment memory late = fulfilment(terms, operatorB, operatorB, output);
        vm.prank(submitter);
        assertReason(
            reasonOf(address(market), abi.encodeCall(market.fulfil, (late))),
            IInferenceMarket.WrongStatus.selector,
            "operator B came too late"
        );
        // Bytes 3 and 7 of the 31 of the signal.
        bytes31 packed = bytes31(uint248(output));
        CreditGate.Decision expected =
            uint8(packed[3]) > uint8(packed[7]) ? CreditGate.Decision.Approved : CreditGate.Decision.Declined;
        assertTrue(gate.decisionOf(applicant) == expected, "the gate does what the model said");
        assertEq(market.claimable(operatorB), 0, "B");
        if (fee == 0) return;
        vm.prank(operatorA);
        assertEq(market.withdraw(payable(operatorA)), fee, "the payment");
        assertEq(operatorA.balance, fee, "arrived");
        assertEq(address(market).balance + address(gate).balance, 0, "nothing is left behind");
    }

    function testFuzz_apply_once_and_for_oneself(uint256 commitment, uint128 fee, address other) public {
        vm.assume(other != applicant);
        apply_(fee);
        vm.deal(applicant, fee);
        vm.prank(applicant);
        (bool ok, bytes memory returned) =
            address(gate).call{value: fee}(abi.encodeCall(gate.apply_, (commitment, DEADLINE)));
        assertTrue(!ok, "applied twice");
        assertReason(selectorOf(returned), CreditGate.AlreadyApplied.selector, "applied twice");
        vm.deal(other, fee);
        vm.prank(other);
        gate.apply_{value: fee}(commitment, DEADLINE);
        assertTrue(gate.decisionOf(other) == CreditGate.Decision.Pending, "another applicant");
    }

    function testFuzz_onInference_listens_to_the_market_alone(address sender, bytes32 requestId, uint256 output) public {
        apply_(1 ether);
        uint256[] memory outputs = new uint256[](1);
        outputs[0] = output >> 8;
        bytes memory data = abi.encodeCall(gate.onInference, (requestId, modelId, outputs));
        vm.assume(sender != address(market));
        vm.prank(sender);
        assertReason(reasonOf(address(gate), data), CreditGate.NotTheMarket.selector, "a stranger");
        vm.assume(requestId != market.requestIdOf(terms_(0, 1 ether)));
        vm.prank(address(market));
        assertReason(reasonOf(address(gate), data), CreditGate.UnknownRequest.selector, "a request of another");
        vm.deal(sender, 1);
        vm.prank(sender);
        (bool ok,) = address(gate).call{value: 1}("");
        assertTrue(!ok, "ether of a stranger");
    }

    /// M15: a contract is the requester here, and the fee still finds its way back.
    function testFuzz_reclaim_returns_the_fee_to_the_applicant(uint128 fee, address anyone, uint8 way, uint96 otherFee) public {
        IInferenceMarket.Terms memory terms = apply_(fee);
        vm.deal(human(9), otherFee);
        vm.prank(human(9));
        gate.apply_{value: otherFee}(INPUT, DEADLINE);
        way %= 4;
        if (way == 0) {
            assertTrue(reasonOf(address(gate), abi.encodeCall(gate.reclaim, (terms))) != 0, "before the deadline");
            vm.warp(uint256(DEADLINE) + 1);
        }
        if (way == 1) {
            vm.prank(applicant);
            gate.giveUp(terms);
            vm.warp(START + 10 minutes);
        }
        if (way == 2) freeze();
        if (way == 3) {
            vm.warp(uint256(DEADLINE) + 1);
            market.refund(terms); // somebody was faster, for both
            market.refund(terms_(1, otherFee));
        }
        vm.prank(anyone);
        gate.reclaim(terms);
        assertEq(applicant.balance, fee, "the fee");
        assertTrue(gate.decisionOf(applicant) == CreditGate.Decision.None, "may apply again");
        assertReason(
            reasonOf(address(gate), abi.encodeCall(gate.reclaim, (terms))), CreditGate.UnknownRequest.selector, "twice"
        );
        vm.warp(uint256(DEADLINE) + 1);
        gate.reclaim(terms_(1, otherFee));
        assertEq(human(9).balance, otherFee, "the other's fee");
        assertEq(address(market).balance + address(gate).balance, 0, "nothing is left behind");
    }

    function testFuzz_giveUp_is_for_the_applicant(address other) public {
        vm.assume(other != applicant);
        IInferenceMarket.Terms memory terms = apply_(1 ether);
        vm.prank(other);
        assertReason(
            reasonOf(address(gate), abi.encodeCall(gate.giveUp, (terms))),
            CreditGate.NotTheApplicant.selector,
            "by another"
        );
        vm.prank(applicant);
        gate.giveUp(terms);
        market.fulfil(fulfilment(terms, operatorA, operatorA, 0)); // a proof that was on its way is paid
        assertTrue(gate.decisionOf(applicant) == CreditGate.Decision.Declined, "decided after all");
        assertReason(
            reasonOf(address(gate), abi.encodeCall(gate.reclaim, (terms))), CreditGate.UnknownRequest.selector, "both"
        );
    }

    function test_the_gate_says_whom_it_trusts() public view {
        assertTrue(gate.market() == market && gate.modelId() == modelId, "market and model");
    }

    function apply_(uint128 fee) private returns (IInferenceMarket.Terms memory) {
        vm.deal(applicant, fee);
        vm.prank(applicant);
        gate.apply_{value: fee}(INPUT, DEADLINE);
        return terms_(0, fee);
    }

    function terms_(uint256 nonce, uint128 fee) private view returns (IInferenceMarket.Terms memory terms) {
        terms = termsOf(address(gate), nonce);
        terms.feeWei = fee;
        (terms.lockCollateralWei, terms.lockSeconds) = (0, 0);
        (terms.callback, terms.callbackGas) = (address(gate), 100_000);
    }
}
