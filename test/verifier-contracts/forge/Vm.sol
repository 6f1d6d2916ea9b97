// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// The cheat codes of forge that these tests use.
interface Vm {
    function assume(bool condition) external pure;
    function prank(address sender) external;
    function deal(address account, uint256 wei_) external;
    function etch(address account, bytes calldata code) external;
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function expectRevert(bytes calldata data) external;
    function expectRevert() external;
    function mockCall(address callee, bytes calldata data, bytes calldata returned) external;
    function clearMockedCalls() external;
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function expectEmit(address emitter) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function toString(uint256 value) external pure returns (string memory);
}

/// Assertions, and the names that forge looks for in a test contract.
abstract contract Spec {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public constant IS_TEST = true;

    error Unequal(string what, uint256 expected, uint256 got);
    error Untrue(string what);
    error OtherReason(bytes expected, bytes got);

    function assertEq(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) revert Unequal(what, expected, got);
    }

    function assertTrue(bool holds, string memory what) internal pure {
        if (!holds) revert Untrue(what);
    }

    /// The call reverts with exactly these bytes.
    function assertRefused(address target, bytes memory data, bytes memory expected) internal {
        (bool ok, bytes memory returned) = target.call(data);
        if (ok) revert Untrue("the call went through");
        if (keccak256(returned) != keccak256(expected)) revert OtherReason(expected, returned);
    }

    /// A value in [low, high], spread over all of them.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        uint256 size = high - low + 1;
        return size == 0 ? value : low + value % size;
    }

    /// The selector that a call reverted with; zero when it succeeded or reverted without a reason.
    function selectorOf(bytes memory returned) internal pure returns (bytes4 selector) {
        if (returned.length >= 4) {
            assembly {
                selector := mload(add(returned, 0x20))
            }
        }
    }
}
