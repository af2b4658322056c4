import { readGiven } from '../target.ts';
import { askHidden, isInteractive, readPasswordsFromInput } from '../terminal.ts';

/** Where a password comes from; never a command line. */
export interface PasswordSource {
  readonly passwordStdin?: boolean | undefined;
  readonly passwordFile?: string | undefined;
}

/** Whether somebody types the password, and so can type another. */
export function isTyped({ passwordStdin, passwordFile }: PasswordSource): boolean {
  return isInteractive() && !passwordStdin && passwordFile === undefined;
}

/** A password: from standard input, a file, or somebody at the terminal, unseen. */
export async function readPassword(source: PasswordSource): Promise<string> {
  if (source.passwordStdin) return (await readPasswordsFromInput(1))[0] ?? '';
  if (source.passwordFile !== undefined) {
    const text = await readGiven(source.passwordFile, 'SECURE_INV_PASSWORD_FILE');
    return text.split(/\r?\n/, 1)[0] ?? '';
  }
  return askHidden('Password: ');
}

/** A new password; at a terminal twice, because nobody sees what they type. */
export async function readNewPassword(source: PasswordSource): Promise<string> {
  if (source.passwordStdin || source.passwordFile !== undefined) return readPassword(source);
  for (;;) {
    const password = await askHidden('New password (12 characters or more): ');
    if ((await askHidden('Once more: ')) === password) return password;
    process.stderr.write('These are not the same. Try again.\n');
  }
}

/** The password that holds and the one that is to: two lines of standard input, or asked for. */
export async function readPasswordChange({
  passwordStdin,
}: PasswordSource): Promise<{ current: string; password: string }> {
  if (!passwordStdin) return { current: await askHidden('Current password: '), password: await readNewPassword({}) };
  const [current = '', password = ''] = await readPasswordsFromInput(2);
  return { current, password };
}
