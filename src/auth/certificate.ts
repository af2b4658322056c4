import { createHash, type X509Certificate } from 'node:crypto';
import { parseCertificateUser } from '../model/certificate-user.ts';
import type { ClientTrust } from '../model/client-trust.ts';
import { Failure, type RefusalReason } from '../model/failure.ts';
import { certificateBackdatedSeconds } from '../model/limits.ts';

/** What TLS knows of a client certificate after the handshake. */
export interface PresentedCertificate {
  readonly certificate: X509Certificate;
  /** OpenSSL's verdict; null: it chains to the client authority, is in date, for clients, and not revoked. */
  readonly authorizationError: string | null;
  readonly sessionReused: boolean;
}

/** A client certificate that was accepted. */
export interface ClientCertificate {
  /** Fingerprint of the authority that signed it. */
  readonly authority: string;
  readonly user: string;
  readonly serial: string;
  /** base64url of the DER's SHA-256: `x5t#S256` of RFC 8705. */
  readonly thumbprint: string;
  /** As its issuer meant it, before backdating. */
  readonly issuedAt: number;
  readonly notAfter: number;
}

const reasons: Readonly<Record<string, RefusalReason>> = {
  CERT_REVOKED: 'revoked',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  INVALID_PURPOSE: 'wrong-purpose',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
  // The list of our own authority is always there. OpenSSL says this last of a chain that ends elsewhere.
  UNABLE_TO_GET_CRL: 'unknown-authority',
  CRL_HAS_EXPIRED: 'revocation-list',
  CRL_NOT_YET_VALID: 'revocation-list',
  CRL_SIGNATURE_FAILURE: 'revocation-list',
};

const explanations: Readonly<Record<RefusalReason, string>> = {
  revoked: 'Your certificate was revoked.',
  expired: 'Your certificate has expired.',
  'not-yet-valid': 'Your certificate is not valid yet; compare the clocks.',
  'wrong-purpose': 'Your certificate is not meant for clients.',
  'unknown-authority': "Your certificate is not signed by this server's client authority.",
  'no-user-name': 'Your certificate does not name exactly one user of secure-inv.',
  'unknown-user': 'Your certificate names a user who is unknown or disabled here.',
  'revocation-list': "The server's revocation list cannot be used, so no certificate is accepted.",
  unverifiable: 'Your certificate could not be verified.',
};

const hints: Readonly<Partial<Record<RefusalReason, string>>> = {
  'revocation-list': 'The operator can renew it: npm run gen-certs',
  'unknown-user': 'Ask an administrator: secure-inv user list',
};

/** The refusal that tells a client, and the log, why its certificate is not accepted. */
export function certificateRefused(reason: RefusalReason): Failure {
  const hint = hints[reason] ?? 'Ask the operator for a new one: npm run gen-certs -- client NAME';
  return new Failure('certificate-refused', explanations[reason], { reason, hint });
}

/** base64url of the SHA-256 of a certificate's DER: what a token is bound to. */
export function thumbprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url');
}

const clientPurpose = '1.3.6.1.5.5.7.3.2'; // id-kp-clientAuth, RFC 5280 section 4.2.1.12

/** What a certificate proves that TLS has verified, and that is good for this. Failures: `certificate-refused`. */
export function judgeCertificate(presented: PresentedCertificate, trust: ClientTrust): ClientCertificate {
  const { certificate, authorizationError, sessionReused } = presented;
  if (authorizationError !== null) throw certificateRefused(reasons[authorizationError] ?? 'unverifiable');
  // A resumed session carries an old verdict; ours are never resumed, so this is something unforeseen.
  if (sessionReused || certificate.ca) throw certificateRefused('unverifiable');
  // OpenSSL takes a certificate that states no purpose for one of every purpose.
  if (!certificate.keyUsage?.includes(clientPurpose)) throw certificateRefused('wrong-purpose');
  const user = parseCertificateUser(certificate.subjectAltName);
  if (user === undefined) throw certificateRefused('no-user-name');
  return {
    authority: trust.authority,
    user,
    serial: certificate.serialNumber.toLowerCase(),
    thumbprint: thumbprintOf(certificate),
    issuedAt: certificate.validFromDate.getTime() + certificateBackdatedSeconds * 1000,
    notAfter: certificate.validToDate.getTime(),
  };
}

/**
 * Judges an accepted certificate again by what holds now: lists and authorities change while connections live. A list
 * past its end says nothing about anybody any more. Failures: `certificate-refused`.
 */
export function assertStillTrusted(certificate: ClientCertificate, trust: ClientTrust, now: number): void {
  if (certificate.authority !== trust.authority) throw certificateRefused('unknown-authority');
  if (trust.revoked.has(certificate.serial)) throw certificateRefused('revoked');
  if (now >= trust.listExpiresAt) throw certificateRefused('revocation-list');
  if (now >= certificate.notAfter) throw certificateRefused('expired');
}
