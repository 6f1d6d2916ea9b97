// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInferenceMarket} from "../../../verifier-contracts/interfaces/IInferenceMarket.sol";
import {World} from "./World.sol";

/// The four who meet in a market.
abstract contract MarketWorld is World {
    address internal requester = human(1);
    address internal operator = human(2);
    address internal payee = human(3);
    address internal rival = human(4);

    function setUp() public {
        build();
    }

    function _requestRefused(IInferenceMarket.Terms memory terms) internal returns (bytes4) {
        vm.deal(terms.requester, 10 ether);
        vm.prank(terms.requester);
        (bool ok, bytes memory returned) =
            address(market).call{value: terms.feeWei}(abi.encodeCall(market.request, (terms)));
        assertTrue(!ok, "requested");
        return selectorOf(returned);
    }

    function _fulfilRefused(IInferenceMarket.Fulfilment memory work) internal returns (bytes4) {
        return reasonOf(address(market), abi.encodeCall(market.fulfil, (work)));
    }
}
