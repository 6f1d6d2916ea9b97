// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A contract that acts on a proven inference
interface IInferenceConsumer {
    /// @notice Called once by the market after the payment is booked, with the gas that the request set aside. A
    /// revert loses this call and nothing else.
    /// @dev Check msg.sender. `outputs` are the output signals, packed as docs/architecture.md says.
    function onInference(bytes32 requestId, bytes32 modelId, uint256[] calldata outputs) external;
}
