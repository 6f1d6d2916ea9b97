// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceConsumer} from "../../../verifier-contracts/interfaces/IInferenceConsumer.sol";
import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";

/// A receiver, and a consumer, that does one of eight things when it is called.
contract Hostile is IInferenceConsumer {
    enum Manner {
        Accept,
        Revert,
        BurnGas,
        ReturnBomb,
        RevertBomb,
        ReenterWithdraw,
        ReenterRefund,
        ReenterFulfil
    }

    Manner public manner;
    IInferenceMarket private immutable market;
    bytes private again;
    uint256 public calls;

    constructor(IInferenceMarket market_) {
        market = market_;
    }

    function set(Manner manner_, bytes calldata again_) external {
        (manner, again) = (manner_, again_);
    }

    function act(bytes calldata data, uint256 value) external payable returns (bool ok, bytes memory returned) {
        (ok, returned) = address(market).call{value: value}(data);
    }

    function onInference(bytes32, bytes32, uint256[] calldata) external {
        _behave();
    }

    receive() external payable {
        _behave();
    }

    function _behave() private {
        if (manner == Manner.Revert) revert("no");
        if (manner == Manner.BurnGas) while (true) {}
        if (manner == Manner.ReturnBomb) {
            assembly {
                return(0, 1000000)
            }
        }
        if (manner == Manner.RevertBomb) {
            assembly {
                revert(0, 1000000)
            }
        }
        ++calls;
        if (manner == Manner.ReenterWithdraw || manner == Manner.ReenterRefund || manner == Manner.ReenterFulfil) {
            (bool ok,) = address(market).call(again);
            require(!ok, "reentered");
        }
    }
}

/// A consumer that stores how much gas it was given.
contract Gauge is IInferenceConsumer {
    uint256 public gasAtEntry;

    function onInference(bytes32, bytes32, uint256[] calldata) external {
        gasAtEntry = gasleft();
    }
}

/// Puts ether where nobody asked for it.
contract Donor {
    constructor(address payable to) payable {
        assembly {
            selfdestruct(to)
        }
    }
}
