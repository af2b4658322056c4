import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Diagnosis } from './diagnosis.ts';

/** What keeps whoever runs this from making or changing a file, and others beside it; undefined when nothing does. */
export async function examinePlace(check: string, file: string): Promise<Diagnosis | undefined> {
  const folder = await nearest(dirname(file));
  const problem = (message: string, todo: string): Diagnosis => ({ check, level: 'problem', message, todo });
  if (!(await stat(folder)).isDirectory()) {
    return problem(`${folder} is no folder.`, 'Move it away, or correct "store" in the config.');
  }
  const todo = 'Run this, and the server, as one user who may read and write there: see chown and chmod.';
  if (!(await may(folder, constants.W_OK | constants.X_OK))) {
    return problem(`This user may not make files in ${folder}.`, todo);
  }
  const found = await stat(file).catch(() => undefined);
  if (!found) return undefined;
  if (!found.isFile()) return problem(`${file} is no file.`, 'Move it away, or correct "store" in the config.');
  if (await may(file, constants.R_OK | constants.W_OK)) return undefined;
  return problem(`This user may not read and write ${file}.`, todo);
}

/** The folder itself, or the first above it that can be seen. */
async function nearest(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  return isThere || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
