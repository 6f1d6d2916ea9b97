// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Escrow for inferences that any operator may prove
/// @notice A requester escrows a fee for one inference of one model on one input. Whoever proves it is paid: operator
/// and payee are inside the proof through the context, so a copied proof pays its maker and anyone may submit it.
/// There is no owner, no pause, no upgrade and no fee of the house.
///
/// An input that is not public travels off chain: the requester sends the opening (input and salt) to an operator's
/// API. An operator checks it against the commitment and answers, then locks: **a lock says "I hold an opening"**.
/// Who locks blind bears the risk; without a lock nobody owes anything, and after the deadline the fee returns.
///
///   None ─ request ─▶ Open ─ fulfil ─▶ Fulfilled
///                      │ ╲─ lock ─▶ Locked ─ fulfil by the holder, until lock end + grace ─▶ Fulfilled
///                      │               ╲─ lapse: collateral to the requester ─▶ Open
///                      ├─ cancel ─▶ Cancelling ─ fulfil ─▶ Fulfilled;  after the delay, refund ─▶ Refunded
///                      ╰─ refund after the deadline, or of a frozen model ─▶ Refunded
interface IInferenceMarket {
    /// @notice Everything the requester asks for. Its hash is the request id, so nothing in it can change.
    /// @dev inputDigest = keccak256(abi.encodePacked(input signals)); inputSignalCount 1 for a commitment.
    /// minSetupClass 2 asks for a ceremony; `attester`, unless zero, must have attested the model in the registry.
    /// lockSeconds 0 means that no lock is possible; otherwise it is more than LOCK_DELAY. Times in Unix seconds, amounts in wei.
    struct Terms {
        address requester;
        uint256 nonce;
        bytes32 modelId;
        bytes32 inputDigest;
        uint16 inputSignalCount;
        uint8 minSetupClass;
        address attester;
        uint128 feeWei;
        uint64 deadline;
        uint128 lockCollateralWei;
        uint32 lockSeconds;
        address callback;
        uint32 callbackGas;
    }

    enum Status {
        None,
        Open,
        Locked,
        Cancelling,
        Fulfilled,
        Refunded
    }

    /// @dev since: when Cancelling began, or the last second of the lock. holder, lockedAt and collateral are of the lock.
    struct State {
        Status status;
        uint64 since;
        address holder;
        uint64 lockedAt;
        uint128 collateralWei;
    }

    struct Fulfilment {
        Terms terms;
        address operator;
        address payee;
        uint256[8] proof;
        uint256[] signals;
    }

    event InferenceRequested(bytes32 indexed requestId, bytes32 indexed modelId, address indexed requester, Terms terms);
    event RequestLocked(bytes32 indexed requestId, address indexed operator, uint64 until);
    event LockLapsed(bytes32 indexed requestId, address indexed operator, address to, uint256 collateralWei);
    event CancelStarted(bytes32 indexed requestId, uint64 refundableFrom);
    event RequestRefunded(bytes32 indexed requestId, address indexed requester, uint256 feeWei);
    event InferenceFulfilled(
        bytes32 indexed requestId,
        bytes32 indexed modelId,
        address indexed operator,
        address payee,
        uint256 feeWei,
        uint256[] signals
    );
    event CallbackFailed(bytes32 indexed requestId, address indexed callback);
    event Withdrawn(address indexed account, address indexed to, uint256 amountWei);

    error NotRequester(address requester);
    error DuplicateRequest(bytes32 requestId);
    /// @notice The terms cannot be met by anyone; `what` names the field.
    error ImpossibleTerms(string what);
    error WrongValue(uint256 expectedWei, uint256 gotWei);
    error SetupClassTooLow(uint8 minimum, uint8 got);
    error NotAttested(bytes32 modelId, address attester);
    error WrongStatus(bytes32 requestId, Status status);
    error LockedByOther(address holder);
    error LockNotOffered(bytes32 requestId);
    error LockStillAlive(uint256 until);
    error DeadlinePassed(uint256 deadline);
    error TooEarly(uint256 notBefore);
    error InputMismatch(bytes32 expected, bytes32 got);
    error NoOutput();
    error NothingToFulfil();
    error BatchTooLarge(uint256 max, uint256 got);
    error InsufficientCallbackGas(uint256 needed, uint256 left);
    error NothingToWithdraw(address account);
    error ZeroAddress();
    error TransferFailed(address to);

    /// @notice Escrows msg.value = feeWei under the hash of the terms. Only for oneself.
    function request(Terms calldata terms) external payable returns (bytes32 requestId);

    /// @notice Takes the exclusive right to fulfil for lockSeconds, with lockCollateralWei as msg.value. Says that the
    /// sender holds an input that opens the commitment. A lapsed lock of another is settled first.
    /// @dev The right begins LOCK_DELAY later. Else a requester who sees a proof on its way could lock the request under
    /// another name, read the answer, and pay nobody.
    function lock(Terms calldata terms) external payable;

    /// @notice Hands the collateral of a lock that ended, grace included, to the requester and opens the request.
    function lapse(Terms calldata terms) external;

    /// @notice Books the fee to the payee that the proof names.
    function fulfil(Fulfilment calldata fulfilment) external returns (bytes32 requestId);

    /// @notice Fulfils what is left of a batch; members that are fulfilled, refunded, out of time or locked by another
    /// are skipped. One bad proof reverts them all. Sort by model.
    function fulfilBatch(Fulfilment[] calldata fulfilments) external returns (uint256 fulfilledCount);

    /// @notice First step of a cancellation. A locked request cannot be cancelled; one that is being cancelled can
    /// still be fulfilled, so a proof on its way is not robbed of its fee.
    function cancel(Terms calldata terms) external;

    /// @notice Books the fee back: after the cancel delay, after the deadline, or when the model is frozen. Callable by
    /// anyone, pays only the requester. A lock that lapsed is slashed here; one on a frozen model returns its collateral.
    function refund(Terms calldata terms) external;

    /// @notice Pays out everything booked to the sender, to `to`.
    function withdraw(address payable to) external returns (uint256 amountWei);

    function requestIdOf(Terms calldata terms) external view returns (bytes32);
    function stateOf(bytes32 requestId) external view returns (State memory);
    function claimable(address account) external view returns (uint256);
    /// @notice Seconds between `cancel` and the refund.
    function CANCEL_DELAY() external view returns (uint64);
    /// @notice Seconds after the end of a lock in which its holder can still fulfil and is not slashed.
    function GRACE() external view returns (uint64);
    /// @notice Seconds from `lock` until others are shut out.
    function LOCK_DELAY() external view returns (uint64);
    function MAX_CALLBACK_GAS() external view returns (uint32);
}
