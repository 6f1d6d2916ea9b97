// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {PublicSignals} from "./PublicSignals.sol";
import {VerifyingKeyCheck} from "./VerifyingKeyCheck.sol";

/// @title ModelRegistry
/// @notice modelId → verifying key, for ever. See IModelRegistry.
contract ModelRegistry is IModelRegistry {
    bytes32 private constant MODEL_TAG = keccak256("verinfer/model/v1");
    uint256 private constant MAX_URI_BYTES = 512;

    struct Model {
        address key;
        Status status;
        uint8 setupClass;
        bytes32 vkHash;
    }

    IGroth16Verifier public immutable verifier;
    bytes32 public immutable verifierCodeHash;

    mapping(bytes32 modelId => Model) private models;
    bytes32[] private modelIds;
    mapping(bytes32 modelId => mapping(address publisher => Listing)) private listings;
    mapping(bytes32 modelId => mapping(address attester => bool)) public isAttested;

    constructor(IGroth16Verifier verifier_) {
        bytes32 codeHash = address(verifier_).codehash;
        if (address(verifier_).code.length == 0) revert VerifierChanged(0, codeHash);
        verifier = verifier_;
        verifierCodeHash = codeHash;
    }

    /// @inheritdoc IModelRegistry
    function registerModel(Identity calldata identity, bytes calldata vk) external returns (bytes32 modelId) {
        _requireIdentity(identity);
        bytes32 got = keccak256(vk);
        if (got != identity.vkHash) revert VerifyingKeyMismatch(identity.vkHash, got);
        modelId = _modelId(identity);
        if (models[modelId].status != Status.Unknown) revert AlreadyRegistered(modelId);
        VerifyingKeyCheck.requireSafe(vk);

        address key = _storeAsCode(vk);
        models[modelId] = Model(key, Status.Active, identity.setupClass, identity.vkHash);
        modelIds.push(modelId);
        emit ModelRegistered(modelId, identity.vkHash, identity.modelHash, key, identity);
    }

    /// @inheritdoc IModelRegistry
    function list(bytes32 modelId, uint128 priceHintWei, uint32 agreementPpm, string calldata uri) external {
        _known(modelId);
        if (bytes(uri).length > MAX_URI_BYTES) revert UriTooLong(MAX_URI_BYTES, bytes(uri).length);
        Listing storage listing = listings[modelId][msg.sender];
        if (listing.retired) revert RetiredListing(modelId, msg.sender);
        listings[modelId][msg.sender] = Listing(priceHintWei, agreementPpm, false, uri);
        emit ModelListed(modelId, msg.sender, priceHintWei, agreementPpm, uri);
    }

    /// @inheritdoc IModelRegistry
    function retire(bytes32 modelId) external {
        _known(modelId);
        Listing storage listing = listings[modelId][msg.sender];
        if (listing.retired) revert RetiredListing(modelId, msg.sender);
        listing.retired = true;
        emit ListingRetired(modelId, msg.sender);
    }

    /// @inheritdoc IModelRegistry
    function attest(bytes32 modelId, bool attested) external {
        _known(modelId);
        isAttested[modelId][msg.sender] = attested;
        emit ModelAttested(modelId, msg.sender, attested);
    }

    /// @inheritdoc IModelRegistry
    function reportContradiction(
        bytes32 modelId,
        uint256[] calldata signals,
        uint256[8] calldata proof,
        uint256[] calldata otherSignals,
        uint256[8] calldata otherProof
    ) external {
        Model storage model = _active(modelId);
        if (!_contradict(signals, otherSignals)) revert NotAContradiction();
        _verify(model, proof, signals);
        _verify(model, otherProof, otherSignals);
        _freeze(modelId, model, Evidence.Contradiction);
    }

    /// @inheritdoc IModelRegistry
    function reportCanary(bytes32 modelId, uint256[] calldata signals, uint256[8] calldata proof) external {
        Model storage model = _active(modelId);
        uint256 canary = PublicSignals.canaryOf(modelId);
        if (signals.length < 2 || signals[1] != canary) {
            revert NotACanary(canary, signals.length < 2 ? 0 : signals[1]);
        }
        _verify(model, proof, signals);
        _freeze(modelId, model, Evidence.Canary);
    }

    /// @inheritdoc IModelRegistry
    function verifyInference(bytes32 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external
        view
    {
        Model storage model = _active(modelId);
        if (proof.length != 288) revert MalformedProof(288, proof.length);
        uint256 outputCount = (output.length + 30) / 31;
        if (output.length != outputCount * 31) revert MalformedOutput(outputCount * 31, output.length);
        uint256[] memory signals = new uint256[](2 + outputCount);
        (uint256 context, uint256[8] memory words) = abi.decode(proof, (uint256, uint256[8]));
        signals[0] = context;
        signals[1] = uint256(inputCommitment);
        for (uint256 i = 0; i < outputCount; ++i) {
            signals[2 + i] = uint248(bytes31(output[31 * i:31 * i + 31]));
        }
        _requireVerifier();
        verifier.verify(model.key, model.vkHash, words, signals);
    }

    /// @inheritdoc IModelRegistry
    function keyOf(bytes32 modelId) external view returns (address key, bytes32 vkHash) {
        Model storage model = _active(modelId);
        return (model.key, model.vkHash);
    }

    /// @inheritdoc IModelRegistry
    function statusOf(bytes32 modelId) external view returns (Status) {
        return models[modelId].status;
    }

    /// @inheritdoc IModelRegistry
    function setupClassOf(bytes32 modelId) external view returns (uint8) {
        return _known(modelId).setupClass;
    }

    /// @inheritdoc IModelRegistry
    function listingOf(bytes32 modelId, address publisher) external view returns (Listing memory) {
        return listings[modelId][publisher];
    }

    /// @inheritdoc IModelRegistry
    function modelCount() external view returns (uint256) {
        return modelIds.length;
    }

    /// @inheritdoc IModelRegistry
    function modelAt(uint256 index) external view returns (bytes32) {
        return modelIds[index];
    }

    /// @inheritdoc IModelRegistry
    function modelIdOf(Identity calldata identity) external pure returns (bytes32) {
        return _modelId(identity);
    }

    /// @inheritdoc IModelRegistry
    function canaryOf(bytes32 modelId) external pure returns (uint256) {
        return PublicSignals.canaryOf(modelId);
    }

    function _modelId(Identity calldata identity) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                MODEL_TAG,
                identity.modelHash,
                identity.circuitHash,
                identity.vkHash,
                identity.setupClass,
                identity.contributorCount,
                identity.transcriptDigest,
                identity.compilerVersion,
                identity.manifestDigest
            )
        );
    }

    function _requireIdentity(Identity calldata identity) private view {
        if (identity.modelHash == 0) revert MalformedIdentity("modelHash");
        if (identity.circuitHash == 0) revert MalformedIdentity("circuitHash");
        if (identity.compilerVersion == 0) revert MalformedIdentity("compilerVersion");
        if (identity.manifestDigest == 0) revert MalformedIdentity("manifestDigest");
        if (identity.contributorCount == 0) revert MalformedIdentity("contributorCount");
        if (identity.setupClass == 1) {
            if (!_isDevChain(block.chainid)) revert DevSetupRefused(block.chainid);
        } else if (identity.setupClass == 2) {
            if (identity.transcriptDigest == 0) revert MalformedIdentity("transcriptDigest");
        } else {
            revert MalformedIdentity("setupClass");
        }
    }

    /// Local chains and public test networks: anvil and Hardhat, Ganache, Sepolia, Holesky, Hoodi.
    function _isDevChain(uint256 chainId) private pure returns (bool) {
        return chainId == 31337 || chainId == 1337 || chainId == 11155111 || chainId == 17000 || chainId == 560048;
    }

    /// The code of the new account is a STOP byte and `data`: it can be read, never run.
    function _storeAsCode(bytes calldata data) private returns (address account) {
        // PUSH2 length+1 · DUP1 · PUSH1 10 · PUSH0 · CODECOPY · PUSH0 · RETURN, then the code itself
        bytes memory init = abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a5f395ff3", hex"00", data);
        assembly {
            account := create(0, add(init, 0x20), mload(init))
        }
        if (account == address(0)) revert UnsafeVerifyingKey("could not be stored");
    }

    function _contradict(uint256[] calldata one, uint256[] calldata other) private pure returns (bool) {
        uint256 count = one.length;
        if (count != other.length || count < 3) return false;
        bool differ;
        bool differBeforeLast;
        for (uint256 i = 2; i < count; ++i) {
            if (one[i] == other[i]) continue;
            differ = true;
            if (i != count - 1) differBeforeLast = true;
        }
        if (!differ || one[1] != other[1]) return false;
        return one[1] >= PublicSignals.PACKED_BOUND || !differBeforeLast;
    }

    function _verify(Model storage model, uint256[8] calldata proof, uint256[] calldata signals) private view {
        _requireVerifier();
        verifier.verify(model.key, model.vkHash, proof, signals);
    }

    function _requireVerifier() private view {
        bytes32 got = address(verifier).codehash;
        if (got != verifierCodeHash) revert VerifierChanged(verifierCodeHash, got);
    }

    function _freeze(bytes32 modelId, Model storage model, Evidence evidence) private {
        model.status = Status.Frozen;
        emit ModelFrozen(modelId, evidence, msg.sender);
    }

    function _known(bytes32 modelId) private view returns (Model storage model) {
        model = models[modelId];
        if (model.status == Status.Unknown) revert UnknownModel(modelId);
    }

    function _active(bytes32 modelId) private view returns (Model storage model) {
        model = _known(modelId);
        if (model.status == Status.Frozen) revert FrozenModel(modelId);
    }
}
