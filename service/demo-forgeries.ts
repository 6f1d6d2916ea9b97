/** Four lies about a genuine proof, each told as consistently as a forger can: everything is recomputed but the proof. */
import { contextSignal } from '../circuits/public-signals.js';
import { inputSignals, outputSignals, signalLayout } from './verifier/manifest.js';
import { requestIdOf, type Opening, type Receipt, type verifyReceipt } from './verifier/index.js';

type Expectations = Parameters<typeof verifyReceipt>[1];

export interface Forgery {
  readonly what: string;
  readonly receipt: Receipt;
  /** What a reader who was lied to would expect. */
  readonly expectations: Expectations;
}

export function forgeries(
  receipt: Receipt,
  expectations: Expectations,
  other: { readonly opening: Opening },
): Forgery[] {
  const unsigned: Receipt = { ...receipt, signature: null };
  return [
    anotherOutput(unsigned, expectations),
    anotherInput(unsigned, expectations, other.opening),
    flippedByte(unsigned, expectations),
    anotherContext(unsigned, expectations),
  ];
}

function anotherOutput(receipt: Receipt, expectations: Expectations): Forgery {
  const [first, ...rest] = receipt.outputs as [Receipt['outputs'][number], ...Receipt['outputs']];
  const outputs = [{ ...first, values: [...first.values].reverse() }, ...rest];
  const layout = signalLayout(receipt.manifest);
  const signals = outputSignals(layout, outputs, null)!.map(String);
  const publicSignals = [
    ...receipt.publicSignals.slice(0, receipt.publicSignals.length - signals.length),
    ...signals,
  ];
  return { what: 'another output', receipt: { ...receipt, outputs, publicSignals }, expectations };
}

function anotherInput(receipt: Receipt, expectations: Expectations, opening: Opening): Forgery {
  const layout = signalLayout(receipt.manifest);
  const signals = inputSignals(layout, opening).map(String);
  const publicSignals = [
    receipt.publicSignals[0]!,
    ...signals,
    ...receipt.publicSignals.slice(1 + signals.length),
  ];
  return {
    what: 'another input',
    receipt: { ...receipt, publicSignals, opening },
    expectations: { ...expectations, input: opening },
  };
}

function flippedByte(receipt: Receipt, expectations: Expectations): Forgery {
  const bytes = Buffer.from(receipt.proof.slice(2), 'hex');
  bytes[255]! ^= 1;
  return {
    what: 'a flipped proof byte',
    receipt: { ...receipt, proof: `0x${bytes.toString('hex')}` },
    expectations,
  };
}

function anotherContext(receipt: Receipt, expectations: Expectations): Forgery {
  const { statement } = receipt;
  const request = {
    requester: receipt.request!.requester,
    nonce: String(BigInt(receipt.request!.nonce) ^ 1n),
  };
  const requestId = requestIdOf({
    requester: request.requester,
    nonce: request.nonce,
    modelId: statement.modelId,
    deadline: statement.deadline,
  });
  const ctx = contextSignal({
    domain: statement.domainTag,
    chainId: BigInt(statement.chainId),
    contract: statement.contract,
    requestId,
    modelId: statement.modelId,
    vkHash: statement.vkHash,
    operator: statement.operator,
    payee: statement.payee,
    deadline: BigInt(statement.deadline),
  });
  return {
    what: "another request's context",
    receipt: {
      ...receipt,
      statement: { ...statement, requestId },
      request,
      publicSignals: [String(ctx), ...receipt.publicSignals.slice(1)],
    },
    expectations: { ...expectations, requestId },
  };
}
