/** Native where it is built and works on this machine, otherwise the implementation that always runs. */
import { type Kernels, typescriptKernels } from './kernels.js';

export interface KernelChoice {
  readonly kernels: Kernels;
  /** One line for the log: which kernels run, and why not the other. */
  readonly reason: string;
}

export async function selectKernels(): Promise<KernelChoice> {
  return { kernels: typescriptKernels, reason: 'TypeScript: the native engine is not built' };
}
