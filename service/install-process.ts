/** One upload, compiled and set up in a process that ends with it: no secrets in its environment, bounded from outside. */
import { readFile } from 'node:fs/promises';
import { ModelRefused } from '../circuits/errors.js';
import { installModel } from './install.js';
import type { InstallReport, InstallOrder } from './installs.js';

const tell = (report: InstallReport): Promise<void> =>
  new Promise((done) => {
    process.send!(report, () => done());
  });

process.once('disconnect', () => process.exit(0));
process.once('message', (order: InstallOrder) => void run(order));

async function run({ path, name, modelsFolder, owner, options }: InstallOrder): Promise<void> {
  try {
    const { description, files } = await installModel(await readFile(path), {
      name,
      modelsFolder,
      owner,
      ...options,
      onProgress: (stage, share) => void tell({ type: 'progress', stage, share }),
    });
    await tell({ type: 'installed', description, files });
  } catch (error) {
    const { where, what, expected, got } = error as ModelRefused;
    await tell(
      error instanceof ModelRefused || (error as Error).name === 'UnsoundCircuit'
        ? {
            type: 'refused',
            detail: (error as Error).message.slice(0, 500),
            issues: [
              {
                field: String(where ?? 'circuit'),
                expected: `${what} ${expected}`,
                got: String(got).slice(0, 200),
              },
            ],
          }
        : { type: 'refused', detail: 'the model could not be compiled', issues: [] },
    );
    if (!(error instanceof ModelRefused)) console.error(error);
  }
  process.exit(0);
}
