/** What `POST /v1/quotes` says. */
export interface QuoteOptions {
  readonly count?: number;
  readonly settlement?: 'none' | 'onchain' | 'batched';
}

export interface Quote {
  readonly modelId: string;
  readonly rows: number;
  readonly units: number;
  /** Of one proof. */
  readonly proveSeconds: number;
  /** Until the last is proven, with the queue as it is. */
  readonly waitSeconds: number;
  readonly memoryBytes: number;
  readonly gas: number;
  /** false: estimated from the rows, as no proof of this model has been made yet. */
  readonly measured: boolean;
}
