/** Native where it is built and loads on this machine, otherwise the implementation that always runs. */
import { type Kernels, typescriptKernels } from './kernels.js';
import { loadAddon } from './native-addon.js';
import { nativeAvailability } from './native-engine.js';
import { nativeKernels } from './native-kernels.js';

export interface KernelChoice {
  readonly kernels: Kernels;
  /** One line for the log: which kernels run, and why not the other. */
  readonly reason: string;
}

export function selectKernels(): KernelChoice {
  const { available, reason } = nativeAvailability();
  const addon = available ? loadAddon() : undefined;
  if (addon !== undefined) return { kernels: nativeKernels(addon), reason };
  return { kernels: typescriptKernels, reason: `TypeScript: ${reason}` };
}
