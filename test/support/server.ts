import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { checkServerConfig } from '../../src/config/server.ts';
import { type Daemon, openDaemon } from '../../src/daemon.ts';
import { type EnrolmentLink, parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import type { AuthMode } from '../../src/model/user.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';

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
  /** Has it look at its certificates now. */
  reload(): Promise<void>;
  /** Sets the server's clock ahead. */
  turnClock(milliseconds: number): void;
}

export interface TestServerOptions {
  readonly mode?: AuthMode;
  /** Configuration by key, such as `{ 'auth.token.accessMinutes': '1' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The server's clock moves only when it is turned, however slow the machine is. */
  readonly isClockStopped?: boolean;
  /** Takes what is to be done when nobody needs the server any more: by default, when the test is finished. */
  readonly whenDone?: (clean: () => unknown) => void;
}

/** A temporary folder that is gone after the test. */
export async function temporaryFolder(
  whenDone: (clean: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'secure-inv-'));
  whenDone(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A real server in this process, on a free port, with certificates of its own, the cheapest allowed passwords, no log. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const whenDone = options.whenDone ?? onTestFinished;
  const folder = await temporaryFolder(whenDone);
  const certs = join(folder, 'certs');
  await ensureCertificates(certs, []);
  let link = '';
  let ahead = 0;
  const startedAt = Date.now();
  const open = async () => {
    const opened = await openDaemon(configFor(folder, options), {
      onLink: (printed) => (link = printed),
      now: () => (options.isClockStopped ? startedAt : Date.now()) + ahead,
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
    reload: () => daemon.reload(),
    turnClock: (milliseconds) => (ahead += milliseconds),
    async restart() {
      await daemon.close();
      daemon = await open();
    },
  };
}

function configFor(folder: string, { mode = 'either', flags = {} }: TestServerOptions) {
  const file = join(folder, 'server.jsonc'); // Not the one that an operator of this clone edits.
  writeFileSync(file, '{}');
  const { problems, loaded } = checkServerConfig({
    file,
    env: {},
    flags: {
      'listen.port': '0',
      store: `sqlite:${join(folder, 'data', 'inventory.db')}`,
      'certs.folder': join(folder, 'certs'),
      'auth.mode': mode,
      'auth.password.memoryKibibytes': '19456',
      'auth.password.passes': '2',
      'log.level': 'silent',
      ...flags,
    },
  });
  if (!loaded) throw new Error(problems.join('\n'));
  return loaded.config;
}
