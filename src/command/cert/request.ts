import * as v from 'valibot';
import { keySignatureCharactersMax, publicKeyCharactersMax } from '../../model/limits.ts';
import { define } from '../command.ts';
import { formatTime, grant } from '../field.ts';

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A certificate for a key whose possession is proven. Its name, purpose and life are the server's. */
export const certRequest = define({
  name: 'cert.request',
  summary: 'Get a client certificate for a key that you made.',
  permission: 'principal',
  params: v.strictObject({
    publicKey: v.pipe(
      v.string(),
      v.maxLength(publicKeyCharactersMax, `publicKey may have at most ${publicKeyCharactersMax} characters.`),
      v.regex(base64, 'publicKey must be base64.'),
      v.description('the P-256 public key: DER SubjectPublicKeyInfo, base64'),
    ),
    signature: v.pipe(
      v.string(),
      v.maxLength(keySignatureCharactersMax, `signature may have at most ${keySignatureCharactersMax} characters.`),
      v.regex(base64, 'signature must be base64.'),
      v.description('the ECDSA-SHA256 signature by its private key over the nonce and what it is for: DER, base64'),
    ),
  }),
  result: v.object({
    certificate: v.string(),
    user: v.string(),
    serial: v.string(),
    expiresAt: v.string(),
    login: v.optional(grant),
  }),
  async handle(claim, { identity }) {
    const { login, expiresAt, ...issued } = await identity.requestCertificate(claim);
    return {
      ...issued,
      expiresAt: formatTime(expiresAt),
      ...(login ? { login: { ...login, expiresAt: formatTime(login.expiresAt) } } : {}),
    };
  },
});
