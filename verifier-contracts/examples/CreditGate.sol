// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceConsumer} from "../interfaces/IInferenceConsumer.sol";
import {IInferenceMarket} from "../interfaces/IInferenceMarket.sol";

/// @title An example consumer: credit for those whom a proven model approves
/// @notice An applicant commits to their figures, pays the fee, and whoever proves the inference opens or shuts the
/// gate. Nobody learns the figures from the chain, and no operator can answer anything but what the model says.
/// When nobody proves in time, or the model is frozen, the applicant gets the fee back and may apply again.
/// @dev Who vouches that the figures are the applicant's is another contract's business.
/// For a model with one int8 output tensor of at most 31 elements: element i of it is byte i of the output
/// signal's 31 bytes, plus 128. The applicant is approved when element `approve` exceeds element `decline`.
contract CreditGate is IInferenceConsumer {
    enum Decision {
        None,
        Pending,
        Approved,
        Declined
    }

    IInferenceMarket public immutable market;
    bytes32 public immutable modelId;
    uint256 private immutable approve;
    uint256 private immutable decline;

    mapping(address applicant => Decision) public decisionOf;
    mapping(bytes32 requestId => address applicant) private applicants;
    uint256 private nonce;

    event Applied(address indexed applicant, bytes32 indexed requestId);
    event Decided(address indexed applicant, Decision decision);
    event GivenUp(address indexed applicant, bytes32 indexed requestId, uint256 feeWei);

    error AlreadyApplied(address applicant);
    error NotTheMarket(address sender);
    error UnknownRequest(bytes32 requestId);
    error NotTheApplicant(address applicant);
    error TransferFailed(address to);

    constructor(IInferenceMarket market_, bytes32 modelId_, uint256 approve_, uint256 decline_) {
        (market, modelId, approve, decline) = (market_, modelId_, approve_, decline_);
    }

    /// @notice Asks for a decision on the figures behind `inputCommitment`; msg.value is the operator's fee.
    function apply_(uint256 inputCommitment, uint64 deadline) external payable returns (bytes32 requestId) {
        if (decisionOf[msg.sender] != Decision.None) revert AlreadyApplied(msg.sender);
        decisionOf[msg.sender] = Decision.Pending;
        IInferenceMarket.Terms memory terms = IInferenceMarket.Terms({
            requester: address(this),
            nonce: nonce++,
            modelId: modelId,
            inputDigest: keccak256(abi.encodePacked(inputCommitment)),
            inputSignalCount: 1,
            minSetupClass: 1,
            attester: address(0),
            feeWei: uint128(msg.value),
            deadline: deadline,
            lockCollateralWei: 0,
            lockSeconds: 0,
            callback: address(this),
            callbackGas: 100_000
        });
        requestId = market.requestIdOf(terms);
        applicants[requestId] = msg.sender;
        market.request{value: msg.value}(terms);
        emit Applied(msg.sender, requestId);
    }

    /// @notice First step out for an applicant who does not want to wait for the deadline. The market still pays a proof
    /// that is on its way; its cancel delay later, `reclaim` works.
    function giveUp(IInferenceMarket.Terms calldata terms) external {
        (, address applicant) = _pending(terms);
        if (msg.sender != applicant) revert NotTheApplicant(applicant);
        market.cancel(terms);
    }

    /// @notice Returns the fee of a request that nobody fulfilled, as soon as the market refunds it. Callable by anyone,
    /// pays only the applicant.
    function reclaim(IInferenceMarket.Terms calldata terms) external {
        (bytes32 requestId, address applicant) = _pending(terms);
        delete applicants[requestId];
        delete decisionOf[applicant];
        // Anyone may have asked the market for the refund before.
        if (market.stateOf(requestId).status != IInferenceMarket.Status.Refunded) market.refund(terms);
        // One withdrawal brings the refunds of all applicants; each takes its own from here.
        if (market.claimable(address(this)) > 0) market.withdraw(payable(address(this)));
        emit GivenUp(applicant, requestId, terms.feeWei);
        (bool ok,) = applicant.call{value: terms.feeWei}("");
        if (!ok) revert TransferFailed(applicant);
    }

    /// Refunds, and nothing else.
    receive() external payable {
        if (msg.sender != address(market)) revert NotTheMarket(msg.sender);
    }

    /// @inheritdoc IInferenceConsumer
    function onInference(bytes32 requestId, bytes32, uint256[] calldata outputs) external {
        if (msg.sender != address(market)) revert NotTheMarket(msg.sender);
        address applicant = applicants[requestId];
        if (applicant == address(0)) revert UnknownRequest(requestId);
        delete applicants[requestId];
        Decision decision =
            _element(outputs[0], approve) > _element(outputs[0], decline) ? Decision.Approved : Decision.Declined;
        decisionOf[applicant] = decision;
        emit Decided(applicant, decision);
    }

    function _pending(IInferenceMarket.Terms calldata terms) private view returns (bytes32 requestId, address applicant) {
        requestId = market.requestIdOf(terms);
        applicant = applicants[requestId];
        if (applicant == address(0)) revert UnknownRequest(requestId);
    }

    /// Element i of a packed int8 tensor, in order of size.
    function _element(uint256 signal, uint256 i) private pure returns (uint256) {
        return signal >> (8 * (30 - i)) & 0xff;
    }
}
