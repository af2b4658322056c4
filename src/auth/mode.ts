import { Failure } from '../model/failure.ts';
import { type AuthMode, needsCertificate } from '../model/user.ts';

/** Ending a login, too: whoever has enrolled needs none where certificates are all that counts. */
const withoutCertificate: ReadonlySet<string> = new Set(['hello', 'enroll', 'logout']);
const firstCertificate: ReadonlySet<string> = new Set(['cert.challenge', 'cert.request']);
const logins: ReadonlySet<string> = new Set(['login', 'authenticate', 'refresh']);

/**
 * Refuses what an `auth.mode` does not offer to somebody with (or without) a certificate: the table at the end of
 * protocol.md. `hasEnrolled`: they set a password here, so that they may get their first one. Failures: `login-required`.
 */
export function assertOffered(
  command: string,
  mode: AuthMode,
  { hasCertificate, hasEnrolled }: { readonly hasCertificate: boolean; readonly hasEnrolled: boolean },
): void {
  const isOfferedWithout = withoutCertificate.has(command) || (hasEnrolled && firstCertificate.has(command));
  if (needsCertificate(mode) && !hasCertificate && !isOfferedWithout) {
    throw new Failure('login-required', 'This server asks for a client certificate.', {
      hint: 'Show yours: --cert FILE --key FILE. Without one, ask an administrator for a new link (secure-inv user reset NAME), or the operator (npx secure-invd admin-link, or npm run gen-certs -- client NAME).',
    });
  }
  if (mode === 'mutual' && logins.has(command)) {
    throw new Failure('login-required', 'This server knows its users by certificate alone.', {
      hint: 'Use --cert FILE --key FILE, without logging in.',
    });
  }
}
