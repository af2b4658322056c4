import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

// Plain code: loading convict would cost every run of the client more time than its own parts do.

/** A variable of the client's. */
export interface ClientVariable {
  readonly env: string;
  /** The option that says the same, and wins. */
  readonly option?: string;
  readonly doc: string;
}

/** The client's variables, by what they set. */
export const clientVariables = {
  server: {
    env: 'SECURE_INV_SERVER',
    option: '--server',
    doc: 'The server: HOST or HOST:PORT. Left out: that of the current context, and before any login `127.0.0.1:7443`.',
  },
  ca: {
    env: 'SECURE_INV_CA',
    option: '--ca',
    doc: 'A file (PEM) with the authority to trust there. Left out: the one that the context trusts.',
  },
  cert: { env: 'SECURE_INV_CERT', option: '--cert', doc: 'A file (PEM) with the client certificate to show.' },
  key: { env: 'SECURE_INV_KEY', option: '--key', doc: 'A file (PEM) with the key of that certificate.' },
  context: {
    env: 'SECURE_INV_CONTEXT',
    option: '--context',
    doc: 'The context to use instead of the current one, as `secure-inv context list` shows it.',
  },
  tokenFile: {
    env: 'SECURE_INV_TOKEN_FILE',
    doc: 'A file with an API token, which is used instead of the saved login.',
  },
  token: {
    env: 'SECURE_INV_TOKEN',
    doc: 'The API token itself, where there can be no file: other programs of the account can read it. It wins.',
  },
  passwordFile: {
    env: 'SECURE_INV_PASSWORD_FILE',
    doc: 'A file whose first line is the password for `login` and `enroll`.',
  },
} as const satisfies Readonly<Record<string, ClientVariable>>;

/** What the environment tells the client. A variable that is empty counts as not set. */
export interface ClientEnvironment {
  /** HOST or HOST:PORT, as given. */
  readonly server: string | undefined;
  /** Files, as given: relative to the working folder. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly passwordFile: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly context: string | undefined;
  /** The locale's characters are UTF-8's (POSIX: the first of the three that is set). */
  readonly isUnicode: boolean;
  /** The client's own folders, absolute; they may not exist yet. */
  readonly configFolder: string;
  readonly stateFolder: string;
}

/** Reads the client's variables (`SECURE_INV_…`) and folders (XDG Base Directory Specification 0.8). */
export function loadClientEnvironment(env: Readonly<Record<string, string | undefined>>): ClientEnvironment {
  const home = env['HOME'] && isAbsolute(env['HOME']) ? env['HOME'] : homedir();
  // That specification demands that a relative path is ignored.
  const folder = (given: string | undefined, ...otherwise: string[]) =>
    join(given && isAbsolute(given) ? given : join(home, ...otherwise), 'secure-inv');
  const given = (name: keyof typeof clientVariables) => env[clientVariables[name].env] || undefined;
  return {
    server: given('server'),
    ca: given('ca'),
    cert: given('cert'),
    key: given('key'),
    passwordFile: given('passwordFile'),
    token: given('token'),
    tokenFile: given('tokenFile'),
    context: given('context'),
    isUnicode: /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''),
    configFolder: folder(env['XDG_CONFIG_HOME'], '.config'),
    stateFolder: folder(env['XDG_STATE_HOME'], '.local', 'state'),
  };
}
