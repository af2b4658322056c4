import { Failure } from '../model/failure.ts';
import { compareConfigs, digestOf } from './change.ts';
import { ConfigError } from './problem.ts';
import type { ServerConfig } from './server-schema.ts';

/** The configuration of a running server: read again when somebody asks for it, and taken up as a whole or not at all. */
export class LiveConfig {
  readonly #read: () => ServerConfig;
  #current: ServerConfig;

  /** `read` throws a `ConfigError` for what is wrong. */
  constructor(started: ServerConfig, read: () => ServerConfig) {
    this.#current = started;
    this.#read = read;
  }

  /** What holds now. */
  get current(): ServerConfig {
    return this.#current;
  }

  get digest(): string {
    return digestOf(this.#current);
  }

  /**
   * Takes up what was changed, and gives the keys of it. Failures: `conflict` when it is not allowed, or when something
   * of it needs a restart: a server with half of a change is one that nobody has configured.
   */
  reload(): readonly string[] {
    const next = this.#readAgain();
    const { live, restart } = compareConfigs(this.#current, next);
    if (restart.length > 0) {
      const also = live.length > 0 ? ` Changed as well: ${live.join(', ')}.` : '';
      const message = `Only a restart takes up: ${restart.join(', ')}.${also} All settings in use stay.`;
      throw new Failure('conflict', message, { hint: 'Restart the server, or change these back and reload.' });
    }
    this.#current = next;
    return live;
  }

  #readAgain(): ServerConfig {
    try {
      return this.#read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const message = `The configuration is wrong: ${error.problems.join('; ')}. All settings in use stay.`;
      throw new Failure('conflict', message, { hint: 'Where the server runs: npx secure-invd config check' });
    }
  }
}
