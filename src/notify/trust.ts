import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { Failure } from '../model/failure.ts';

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Whom receivers are trusted by: the authorities of Node.js, of the system, and of the file, if one is named. Made once,
 * because reading hundreds of certificates for each message would delay everybody by 10 ms or more. Failures:
 * `bad-params` naming the file.
 */
export async function loadTrust(file: string): Promise<SecureContext> {
  const own = file === '' ? [] : await readAuthorities(file);
  const ca = [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...own])];
  return createSecureContext({ ca, minVersion: 'TLSv1.2' }); // Not ours alone: others' receivers may be that old.
}

async function readAuthorities(file: string): Promise<readonly string[]> {
  try {
    const found = (await readFile(file, 'utf8')).match(certificatePattern) ?? [];
    for (const certificate of found) new X509Certificate(certificate);
    if (found.length > 0) return found;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : error;
    throw refuse(file, `cannot be read (${reason})`);
  }
  throw refuse(file, 'has no certificate in it');
}

function refuse(file: string, problem: string): Failure {
  return new Failure('bad-params', `${file} ${problem}.`, {
    hint: 'notify.ca names a PEM file with the authority that issued the certificates of your webhooks, or is empty.',
  });
}
