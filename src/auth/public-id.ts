import { randomBytes } from 'node:crypto';

/**
 * A new name for a session or an API token, 16 characters; no secret. Typed as an argument, a leading hyphen would be
 * taken for an option.
 */
export function makePublicId(): string {
  for (;;) {
    const id = randomBytes(12).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}
