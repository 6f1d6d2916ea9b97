#!/usr/bin/env node
/** `verinfer`: every verb calls the functions that the service calls. */
import pc from 'picocolors';
import { z } from 'zod';
import { MalformedFile, ModelRefused } from '../circuits/errors.js';
import { createProgram } from './cli/program.js';

/** What Node says in codes. */
const fileTroubles: Record<string, string> = {
  ENOENT: 'must be a file, got nothing of that name',
  EISDIR: 'must be a file, got a folder',
  ENOTDIR: 'must be a folder, got a file',
  EACCES: 'must be readable and writable here, got no permission',
};

try {
  await createProgram().parseAsync();
} catch (error) {
  process.stderr.write(`${pc.red('verinfer:')} ${said(error)}\n`);
  if (process.env['VERINFER_LOG'] === 'debug') console.error(error);
  process.exitCode = 1;
}

function said(error: unknown): string {
  if (error instanceof z.ZodError)
    return error.issues
      .slice(0, 5)
      .map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`)
      .join('; ');
  if ((error instanceof MalformedFile || error instanceof ModelRefused) && error.where === 'file')
    return `${error.message}; is it an ONNX file?`;
  const { code, path, message } = error as NodeJS.ErrnoException;
  const reason = fileTroubles[code ?? ''];
  if (reason) return `${path ?? 'a file'}: ${reason}`;
  return error instanceof Error ? message : String(error);
}
