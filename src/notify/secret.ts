import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isOpenToOthers, writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';
import { webhookSecretCharactersMin } from '../model/limits.ts';

/** The secret in the server's own file, which is made when it is missing. Failures: as `readSecret`. */
export async function openOwnSecret(path: string): Promise<string> {
  if (await isMissing(path)) await writeFileAtomically(path, `${randomBytes(32).toString('base64url')}\n`);
  return readSecret(path);
}

/** The secret in a file, without the newline at its end. Failures: `bad-params` naming the file, never quoting it. */
export async function readSecret(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : error;
    throw new Failure('bad-params', `${path} cannot be read (${reason}).`, {
      hint: 'It holds the secret of the webhooks: correct notify.secretFile, or make it readable to the server alone.',
    });
  }
  if (await isOpenToOthers(path)) {
    throw new Failure('bad-params', `${path} holds the secret of the webhooks and is open to others.`, {
      hint: `Put a new secret into it, run chmod 600 ${path}, and give the secret to the receivers.`,
    });
  }
  const secret = text.replace(/\r?\n$/, '');
  if (secret.length < webhookSecretCharactersMin || /\s/.test(secret)) {
    throw new Failure('bad-params', `${path} is no secret for webhooks.`, {
      hint: `It must be one line of at least ${webhookSecretCharactersMin} characters without spaces: openssl rand -hex 32`,
    });
  }
  return secret;
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
  );
}
