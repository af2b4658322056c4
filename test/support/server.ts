import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadServerConfig } from '../../src/config/server.ts';
import type { ServerConfig } from '../../src/config/server-schema.ts';
import { type Daemon, openDaemon } from '../../src/daemon.ts';
import { type EnrolmentLink, parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import type { AuthMode } from '../../src/model/user.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { atEnd } from './at-end.ts';

export interface TestServer {
  readonly port: number;
  /** The server authority, PEM. */
  readonly ca: string;
  /** Certificates in `certs`, the store in `data`; gone after the test. */
  readonly folder: string;
  readonly certs: string;
  /** The first administrator's link, as it was printed last. */
  link(): EnrolmentLink;
  /** Closes, and opens again on the same folder. */
  restart(): Promise<void>;
  /** Writes its configuration file, below the flags; it is taken up by a reload or restart. */
  configure(text: string): Promise<void>;
  /** Has it look at its certificates, token keys and configuration now. */
  reload(): Promise<void>;
  /** Sets the clock of the server's machine, so far ahead of what the server takes for the time. */
  setMachineClock(milliseconds: number): void;
  /** Sets the server's clock ahead. */
  turnClock(milliseconds: number): void;
}

export interface TestServerOptions {
  readonly mode?: AuthMode;
  /** Configuration by key, such as `{ 'auth.token.accessMinutes': '1' }`; undefined leaves a key to `configure`. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** The server's clock moves only when it is turned, however slow the machine is. */
  readonly isClockStopped?: boolean;
  /** Takes what is to be done when nobody needs the server any more: by default, when the test is finished. */
  readonly whenDone?: (clean: () => unknown) => void;
}

/** The flags that have passwords hashed at a cost that people may configure: for what happens while one is hashed. */
export const slowHash = { 'auth.password.memoryKibibytes': '19456', 'auth.password.passes': '2' } as const;

/** A temporary folder that is gone after the test. */
export async function temporaryFolder(
  whenDone: (clean: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'secure-inv-'));
  const forget = atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  whenDone(async () => {
    // A process that was started here, and is about to end, may put a file there meanwhile.
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    forget();
  });
  return folder;
}

/** Far cheaper than a configuration may ask for: most tests need somebody who is logged in, and few how long that takes. */
const cheapHash = { memoryKibibytes: 64, passes: 1 };

/**
 * A real server in this process, on a free port, with certificates of its own, no log, and passwords hashed as cheaply as can
 * be: as configured only where `flags` name an `auth.password` key.
 */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const whenDone = options.whenDone ?? onTestFinished;
  const folder = await temporaryFolder(whenDone);
  const certs = join(folder, 'certs');
  await ensureCertificates(certs, []);
  const file = join(folder, 'server.jsonc'); // Not the one that an operator of this clone edits.
  await writeFile(file, '{}');
  const readConfig = () => configFor(folder, file, options);
  let link = '';
  let ahead = 0;
  let machineAhead = 0;
  const startedAt = Date.now();
  const now = () => (options.isClockStopped ? startedAt : Date.now()) + ahead;
  const open = async () => {
    const opened = await openDaemon(readConfig(), {
      readConfig,
      onLink: (printed) => (link = printed),
      now,
      wall: () => now() + machineAhead,
    });
    await opened.inviteFirstAdministrator();
    return opened;
  };
  let daemon: Daemon = await open();
  whenDone(() => daemon.close());
  return {
    get port() {
      return daemon.port;
    },
    ca: await readFile(join(certs, 'server-ca.pem'), 'utf8'),
    folder,
    certs,
    link: () => parseEnrolmentLink(link),
    configure: (text) => writeFile(file, text),
    reload: () => daemon.reload(),
    turnClock: (milliseconds) => (ahead += milliseconds),
    setMachineClock: (milliseconds) => (machineAhead = milliseconds),
    async restart() {
      await daemon.close();
      daemon = await open();
    },
  };
}

function configFor(folder: string, file: string, { mode = 'either', flags = {} }: TestServerOptions): ServerConfig {
  const given = Object.entries({
    'listen.port': '0',
    store: `sqlite:${join(folder, 'data', 'inventory.db')}`,
    'certs.folder': join(folder, 'certs'),
    'auth.mode': mode,
    ...slowHash,
    'log.level': 'silent',
    ...flags,
  });
  const decided = given.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  const { config } = loadServerConfig({ file, env: {}, flags: Object.fromEntries(decided) });
  if (Object.keys(flags).some((key) => key.startsWith('auth.password.'))) return config;
  return { ...config, auth: { ...config.auth, password: { ...config.auth.password, ...cheapHash } } };
}
