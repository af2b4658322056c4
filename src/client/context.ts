import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isOpenToOthers, writeFileAtomically } from '../file/private-file.ts';
import { Failure } from '../model/failure.ts';
import { onOwnFile } from './own-file.ts';

/** A server this user knows, by the name `HOST:PORT` unless they chose another. */
export interface Context {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** The server's authority, PEM: trusted since the first contact. */
  readonly ca: string;
  readonly user?: string | undefined;
  /** Files with a client certificate and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

interface ContextFile {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Omit<Context, 'name'>>>;
}

/** What a login left behind, for the next command. `device` outlives a logout. */
export interface Tokens {
  readonly accessToken?: string;
  readonly refreshToken?: string;
  /** RFC 3339. */
  readonly expiresAt?: string;
  readonly device?: string;
  /** Whose login it is. */
  readonly user?: string;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:@[\]-]{0,99}$/;

/**
 * The user's contexts, with the certificates made for them, in the configuration folder; their tokens in the state folder.
 * Failures of all: `storage` for a file or folder that cannot be read or written; `bad-params` for one that is damaged.
 */
export class ContextStore {
  readonly #file: string;
  readonly #certificateFolder: string;
  readonly #stateFolder: string;

  constructor(configFolder: string, stateFolder: string) {
    this.#certificateFolder = join(configFolder, 'certificates');
    this.#file = join(configFolder, 'contexts.json');
    this.#stateFolder = stateFolder;
  }

  async list(): Promise<{ current: string | undefined; contexts: readonly Context[] }> {
    const { current, contexts } = await this.#read();
    return { current, contexts: Object.entries(contexts).map(([name, context]) => ({ name, ...context })) };
  }

  /** The context of this name, or the current one. Failures: `not-found` for a name that is not there. */
  async find(name: string | undefined): Promise<Context | undefined> {
    const { current, contexts } = await this.list();
    const found = contexts.find((context) => context.name === (name ?? current));
    if (!found && name !== undefined) {
      throw new Failure('not-found', `There is no context "${name}".`, { hint: 'See: secure-inv context list' });
    }
    return found;
  }

  /** Adds or replaces a context and makes it the current one. */
  async save({ name, ...context }: Context): Promise<void> {
    if (!namePattern.test(name) || name === '__proto__') {
      throw new Failure('bad-params', `A context's name is made of letters, digits and . _ : @ - (got "${name}").`);
    }
    const { contexts } = await this.#read();
    await this.#write({ current: name, contexts: { ...contexts, [name]: context } });
  }

  /** Adds a context that nobody is logged in to yet. The current one stays, if there is one. */
  async remember({ name, ...context }: Context): Promise<void> {
    const { current = name, contexts } = await this.#read();
    if (contexts[name]) return;
    await this.save({ name, ...context });
    if (current !== name) await this.use(current);
  }

  async use(name: string): Promise<void> {
    await this.find(name);
    await this.#write({ ...(await this.#read()), current: name });
  }

  /** Forgets a context with its tokens. */
  async remove(name: string): Promise<void> {
    await this.find(name);
    const { current, contexts } = await this.#read();
    const { [name]: _removed, ...rest } = contexts;
    await this.#write({ ...(current === undefined || current === name ? {} : { current }), contexts: rest });
    for (const file of [this.#tokenFile(name), this.certificateFile(name)]) {
      await onOwnFile(file, 'written', () => rm(file, { force: true }));
    }
  }

  /** Where the certificate that `cert request` got for this context lies, if it got one. */
  certificateFile(name: string): string {
    return join(this.#certificateFolder, `${encodeURIComponent(name)}.pem`);
  }

  /** Keeps a certificate with its key: in one file, so that they fit each other at every moment. */
  async writeCertificate(name: string, pem: string): Promise<void> {
    await write(this.certificateFile(name), pem);
  }

  /** Has the context show the certificate that it keeps. What else it says, and which one is current, stays. */
  async showCertificate(name: string): Promise<void> {
    const file = this.certificateFile(name);
    const { contexts, ...rest } = await this.#read();
    const context = contexts[name];
    if (!context || (context.cert === file && context.key === file)) return;
    await this.#write({ ...rest, contexts: { ...contexts, [name]: { ...context, cert: file, key: file } } });
  }

  /** Failures: `login-required` when the file is open to others: its tokens may be anybody's. */
  async readTokens(name: string): Promise<Tokens> {
    const file = this.#tokenFile(name);
    const text = await readIfThere(file);
    if (text === undefined) return {};
    if (await onOwnFile(file, 'read', () => isOpenToOthers(file))) {
      throw new Failure('login-required', `${file} holds your login and is open to others.`, {
        hint: `Run: rm ${file} && secure-inv login`,
      });
    }
    return parseOwn<Tokens>(text, file);
  }

  async writeTokens(name: string, tokens: Tokens): Promise<void> {
    await write(this.#tokenFile(name), JSON.stringify(tokens));
  }

  /** A file whose exclusive existence says that somebody is refreshing this context's tokens. */
  async lockFile(name: string): Promise<string> {
    await makeFolder(this.#stateFolder);
    return `${this.#tokenFile(name)}.lock`;
  }

  /** The same for the context's certificate. Another file: renewing it may need a refresh. */
  async certificateLockFile(name: string): Promise<string> {
    await makeFolder(this.#certificateFolder);
    return `${this.certificateFile(name)}.lock`;
  }

  #tokenFile(name: string): string {
    return join(this.#stateFolder, `${encodeURIComponent(name)}.json`);
  }

  async #read(): Promise<ContextFile> {
    const text = await readIfThere(this.#file);
    if (text === undefined) return { contexts: {} };
    const read = parseOwn<ContextFile>(text, this.#file);
    if (!isObject(read.contexts) || !Object.values(read.contexts).every(isObject)) throw damaged(this.#file);
    return read;
  }

  async #write(contexts: ContextFile): Promise<void> {
    await write(this.#file, `${JSON.stringify(contexts, null, 2)}\n`);
  }
}

function readIfThere(file: string): Promise<string | undefined> {
  return onOwnFile(file, 'read', async () => {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

function write(file: string, content: string): Promise<void> {
  return onOwnFile(file, 'written', () => writeFileAtomically(file, content));
}

async function makeFolder(folder: string): Promise<void> {
  await onOwnFile(folder, 'written', () => mkdir(folder, { recursive: true, mode: 0o700 }));
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(file: string): Failure {
  return new Failure('bad-params', `${file} is damaged.`, { hint: `Run: rm ${file}, and log in again.` });
}

/** A file that this program wrote for itself. */
function parseOwn<T>(text: string, file: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(file);
  }
  if (!isObject(value)) throw damaged(file);
  return value as T; // Whoever can write here is the user; a wrong value in it harms only them.
}
