// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISettlement} from "../../verifier-contracts/interfaces/ISettlement.sol";

/// @title A gate that opens for whoever drew a given digit
/// @notice The caller shows a proven inference of one pinned model. The drawing stays hidden; that the model reads the
/// digit in it is proved. Nobody can use another's proof: the requester is bound by the request id inside it.
/// @dev For a model with one int8 output tensor of ten elements: element i is byte i of the output signal's 31 bytes,
/// plus 128.
contract DigitGate {
    ISettlement public immutable settlement;
    bytes32 public immutable modelId;
    uint256 public immutable digit;
    mapping(address visitor => bool) public isOpenFor;

    event Opened(address indexed visitor, bytes32 indexed requestId);

    error AnotherModel(bytes32 got);
    error AnotherRequester(address got);
    error AnotherDigit(uint256 got);

    constructor(ISettlement settlement_, bytes32 modelId_, uint256 digit_) {
        (settlement, modelId, digit) = (settlement_, modelId_, digit_);
    }

    /// @notice Settles the inference and opens the gate, or reverts. signals: input commitment, packed output.
    function enter(ISettlement.Inference calldata inference) external {
        if (inference.modelId != modelId) revert AnotherModel(inference.modelId);
        if (inference.requester != msg.sender) revert AnotherRequester(inference.requester);
        bytes32 requestId = settlement.settle(inference);
        uint256 read = _largest(inference.signals[1]);
        if (read != digit) revert AnotherDigit(read);
        isOpenFor[msg.sender] = true;
        emit Opened(msg.sender, requestId);
    }

    /// Index of the largest of ten scores, the lowest on ties.
    function _largest(uint256 signal) private pure returns (uint256 best) {
        uint256 most = signal >> 240 & 0xff;
        for (uint256 i = 1; i < 10; ++i) {
            uint256 score = signal >> (8 * (30 - i)) & 0xff;
            if (score > most) (best, most) = (i, score);
        }
    }
}
