import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

// Plain code: loading convict would cost every run of the client more time than its own parts do.

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
  return {
    server: env['SECURE_INV_SERVER'] || undefined,
    ca: env['SECURE_INV_CA'] || undefined,
    cert: env['SECURE_INV_CERT'] || undefined,
    key: env['SECURE_INV_KEY'] || undefined,
    passwordFile: env['SECURE_INV_PASSWORD_FILE'] || undefined,
    token: env['SECURE_INV_TOKEN'] || undefined,
    tokenFile: env['SECURE_INV_TOKEN_FILE'] || undefined,
    context: env['SECURE_INV_CONTEXT'] || undefined,
    configFolder: folder(env['XDG_CONFIG_HOME'], '.config'),
    stateFolder: folder(env['XDG_STATE_HOME'], '.local', 'state'),
  };
}
