import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '../../src/model/user.ts';
import { type LogOptions, type ServerProcess, startProcess } from '../fault/server-process.ts';
import { temporaryFolder } from '../support/server.ts';
import { enrollAdministrator, WireClient } from '../support/wire-client.ts';

/** A machine of this test bench, and the API token with which it works. */
export interface Machine {
  readonly user: string;
  readonly token: string;
}

/** A server in a process of its own, whose users have API tokens: those outlive kills, rotations and any length of a run. */
export class LoadedServer {
  readonly folder: string;
  readonly #options: LogOptions;
  readonly #remove: () => Promise<void>;
  /** Whoever stops a long run leaves no server behind. */
  readonly #abandon = () => {
    this.#process.signal('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  };
  #process: ServerProcess;
  #administrator: string | undefined;

  private constructor(folder: string, started: ServerProcess, options: LogOptions, remove: () => Promise<void>) {
    this.folder = folder;
    this.#process = started;
    this.#options = options;
    this.#remove = remove;
    process.once('exit', this.#abandon);
  }

  static async open(options: LogOptions = {}): Promise<LoadedServer> {
    const cleanings: (() => Promise<void>)[] = [];
    const folder = await temporaryFolder((clean) => cleanings.push(clean));
    return new LoadedServer(folder, await startProcess(folder, true, options), options, async () => {
      for (const clean of cleanings) await clean();
    });
  }

  get process(): ServerProcess {
    return this.#process;
  }

  /** Where `gen-certs` and the rotation of keys find its files. */
  get certs(): string {
    return join(this.folder, 'certs');
  }

  /** Has the administrator add a user of this role for each name; the first time, enrolls the administrator. */
  async populate(names: readonly string[], role: Role = 'clerk'): Promise<readonly Machine[]> {
    return this.converse(async (administrator) => {
      await this.#administer(administrator);
      const machines: Machine[] = [];
      for (const user of names) {
        await administrator.ask('user.add', { user, role });
        const made = await administrator.ask('token.create', { name: user, role, user });
        machines.push({ user, token: String(made?.result?.['token'] ?? complain(made)) });
      }
      return machines;
    });
  }

  /** Makes these locations; whoever is named for one is limited to it. */
  async furnish(locations: Readonly<Record<string, string | undefined>>): Promise<void> {
    await this.converse(async (administrator) => {
      await this.#administer(administrator);
      for (const [location, user] of Object.entries(locations)) {
        await administrator.ask('location.add', { location });
        if (user !== undefined) await administrator.ask('user.limit', { user, locations: [location] });
      }
    });
  }

  /** Has the administrator invite somebody, who is to enrol with this code. */
  async invite(user: string, role: Role = 'clerk'): Promise<string> {
    return this.converse(async (administrator) => {
      await this.#administer(administrator);
      const added = await administrator.ask('user.add', { user, role });
      return String(added?.result?.['code'] ?? complain(added));
    });
  }

  async #administer(client: WireClient): Promise<void> {
    if (this.#administrator !== undefined) {
      await client.ask('authenticate', { token: this.#administrator });
      return;
    }
    const { link } = this.#process;
    if (!link) throw new Error('The server printed no link.');
    const granted = await enrollAdministrator({ ...this.#process, link: () => link }, client);
    this.#administrator = granted['accessToken'];
  }

  /** kill -9, and a new start on the same files. */
  async killAndStart(): Promise<void> {
    await this.#process.kill();
    this.#process = await startProcess(this.folder, false, this.#options);
  }

  /** Does something on a connection that is closed afterwards. */
  async converse<T>(use: (client: WireClient) => Promise<T>): Promise<T> {
    const cleanings: (() => void)[] = [];
    try {
      return await use(await WireClient.open(this.#process, {}, (clean) => cleanings.push(clean)));
    } finally {
      for (const clean of cleanings) clean();
    }
  }

  async close(): Promise<void> {
    process.off('exit', this.#abandon);
    await this.#process.kill();
    await this.#remove();
  }
}

function complain(reply: unknown): never {
  throw new Error(`There is no such user: ${JSON.stringify(reply)}`);
}
