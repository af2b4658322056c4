import { createHash } from 'node:crypto';
import { type ServerConfig, serverSettings } from './server-schema.ts';

/** The keys in which two configurations differ, by what takes up a change of them. */
export interface ConfigChange {
  readonly live: readonly string[];
  readonly restart: readonly string[];
}

/** Compares a configuration with the one that it is to replace. */
export function compareConfigs(before: ServerConfig, after: ServerConfig): ConfigChange {
  const old = valuesOf(before);
  // As text, because some values are lists.
  const isSame = (key: string, value: unknown) => JSON.stringify(old.get(key)) === JSON.stringify(value);
  const changed = [...valuesOf(after)].flatMap(([key, value]) => (isSame(key, value) ? [] : [key]));
  const takenUpBy = (reload: 'live' | 'restart') => changed.filter((key) => serverSettings.get(key)?.reload === reload);
  return { live: takenUpBy('live'), restart: takenUpBy('restart') };
}

/** What tells whether a server runs with the configuration that one sees: the same for the same values of all keys. */
export function digestOf(config: ServerConfig): string {
  const text = JSON.stringify([...valuesOf(config)]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Every value by its key, in the order of the schema. */
export function valuesOf(config: ServerConfig): ReadonlyMap<string, unknown> {
  return new Map([...serverSettings.keys()].map((key) => [key, valueAt(config, key)]));
}

function valueAt(config: ServerConfig, key: string): unknown {
  return key.split('.').reduce<unknown>((group, name) => {
    const entry = Object.entries(group ?? {}).find(([known]) => known === name);
    return entry?.[1];
  }, config);
}
