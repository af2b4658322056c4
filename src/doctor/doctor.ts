import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadKeyRing } from '../auth/key-ring.ts';
import { type ConfigSource, checkServerConfig, type LoadedServerConfig } from '../config/server.ts';
import type { ServerConfig } from '../config/server-schema.ts';
import { adviseNode } from '../ops/node-release.ts';
import { files } from '../pki/certificate-file.ts';
import { describeEnding, renewalOf } from '../pki/ending.ts';
import { listFolder } from '../pki/folder.ts';
import { hasCertificates } from '../pki/issue.ts';
import { loadServerCertificates, type ServerCertificates } from '../pki/server-certificates.ts';
import type { Diagnosis, Examination } from './diagnosis.ts';
import { examineAccess, problemOf } from './files.ts';
import { examinePorts } from './ports.ts';
import { examineStore } from './stored.ts';

const publicFiles = [files.server, files.serverAuthority, files.clientAuthority, files.revocationList];

/** What the server's wiring knows and the doctor needs. */
export interface Wiring {
  readonly storePath: (config: ServerConfig) => string;
  readonly keyFile: (config: ServerConfig) => string;
  /** Failures: `bad-params`. */
  readonly assertCoversName: (config: ServerConfig, certificates: ServerCertificates) => void;
  /** Failures: `bad-params` naming a file that webhooks need. */
  readonly checkNotify: (config: ServerConfig) => Promise<void>;
}

/** Looks at everything that a server needs, whether it runs or not, and changes nothing. */
export async function* diagnose(source: ConfigSource, wiring: Wiring, now = Date.now()): Examination {
  yield examineNode();
  const { problems, loaded } = checkServerConfig(source);
  if (!loaded) {
    const todo = 'Correct it; what depends on it was not looked at.';
    for (const problem of problems) yield { check: 'config', level: 'problem', message: problem, todo };
    return;
  }
  yield* examineConfig(loaded);
  const { config } = loaded;
  const certificates = yield* examineCertificates(config, wiring, now);
  yield* examineStore(wiring.storePath(config), now);
  yield* examineTokenKeys(wiring.keyFile(config), existsSync(wiring.storePath(config)), now);
  yield* examineNotify(config, wiring);
  yield* examinePorts(config, certificates?.authority.toString());
}

function examineNode(): Diagnosis {
  const advice = adviseNode(process.versions.node);
  if (advice === undefined) {
    return { check: 'node', level: 'ok', message: `Node.js ${process.versions.node} has no known advisories.` };
  }
  return { check: 'node', level: 'problem', message: advice, todo: 'Run: npm install && npm start' };
}

async function* examineConfig({ file, overrides, warnings }: LoadedServerConfig): Examination {
  const isThere = existsSync(file);
  const others = overrides.filter(({ origin }) => origin !== 'file').map(({ key, origin }) => `${key} (${origin})`);
  const said = isThere ? `${file} is right.` : `${file} does not exist: the defaults hold.`;
  const message = others.length > 0 ? `${said} Overridden: ${others.join(', ')}.` : said;
  // Whoever may write it decides who gets in.
  const open = isThere ? await examineAccess('config', file, 0o022) : [];
  yield* open.filter(({ message: what }) => what.includes('is open'));
  for (const warning of warnings) yield { check: 'config', level: 'warning', message: warning };
  yield { check: 'config', level: 'ok', message };
}

async function* examineCertificates(
  config: ServerConfig,
  { assertCoversName }: Wiring,
  now: number,
): AsyncGenerator<Diagnosis, ServerCertificates | undefined, void> {
  const check = 'certificates';
  const { folder } = config.certs;
  try {
    if (!(await hasCertificates(folder))) {
      yield { check, level: 'ok', message: `${folder} has no certificates yet: the first start makes them.` };
      return undefined;
    }
    const present = await listFolder(folder);
    // Whoever may write the authorities or the revocation list decides who gets in; who owns them may be somebody else.
    for (const path of [folder, ...publicFiles.map((file) => join(folder, file))]) {
      yield* (await examineAccess(check, path, 0o022)).filter(({ message }) => message.includes('is open'));
    }
    for (const file of present) {
      if (/(-key\.pem|\.p12|\.jsonl)$/.test(file)) yield* await examineAccess(check, join(folder, file), 0o077);
    }
    const certificates = await loadServerCertificates(folder, now);
    assertCoversName(config, certificates);
    const endings = certificates.ends.flatMap((end) => describeEnding(folder, end, now, renewalOf(present)) ?? []);
    for (const message of endings) yield { check, level: 'warning', message };
    yield { check, level: 'ok', message: `${folder} has what a server needs, in date and belonging together.` };
    return certificates;
  } catch (error) {
    yield problemOf(check, error);
    return undefined;
  }
}

async function* examineTokenKeys(path: string, hasStore: boolean, now: number): Examination {
  const check = 'token keys';
  if (!existsSync(path)) {
    const message = `${path} does not exist: the next start makes it${hasStore ? ', and everybody logs in again' : ''}.`;
    yield { check, level: hasStore ? 'warning' : 'ok', message };
    return;
  }
  try {
    await loadKeyRing(path, now);
    yield { check, level: 'ok', message: `${path} is whole and closed to others.` };
  } catch (error) {
    yield problemOf(check, error);
  }
}

async function* examineNotify(config: ServerConfig, { checkNotify }: Wiring): Examination {
  const check = 'webhooks';
  const { secretFile, ca } = config.notify;
  const named = [secretFile, ca].filter((file) => file !== '').join(' and ');
  if (named === '') return;
  try {
    await checkNotify(config);
    yield { check, level: 'ok', message: `${named} can be used.` };
  } catch (error) {
    yield problemOf(check, error);
  }
}
