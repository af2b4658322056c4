/** A name as one would type it in a shell: for commands that are printed to be pasted. */
export function shellWord(name: string): string {
  return /^[\w.:@-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
