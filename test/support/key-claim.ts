import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import type { WireClient, WireReply } from './wire-client.ts';

/** A P-256 key pair. */
export const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A key as cert.request takes it. */
export const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** What src/wire/README.md says is to be signed, by nothing but node:crypto. */
export function statementOf(nonce: unknown, publicKey: Uint8Array, user: string): Buffer {
  return Buffer.concat([
    Buffer.from('secure-inv cert.request v1\n'),
    Buffer.from(String(nonce), 'base64url'),
    createHash('sha256').update(publicKey).digest(),
    Buffer.from(user),
  ]);
}

/** The parameters of a cert.request that is right in every way. */
export function claimOf(nonce: unknown, user: string, { publicKey, privateKey } = newKeys()) {
  const der = spkiOf(publicKey);
  const signature = sign('sha256', statementOf(nonce, der, user), privateKey);
  return { publicKey: der.toString('base64'), signature: signature.toString('base64') };
}

/** A nonce for this connection. */
export async function nonceOf(client: WireClient): Promise<unknown> {
  return (await client.ask('cert.challenge'))?.result?.['nonce'];
}

/** Asks for a certificate, as a client does. */
export async function requestCertificate(
  client: WireClient,
  user: string,
  keys = newKeys(),
): Promise<WireReply | undefined> {
  return client.ask('cert.request', claimOf(await nonceOf(client), user, keys));
}

/** The certificate of a reply, PEM. */
export function certificateOf(reply: WireReply | undefined): string {
  return new X509Certificate(Buffer.from(String(reply?.result?.['certificate']), 'base64')).toString();
}
