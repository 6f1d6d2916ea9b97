// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./IGroth16Verifier.sol";

/// @title Content-addressed models
/// @notice A model id is the hash of everything that decides what a proof under it means, so an id never changes
/// its meaning, nobody can squat one, and any change is a new model. There is no owner, no admin and no upgrade.
/// A model is frozen by evidence alone, for ever, by anyone.
interface IModelRegistry {
    /// @notice The preimage of the model id (docs/architecture.md).
    /// @dev setupClass 1 = dev-single-party: its maker can forge; refused on value-bearing chains. 2 = ceremony.
    /// The class is declared by the registrant; a contract cannot check a ceremony. Rely on an id you know or on an
    /// attester you trust.
    struct Identity {
        bytes32 modelHash;
        bytes32 circuitHash;
        bytes32 vkHash;
        uint8 setupClass;
        uint16 contributorCount;
        bytes32 transcriptDigest;
        bytes32 compilerVersion;
        bytes32 manifestDigest;
    }

    /// @notice What one publisher says about a model. Nothing here is proved.
    /// @dev agreementPpm: quantized against float on the publisher's evaluation set, parts per million.
    struct Listing {
        uint128 priceHintWei;
        uint32 agreementPpm;
        bool retired;
        string uri;
    }

    enum Status {
        Unknown,
        Active,
        Frozen
    }

    enum Evidence {
        Contradiction,
        Canary
    }

    event ModelRegistered(
        bytes32 indexed modelId, bytes32 indexed vkHash, bytes32 indexed modelHash, address key, Identity identity
    );
    event ModelFrozen(bytes32 indexed modelId, Evidence evidence, address reporter);
    event ModelListed(
        bytes32 indexed modelId, address indexed publisher, uint128 priceHintWei, uint32 agreementPpm, string uri
    );
    event ListingRetired(bytes32 indexed modelId, address indexed publisher);
    event ModelAttested(bytes32 indexed modelId, address indexed attester, bool attested);

    error UnknownModel(bytes32 modelId);
    error FrozenModel(bytes32 modelId);
    error AlreadyRegistered(bytes32 modelId);
    /// @notice A field of the identity is zero, or its setup class and contributors do not fit together.
    error MalformedIdentity(string field);
    /// @notice The dev class means that one party can forge; this chain carries value.
    error DevSetupRefused(uint256 chainId);
    error VerifyingKeyMismatch(bytes32 expected, bytes32 got);
    /// @notice The key would let anyone forge, or is not a key. `what` names the point or the rule.
    error UnsafeVerifyingKey(string what);
    error RetiredListing(bytes32 modelId, address publisher);
    error UriTooLong(uint256 max, uint256 got);
    /// @notice The two statements do not contradict each other.
    error NotAContradiction();
    /// @notice The statement is not the canary of this model.
    error NotACanary(uint256 expected, uint256 got);
    error MalformedOutput(uint256 expectedBytes, uint256 gotBytes);
    error MalformedProof(uint256 expectedBytes, uint256 gotBytes);
    error VerifierChanged(bytes32 expected, bytes32 got);

    /// @notice The verifier that every model of this registry is checked with, and the hash its code must have.
    function verifier() external view returns (IGroth16Verifier);
    function verifierCodeHash() external view returns (bytes32);

    /// @notice Stores a model under the hash of its identity. `vk` are the key bytes of docs/architecture.md.
    function registerModel(Identity calldata identity, bytes calldata vk) external returns (bytes32 modelId);

    /// @notice Says, as msg.sender, where the model can be found and at what price. Replaces an earlier saying.
    function list(bytes32 modelId, uint128 priceHintWei, uint32 agreementPpm, string calldata uri) external;

    /// @notice Ends the sender's listing for ever: it becomes a tombstone.
    function retire(bytes32 modelId) external;

    /// @notice Says, as msg.sender, that the setup behind this model was checked; or takes that back.
    function attest(bytes32 modelId, bool attested) external;

    /// @notice Freezes a model of which two valid proofs say different outputs for one input.
    /// @dev `signals` include the context. Two statements contradict each other when they agree on signal 1, which is
    /// a commitment (≥ 2^248), and differ later; or when they agree on all but the last signal, contexts aside.
    /// Whatever the number of input signals, honest proofs never do either.
    function reportContradiction(
        bytes32 modelId,
        uint256[] calldata signals,
        uint256[8] calldata proof,
        uint256[] calldata otherSignals,
        uint256[8] calldata otherProof
    ) external;

    /// @notice Freezes a model under which the canary was proved: a statement that no honest prover can make.
    function reportCanary(bytes32 modelId, uint256[] calldata signals, uint256[8] calldata proof) external;

    /// @notice ERC-7992: reverts unless the model, not frozen, maps the committed input to `output`.
    /// @dev `output`: the output signals, 31 bytes each. `proof` = abi.encode(ctx, a, b, c), 288 bytes. Says nothing
    /// about freshness or about who asked: any valid proof passes, again and again. Never release money on it.
    function verifyInference(bytes32 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external
        view;

    /// @notice Where the key of an active model lies. Reverts for an unknown or frozen one.
    function keyOf(bytes32 modelId) external view returns (address key, bytes32 vkHash);
    function statusOf(bytes32 modelId) external view returns (Status);
    function setupClassOf(bytes32 modelId) external view returns (uint8);
    function listingOf(bytes32 modelId, address publisher) external view returns (Listing memory);
    function isAttested(bytes32 modelId, address attester) external view returns (bool);
    function modelCount() external view returns (uint256);
    function modelAt(uint256 index) external view returns (bytes32);
    function modelIdOf(Identity calldata identity) external pure returns (bytes32);
    function canaryOf(bytes32 modelId) external pure returns (uint256);
}
