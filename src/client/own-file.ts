import { Failure } from '../model/failure.ts';

/** What a system's error says to people. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'your share of the disk is used up',
  EFBIG: 'files may not be that large here',
  EROFS: 'the file system is read-only',
  EACCES: 'you have no right to',
  EPERM: 'you have no right to',
  ENOTDIR: 'what should be a folder there is none',
  EISDIR: 'it is a folder',
};

/** Works on a file, or in a folder, of this account's. Failures: `storage` for what the system has against it; the work's. */
export async function onOwnFile<T>(path: string, cannot: 'read' | 'written', work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw aboutOwnFile(path, cannot, error);
  }
}

/** The refusal of an error of the system's about a file of this account's; what is something else stays what it is. */
export function aboutOwnFile(path: string, cannot: 'read' | 'written', error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error && 'code' in error)) return error;
  const why = reasons[String(error.code)] ?? String(error.code);
  return new Failure('storage', `${path} cannot be ${cannot}: ${why}.`, {
    hint: 'See to that disk or folder first.', // An operation may have been counted: nobody is told to give it again.
  });
}

/** A sentence: why a file that somebody named cannot be read. */
export function unreadable(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ENOENT') return `There is no file ${path}.`;
  if (code === 'EISDIR') return `${path} is a folder, not a file.`;
  return `${path} cannot be read: ${reasons[code] ?? code}.`;
}
