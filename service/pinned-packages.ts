/**
 * The binaries of others that decide what a proof or an answer is: the pairing's WASM and ONNX Runtime. The lockfile
 * pins them when they are installed; this pins them again when a process that uses them starts, so that what was
 * swapped on disk in between is not run. A new version of a package changes its row here.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ArtifactDamaged, sha256File } from './model-folder.js';

export interface PinnedFile {
  readonly path: string;
  readonly sha256: string;
}

const rows: readonly (readonly [name: string, file: string, sha256: string])[] = [
  ['mcl-wasm', 'mcl_c.js', '79febf349c64ff689a1ab5bedffa17cc0065bce0d28a029244dbdff8d9bd2002'],
  [
    'onnxruntime-node',
    '../bin/napi-v6/linux/x64/onnxruntime_binding.node',
    'ccdc60b981d93a490cf9513d3f583547252b6e285b72988a96a494f2f006c7b8',
  ],
  [
    'onnxruntime-node',
    '../bin/napi-v6/linux/x64/libonnxruntime.so.1',
    'ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23',
  ],
];

/** Where they lie on this machine. */
export function pinnedFiles(): PinnedFile[] {
  const { resolve } = createRequire(import.meta.url);
  return rows.map(([name, file, sha256]) => ({ path: join(dirname(resolve(name)), file), sha256 }));
}

/** Throws ArtifactDamaged for the first that is not what is pinned. What is absent cannot be loaded: no other platform's. */
export async function requirePinned(files: readonly PinnedFile[] = pinnedFiles()): Promise<void> {
  for (const { path, sha256 } of files) {
    if (!existsSync(path)) continue;
    const got = await sha256File(path);
    if (got.sha256 !== sha256)
      throw new ArtifactDamaged(`${path}: sha256 must be ${sha256}, got ${got.sha256}; install again`);
  }
}
