/**
 * Flags of a Node process that compiles models. What a compiler allocates either lives on or is typed arrays, so a young
 * generation of 16 MiB (three times over, and touched) only adds to its memory: about a third on a 376,572-row model.
 */
export const COMPILE_FLAGS: readonly string[] = ['--max-semi-space-size=1'];
