import { domainTag } from '../../circuits/public-signals.js';
import { fieldBytes } from '../../prover/codec.js';
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { keccakHex } from './receipt.js';

export interface RequestTerms {
  readonly requester: string;
  /** Decimal uint256. */
  readonly nonce: string;
  readonly modelId: string;
  /** Decimal Unix seconds. */
  readonly deadline: string;
}

/** The requestId that the settlement contract computes from its calldata (Settlement.sol). */
export function requestIdOf({ requester, nonce, modelId, deadline }: RequestTerms): string {
  const words = [
    hexToBytes(domainTag('verinfer/request/v1').slice(2)),
    fieldBytes(BigInt(requester)),
    fieldBytes(BigInt(nonce)),
    hexToBytes(modelId.slice(2)),
    fieldBytes(BigInt(deadline)),
  ];
  return keccakHex(concatBytes(...words));
}
