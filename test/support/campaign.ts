/** Size of a random campaign: `fast` in every run, `slow` in the slow tier, which imports support/slow.js first. */
export function campaign(fast: number, slow: number): number {
  return process.env.VERINFER_SLOW === '1' ? slow : fast;
}
