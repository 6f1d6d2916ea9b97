/**
 * Private inputs on their way to an operator: the requester posts the opening of the commitment in its request. The
 * operator opens the commitment itself, answers with a signed acknowledgement or a signed refusal, and remembers both.
 * It locks only what it holds an opening of, and acknowledges none of an input that has no proof: a requester who
 * withholds, alters or poisons an input can slash nobody.
 */
import { verifyMessage, type Wallet } from 'ethers';
import type { Pool } from 'pg';
import { InputRefused } from '../../circuits/errors.js';
import type { MarketTerms } from '../chain/market.js';
import { Problem } from '../errors.js';

/** Quantized input tensors by name, and the salt of the commitment (248 bits). */
export interface Opening {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly salt: string;
}

export interface Answer {
  readonly requestId: string;
  readonly operator: string;
  readonly verdict: 'acknowledged' | 'refused';
  readonly reason: string;
  /** EIP-191 over `answerText`. */
  readonly signature: string;
}

/** Throws InputRefused or Problem unless the opening is that of the terms' commitment and can be proven. */
export type OpenCommitment = (terms: MarketTerms, opening: Opening) => Promise<void>;

export const answerText = ({ requestId, verdict, reason }: Omit<Answer, 'signature' | 'operator'>): string =>
  `verinfer market opening\nrequest ${requestId}\n${verdict}: ${reason}`;

export const isSignedBy = (answer: Answer, operator: string): boolean =>
  verifyMessage(answerText(answer), answer.signature).toLowerCase() === operator.toLowerCase();

/**
 * Opens the commitment, records the verdict, signs it. The first acknowledged opening of a request stays. What is no fault
 * of the opening is thrown, and no verdict: the requester asks again.
 */
export async function receiveOpening(
  store: OpeningStore,
  wallet: Wallet,
  open: OpenCommitment,
  requestId: string,
  terms: MarketTerms,
  opening: Opening,
): Promise<Answer> {
  let reason = 'the input opens the commitment';
  let verdict: Answer['verdict'] = 'acknowledged';
  try {
    await open(terms, opening);
  } catch (error) {
    if (!(error instanceof InputRefused || error instanceof Problem)) throw error;
    [verdict, reason] = ['refused', error.message.slice(0, 300)];
  }
  await store.record(requestId, verdict, reason, verdict === 'acknowledged' ? opening : null);
  const signature = wallet.signMessageSync(answerText({ requestId, verdict, reason }));
  return { requestId, operator: wallet.address, verdict, reason, signature };
}

export interface OpeningStore {
  record(
    requestId: string,
    verdict: Answer['verdict'],
    reason: string,
    opening: Opening | null,
  ): Promise<void>;
  read(requestId: string): Promise<Opening | null>;
  /** The input is no longer needed: its row stays, without it. */
  erase(requestId: string): Promise<void>;
}

export function openingStore(pool: Pool, operator: string): OpeningStore {
  const owner = operator.toLowerCase();
  return {
    async record(requestId, verdict, reason, opening) {
      await pool.query(
        `insert into market_openings (operator, request_id, verdict, reason, opening) values ($1, $2, $3, $4, $5)
         on conflict (operator, request_id) do update set verdict = $3, reason = $4, opening = $5
         where market_openings.verdict <> 'acknowledged'`,
        [owner, requestId, verdict, reason, opening === null ? null : JSON.stringify(opening)],
      );
    },
    async read(requestId) {
      const { rows } = await pool.query<{ opening: Opening | null }>(
        `select opening from market_openings where operator = $1 and request_id = $2 and verdict = 'acknowledged'`,
        [owner, requestId],
      );
      return rows[0]?.opening ?? null;
    },
    async erase(requestId) {
      await pool.query('update market_openings set opening = null where operator = $1 and request_id = $2', [
        owner,
        requestId,
      ]);
    },
  };
}
