import { stat } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import type { Diagnosis } from './diagnosis.ts';

/** What is wrong with who may use a file: `forbidden` are the bits of its mode that it must not have. */
export async function examineAccess(check: string, path: string, forbidden: number): Promise<readonly Diagnosis[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found || process.platform === 'win32') return [];
  const diagnoses: Diagnosis[] = [];
  const mode = found.mode & 0o777;
  if ((mode & forbidden) !== 0) {
    diagnoses.push({
      check,
      level: 'problem',
      message: `${path} is open to other accounts of this machine (mode 0${mode.toString(8)}).`,
      todo: `Run: chmod ${(mode & ~forbidden).toString(8).padStart(3, '0')} ${quote(path)}`,
    });
  }
  const own = process.getuid?.();
  if (own !== undefined && found.uid !== own) {
    diagnoses.push({
      check,
      level: own === 0 ? 'warning' : 'problem',
      message: `${path} belongs to user ${found.uid}, and this runs as user ${own}.`,
      todo: 'Run this, and the server, as one user who owns all of its files.',
    });
  }
  return diagnoses;
}

/** What somebody can paste into a shell. */
function quote(path: string): string {
  return /^[\w./@:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** A refusal as a diagnosis. What is no refusal is a bug, and stays one. */
export function problemOf(check: string, error: unknown): Diagnosis {
  if (!(error instanceof Failure)) throw error;
  const { hint } = error.details;
  return { check, level: 'problem', message: error.message, ...(hint === undefined ? {} : { todo: hint }) };
}
