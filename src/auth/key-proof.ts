import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import { Failure } from '../model/failure.ts';
import { certificateNonceSeconds } from '../model/limits.ts';

/** The length of a P-256 SubjectPublicKeyInfo with its point uncompressed, the only form there is here. */
const publicKeyBytes = 91;

/** A public key that is asked to be certified, both in standard base64. */
export interface KeyClaim {
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: string;
  /** ECDSA with SHA-256, DER as `openssl dgst -sha256 -sign` writes it. */
  readonly signature: string;
}

/** What is signed to prove that one has the key: for this nonce, this key and this user, and for nothing else. */
function statementOf(nonce: Uint8Array, publicKey: Uint8Array, user: string): Buffer {
  const fingerprint = createHash('sha256').update(publicKey).digest();
  return Buffer.concat([Buffer.from('secure-inv cert.request v1\n'), nonce, fingerprint, Buffer.from(user)]);
}

/** The one nonce that a connection may sign at a time. */
export class KeyProof {
  #challenge: { readonly nonce: Uint8Array; readonly expiresAt: number } | null = null;

  /** A new nonce, base64url; the one before is void. */
  challenge(now: number): string {
    const nonce = randomBytes(32);
    this.#challenge = { nonce, expiresAt: now + certificateNonceSeconds * 1000 };
    return nonce.toString('base64url');
  }

  /**
   * The key, after its holder proved to have it for this user and the connection's nonce, which is spent whatever comes
   * of it. Failures: `conflict` without a live nonce, `bad-params`.
   */
  verify({ publicKey, signature }: KeyClaim, user: string, now: number): KeyObject {
    const challenge = this.#challenge;
    this.#challenge = null;
    if (!challenge || now >= challenge.expiresAt) {
      throw new Failure(
        'conflict',
        `This connection has no nonce that is unused and younger than ${certificateNonceSeconds} s.`,
        {
          hint: 'Call cert.challenge, sign what it gives, and call cert.request on the same connection.',
        },
      );
    }
    const der = Buffer.from(publicKey, 'base64');
    const key = parsePublicKey(der);
    if (!verifies(statementOf(challenge.nonce, der, user), key, Buffer.from(signature, 'base64'))) {
      throw new Failure('bad-params', 'signature does not prove that you have the key to publicKey.', {
        hint: 'What is to be signed stands in src/wire/README.md.',
      });
    }
    return key;
  }
}

/** Only node:crypto reads what a peer sent; what it would write differently is refused, so that nothing hides in it. */
function parsePublicKey(der: Buffer): KeyObject {
  const refused = new Failure(
    'bad-params',
    'publicKey must be a P-256 public key: a DER SubjectPublicKeyInfo, base64.',
  );
  if (der.length !== publicKeyBytes) throw refused;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    throw refused;
  }
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isP256 || !key.export({ format: 'der', type: 'spki' }).equals(der)) throw refused;
  return key;
}

function verifies(statement: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify('sha256', statement, key, signature);
  } catch {
    return false; // No ASN.1 of a signature at all.
  }
}
