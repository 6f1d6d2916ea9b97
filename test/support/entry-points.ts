/** Which forge fuzz test calls which external function of which contract: from the ABIs and the test sources. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { artifact } from '../../service/chain/artifacts.js';

/** The contracts that are deployed, and what the forge tests call them. */
const instances = {
  Groth16Verifier: 'verifier',
  ModelRegistry: 'registry',
  Settlement: 'settlement',
  InferenceMarket: 'market',
  CreditGate: 'gate',
} as const;

const folder = 'test/verifier-contracts/forge';

export interface EntryPoint {
  /** `InferenceMarket.fulfil`. */
  readonly name: string;
  /** False for a constant: it takes nothing and changes nothing. */
  readonly isFuzzable: boolean;
  /** forge functions that call it themselves. */
  readonly tests: readonly string[];
}

interface FunctionAbi {
  readonly type: string;
  readonly name: string;
  readonly inputs: readonly unknown[];
  readonly stateMutability: string;
}

export function entryPoints(): EntryPoint[] {
  const tests = forgeFunctions();
  return Object.entries(instances).flatMap(([contract, instance]) =>
    (artifact(contract).abi as FunctionAbi[])
      .filter(({ type }) => type === 'function')
      .map(({ name, inputs, stateMutability }) => {
        // market.fulfil(…), market.fulfil{value: …}(…), abi.encodeCall(market.fulfil, …)
        const call = new RegExp(`\\b${instance}\\.${name}\\b(?!\\.selector)`);
        return {
          name: `${contract}.${name}`,
          isFuzzable: inputs.length > 0 || !/view|pure/.test(stateMutability),
          tests: tests.filter(({ body }) => call.test(body)).map((test) => test.name),
        };
      }),
  );
}

function forgeFunctions(): { name: string; body: string }[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.t.sol'))
    .flatMap((file) =>
      [
        ...readFileSync(join(folder, file), 'utf8').matchAll(/^ {4}function (test\w+)\([\s\S]*?^ {4}\}$/gm),
      ].map(([body, name]) => ({ name: name!, body })),
    );
}
