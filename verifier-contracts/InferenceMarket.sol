// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IInferenceConsumer} from "./interfaces/IInferenceConsumer.sol";
import {IInferenceMarket} from "./interfaces/IInferenceMarket.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {ProofGate} from "./ProofGate.sol";
import {PublicSignals} from "./PublicSignals.sol";

/// @title InferenceMarket
/// @notice See IInferenceMarket. Every function is: check, book, then call out; money leaves through withdraw alone.
/// @dev No function books anything because a verification failed: a failed proof reverts, and collateral is lost only
/// through the passing of time.
contract InferenceMarket is IInferenceMarket, ProofGate {
    uint64 public constant CANCEL_DELAY = 10 minutes;
    uint64 public constant GRACE = 10 minutes;
    uint64 public constant LOCK_DELAY = 1 minutes;
    uint32 public constant MAX_CALLBACK_GAS = 1_000_000;
    uint256 public constant MAX_BATCH = 64;
    uint32 private constant MAX_LOCK_SECONDS = 1 days;
    /// What fulfil still has to do around a callback.
    uint256 private constant CALLBACK_RESERVE_GAS = 20_000;

    bytes32 private constant TERMS_TAG = keccak256("verinfer/market-request/v1");

    mapping(bytes32 requestId => State) private states;
    mapping(address account => uint256 amountWei) public claimable;

    constructor(IModelRegistry registry_) ProofGate(registry_) {}

    /// @inheritdoc IInferenceMarket
    function request(Terms calldata terms) external payable returns (bytes32 requestId) {
        if (msg.sender != terms.requester) revert NotRequester(terms.requester);
        if (msg.value != terms.feeWei) revert WrongValue(terms.feeWei, msg.value);
        _requirePossible(terms);
        requestId = _requestId(terms);
        if (states[requestId].status != Status.None) revert DuplicateRequest(requestId);
        registry.keyOf(terms.modelId); // reverts for an unknown or frozen model
        uint8 setupClass = registry.setupClassOf(terms.modelId);
        if (setupClass < terms.minSetupClass) revert SetupClassTooLow(terms.minSetupClass, setupClass);
        if (terms.attester != address(0) && !registry.isAttested(terms.modelId, terms.attester)) {
            revert NotAttested(terms.modelId, terms.attester);
        }
        states[requestId].status = Status.Open;
        emit InferenceRequested(requestId, terms.modelId, terms.requester, terms);
    }

    /// @inheritdoc IInferenceMarket
    function lock(Terms calldata terms) external payable {
        (bytes32 requestId, State storage state) = _find(terms);
        if (_isLapsed(state)) _lapse(terms, requestId, state);
        if (state.status != Status.Open) revert WrongStatus(requestId, state.status);
        if (terms.lockSeconds == 0) revert LockNotOffered(requestId);
        if (msg.value != terms.lockCollateralWei) revert WrongValue(terms.lockCollateralWei, msg.value);
        if (block.timestamp > terms.deadline) revert DeadlinePassed(terms.deadline);
        registry.keyOf(terms.modelId);
        uint64 until = uint64(block.timestamp) + terms.lockSeconds;
        if (until > terms.deadline) until = terms.deadline;
        states[requestId] = State(Status.Locked, until, msg.sender, uint64(block.timestamp), uint128(msg.value));
        emit RequestLocked(requestId, msg.sender, until);
    }

    /// @inheritdoc IInferenceMarket
    function lapse(Terms calldata terms) external {
        (bytes32 requestId, State storage state) = _find(terms);
        if (state.status != Status.Locked) revert WrongStatus(requestId, state.status);
        if (!_isLapsed(state)) revert LockStillAlive(state.since + GRACE);
        _lapse(terms, requestId, state);
    }

    /// @inheritdoc IInferenceMarket
    function fulfil(Fulfilment calldata fulfilment) external returns (bytes32 requestId) {
        State storage state;
        (requestId, state) = _find(fulfilment.terms);
        _requireFulfillable(fulfilment, requestId, state);
        (address key, bytes32 vkHash) = registry.keyOf(fulfilment.terms.modelId);
        _close(fulfilment, requestId, state);
        _requireVerifier();
        verifier.verify(key, vkHash, fulfilment.proof, _allSignals(fulfilment, requestId, vkHash));
        _announce(fulfilment, requestId);
    }

    /// @inheritdoc IInferenceMarket
    function fulfilBatch(Fulfilment[] calldata fulfilments) external returns (uint256 fulfilledCount) {
        uint256 count = fulfilments.length;
        if (count > MAX_BATCH) revert BatchTooLarge(MAX_BATCH, count);
        bool[] memory live = new bool[](count);
        IGroth16Verifier.Group[] memory groups = new IGroth16Verifier.Group[](count);
        for (uint256 i = 0; i < count; ++i) {
            Fulfilment calldata one = fulfilments[i];
            bytes32 requestId = _requestId(one.terms);
            State storage state = states[requestId];
            if (!_isFulfillable(one, state)) continue;
            _requireStatement(one);
            (address key, bytes32 vkHash) = registry.keyOf(one.terms.modelId);
            _close(one, requestId, state);
            groups[fulfilledCount++] = IGroth16Verifier.Group(
                key, vkHash, abi.encodePacked(one.proof), abi.encodePacked(_allSignals(one, requestId, vkHash))
            );
            live[i] = true;
        }
        if (fulfilledCount == 0) revert NothingToFulfil();
        assembly {
            mstore(groups, fulfilledCount)
        }
        _requireVerifier();
        verifier.verifyBatch(_merge(groups));
        for (uint256 i = 0; i < count; ++i) {
            if (live[i]) _announce(fulfilments[i], _requestId(fulfilments[i].terms));
        }
    }

    /// @inheritdoc IInferenceMarket
    function cancel(Terms calldata terms) external {
        if (msg.sender != terms.requester) revert NotRequester(terms.requester);
        (bytes32 requestId, State storage state) = _find(terms);
        if (_isLapsed(state)) _lapse(terms, requestId, state);
        if (state.status != Status.Open) revert WrongStatus(requestId, state.status);
        state.status = Status.Cancelling;
        state.since = uint64(block.timestamp);
        emit CancelStarted(requestId, uint64(block.timestamp) + CANCEL_DELAY);
    }

    /// @inheritdoc IInferenceMarket
    function refund(Terms calldata terms) external {
        (bytes32 requestId, State storage state) = _find(terms);
        bool frozen = registry.statusOf(terms.modelId) == IModelRegistry.Status.Frozen;
        if (state.status == Status.Locked) {
            if (!frozen && !_isLapsed(state)) revert LockStillAlive(state.since + GRACE);
            _lapse(terms, requestId, state);
        }
        if (state.status != Status.Open && state.status != Status.Cancelling) {
            revert WrongStatus(requestId, state.status);
        }
        uint256 notBefore = uint256(terms.deadline) + 1;
        if (state.status == Status.Cancelling && state.since + CANCEL_DELAY < notBefore) {
            notBefore = state.since + CANCEL_DELAY;
        }
        if (!frozen && block.timestamp < notBefore) revert TooEarly(notBefore);
        state.status = Status.Refunded;
        claimable[terms.requester] += terms.feeWei;
        emit RequestRefunded(requestId, terms.requester, terms.feeWei);
    }

    /// @inheritdoc IInferenceMarket
    function withdraw(address payable to) external returns (uint256 amountWei) {
        if (to == address(0)) revert ZeroAddress();
        amountWei = claimable[msg.sender];
        if (amountWei == 0) revert NothingToWithdraw(msg.sender);
        claimable[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amountWei);
        bool ok;
        assembly {
            ok := call(gas(), to, amountWei, 0, 0, 0, 0) // what it returns is not copied
        }
        if (!ok) revert TransferFailed(to);
    }

    /// @inheritdoc IInferenceMarket
    function requestIdOf(Terms calldata terms) external view returns (bytes32) {
        return _requestId(terms);
    }

    /// @inheritdoc IInferenceMarket
    function stateOf(bytes32 requestId) external view returns (State memory) {
        return states[requestId];
    }

    function _requirePossible(Terms calldata terms) private view {
        if (terms.deadline < block.timestamp) revert ImpossibleTerms("deadline");
        if (terms.inputSignalCount == 0) revert ImpossibleTerms("inputSignalCount");
        if (terms.inputDigest == 0) revert ImpossibleTerms("inputDigest");
        if (terms.minSetupClass == 0 || terms.minSetupClass > 2) revert ImpossibleTerms("minSetupClass");
        if (terms.lockSeconds > MAX_LOCK_SECONDS || (terms.lockSeconds > 0 && terms.lockSeconds <= LOCK_DELAY)) {
            revert ImpossibleTerms("lockSeconds");
        }
        if (terms.lockSeconds > 0 && terms.lockCollateralWei == 0) revert ImpossibleTerms("lockCollateralWei");
        if (terms.callbackGas > MAX_CALLBACK_GAS) revert ImpossibleTerms("callbackGas");
        if ((terms.callback == address(0)) != (terms.callbackGas == 0)) revert ImpossibleTerms("callback");
    }

    function _requireFulfillable(Fulfilment calldata fulfilment, bytes32 requestId, State storage state) private view {
        Terms calldata terms = fulfilment.terms;
        if (!_isHeldBy(state, fulfilment.operator)) {
            if (_isExclusive(state)) revert LockedByOther(state.holder);
            if (state.status == Status.None || state.status == Status.Fulfilled || state.status == Status.Refunded) {
                revert WrongStatus(requestId, state.status);
            }
            if (block.timestamp > terms.deadline) revert DeadlinePassed(terms.deadline);
        }
        _requireStatement(fulfilment);
    }

    /// Of the same table as _requireFulfillable, for a batch.
    function _isFulfillable(Fulfilment calldata fulfilment, State storage state) private view returns (bool) {
        Status status = state.status;
        if (registry.statusOf(fulfilment.terms.modelId) != IModelRegistry.Status.Active) return false;
        if (_isHeldBy(state, fulfilment.operator)) return true;
        if (_isExclusive(state)) return false;
        if (status != Status.Open && status != Status.Cancelling && status != Status.Locked) return false;
        return block.timestamp <= fulfilment.terms.deadline;
    }

    /// The input is the one that was asked for, there is an output, and somebody to pay.
    function _requireStatement(Fulfilment calldata fulfilment) private pure {
        uint256 inputCount = fulfilment.terms.inputSignalCount;
        uint256[] calldata signals = fulfilment.signals;
        if (fulfilment.payee == address(0)) revert ZeroAddress();
        if (signals.length <= inputCount) revert NoOutput();
        bytes32 got = keccak256(abi.encodePacked(signals[:inputCount]));
        if (got != fulfilment.terms.inputDigest) revert InputMismatch(fulfilment.terms.inputDigest, got);
    }

    /// Books the fee, and the collateral of the lock to whom it belongs.
    function _close(Fulfilment calldata fulfilment, bytes32 requestId, State storage state) private {
        if (_isLapsed(state)) _lapse(fulfilment.terms, requestId, state);
        if (state.status == Status.Locked) {
            claimable[state.holder] += state.collateralWei;
            _open(state);
        }
        state.status = Status.Fulfilled;
        claimable[fulfilment.payee] += fulfilment.terms.feeWei;
    }

    function _announce(Fulfilment calldata fulfilment, bytes32 requestId) private {
        Terms calldata terms = fulfilment.terms;
        emit InferenceFulfilled(
            requestId, terms.modelId, fulfilment.operator, fulfilment.payee, terms.feeWei, fulfilment.signals
        );
        if (terms.callback != address(0)) _callBack(fulfilment, requestId);
    }

    /// The callee gets callbackGas whole or the transaction reverts, so a submitter cannot starve it. What it returns
    /// is not copied.
    function _callBack(Fulfilment calldata fulfilment, bytes32 requestId) private {
        Terms calldata terms = fulfilment.terms;
        bytes memory data = abi.encodeCall(
            IInferenceConsumer.onInference, (requestId, terms.modelId, fulfilment.signals[terms.inputSignalCount:])
        );
        address callback = terms.callback;
        uint256 callbackGas = terms.callbackGas;
        uint256 needed = callbackGas + callbackGas / 32 + CALLBACK_RESERVE_GAS;
        if (gasleft() < needed) revert InsufficientCallbackGas(needed, gasleft());
        bool ok;
        assembly {
            ok := call(callbackGas, callback, 0, add(data, 0x20), mload(data), 0, 0)
        }
        if (!ok) emit CallbackFailed(requestId, callback);
    }

    /// Collateral of an absent holder goes to the requester. Nobody can fulfil under a frozen model: there it returns.
    function _lapse(Terms calldata terms, bytes32 requestId, State storage state) private {
        bool frozen = registry.statusOf(terms.modelId) == IModelRegistry.Status.Frozen;
        address to = frozen ? state.holder : terms.requester;
        emit LockLapsed(requestId, state.holder, to, state.collateralWei);
        claimable[to] += state.collateralWei;
        _open(state);
    }

    function _open(State storage state) private {
        state.status = Status.Open;
        state.since = 0;
        state.holder = address(0);
        state.lockedAt = 0;
        state.collateralWei = 0;
    }

    /// The lock of this operator is alive, grace included.
    function _isHeldBy(State storage state, address operator) private view returns (bool) {
        return state.status == Status.Locked && state.holder == operator && !_isLapsed(state);
    }

    /// Only the holder may fulfil. Not in the first LOCK_DELAY: a proof that is on its way is paid.
    function _isExclusive(State storage state) private view returns (bool) {
        return state.status == Status.Locked && !_isLapsed(state) && block.timestamp >= state.lockedAt + LOCK_DELAY;
    }

    function _isLapsed(State storage state) private view returns (bool) {
        return state.status == Status.Locked && block.timestamp > uint256(state.since) + GRACE;
    }

    function _find(Terms calldata terms) private view returns (bytes32 requestId, State storage state) {
        requestId = _requestId(terms);
        state = states[requestId];
        if (state.status == Status.None) revert WrongStatus(requestId, Status.None);
    }

    function _requestId(Terms calldata terms) private view returns (bytes32) {
        return keccak256(abi.encode(TERMS_TAG, block.chainid, address(this), terms));
    }

    function _allSignals(Fulfilment calldata fulfilment, bytes32 requestId, bytes32 vkHash)
        private
        view
        returns (uint256[] memory all)
    {
        uint256[] calldata own = fulfilment.signals;
        all = new uint256[](own.length + 1);
        all[0] = PublicSignals.context(
            address(this),
            requestId,
            fulfilment.terms.modelId,
            vkHash,
            fulfilment.operator,
            fulfilment.payee,
            fulfilment.terms.deadline
        );
        assembly {
            calldatacopy(add(all, 0x40), own.offset, shl(5, own.length))
        }
    }

    /// Joins neighbours under one key: each key costs three pairings once.
    function _merge(IGroth16Verifier.Group[] memory single)
        private
        pure
        returns (IGroth16Verifier.Group[] memory merged)
    {
        merged = new IGroth16Verifier.Group[](single.length);
        uint256 count;
        uint256 from;
        while (from < single.length) {
            uint256 to = from + 1;
            while (to < single.length && single[to].keyHash == single[from].keyHash) ++to;
            uint256 width = single[from].signals.length;
            IGroth16Verifier.Group memory group = IGroth16Verifier.Group(
                single[from].key, single[from].keyHash, new bytes(256 * (to - from)), new bytes(width * (to - from))
            );
            for (uint256 i = from; i < to; ++i) {
                bytes memory signals = single[i].signals;
                if (signals.length != width) {
                    revert IGroth16Verifier.SignalCountMismatch(width / 32, signals.length / 32);
                }
                _place(group.proofs, 256 * (i - from), single[i].proofs);
                _place(group.signals, width * (i - from), signals);
            }
            merged[count++] = group;
            from = to;
        }
        assembly {
            mstore(merged, count)
        }
    }

    /// Copies `part` into `whole` from byte `offset` on.
    function _place(bytes memory whole, uint256 offset, bytes memory part) private pure {
        assembly {
            mcopy(add(add(whole, 0x20), offset), add(part, 0x20), mload(part))
        }
    }
}
