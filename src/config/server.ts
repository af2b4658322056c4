import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import convict from 'convict';
import { closest } from '../model/closest.ts';
import { printable } from '../model/printable.ts';
import { packageFolder } from '../package.ts';
import { clientVariables } from './client.ts';
import { type Given, readConfigFile } from './file.ts';
import { ConfigError, formatGot, formatProblem, type Problem } from './problem.ts';
import { type ServerConfig, serverSchema, serverSettings } from './server-schema.ts';
import { judge, parseSettingText, type Setting } from './setting.ts';

/** Where the server's configuration comes from. */
export interface ConfigSource {
  /** The file that `--config` names; without it config/server.jsonc of this package, which may be missing. */
  readonly file?: string | undefined;
  /** The values of flags, by key: `{ 'listen.port': '7443' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface LoadedServerConfig {
  /** Paths in it are absolute, and the store's file is no link. */
  readonly config: ServerConfig;
  /** The keys that something else than their default decided, what, and where it says so. */
  readonly overrides: readonly Pick<Given, 'key' | 'origin' | 'where'>[];
  /** What is no mistake for certain: sentences. */
  readonly warnings: readonly string[];
  /** The file that was read, or would have been. */
  readonly file: string;
  /** Where relative paths start: the folder above the file's, if that one is called `config`; else the file's own. */
  readonly root: string;
}

const defaultFile = join(packageFolder, 'config', 'server.jsonc');

/** The configuration, flag before environment before file before default. Throws a `ConfigError` with every problem. */
export function loadServerConfig(source: ConfigSource): LoadedServerConfig {
  const { problems, loaded } = checkServerConfig(source);
  if (!loaded) throw new ConfigError(problems);
  return loaded;
}

/** The same, handing the problems back; loaded if there are none. Reads one file and changes nothing. */
export function checkServerConfig(source: ConfigSource): {
  readonly problems: readonly string[];
  readonly loaded?: LoadedServerConfig;
} {
  const file = resolve(source.file ?? defaultFile);
  const read = readConfigFile(file, shownPath(file), source.file === undefined);
  const given = [...read.given];
  const problems = [...read.problems];
  // What a later value overrides must be right all the same.
  for (const text of [...textsInEnvironment(source.env), ...textsInFlags(source.flags ?? {})]) {
    const flaws = judge(text.setting, text.value);
    if (flaws.length === 0) given.push(text);
    for (const { index, value, saying } of flaws) {
      const key = index === undefined ? text.key : `${text.key}[${index}]`;
      problems.push({ ...text, key, problem: saying[0], got: formatGot(value), fix: saying[1] });
    }
  }
  problems.push(...misspeltVariables(source.env));

  // convict is kept from the process's own environment and arguments: it would take "12x" for 12.
  const values = convict<ServerConfig>(serverSchema, { env: {}, args: [] });
  for (const { key, value } of given) values.set(key, value);
  const config: ServerConfig = values.getProperties();
  const decided = new Map(given.map((one) => [one.key, one]));
  if (!problems.some(({ key }) => key.startsWith('auth.token.'))) problems.push(...impossibleLogins(config, decided));
  problems.push(...portTakenTwice(config, decided));
  if (problems.length > 0) return { problems: problems.map(formatProblem) };

  values.validate({ allowed: 'strict' });
  const overrides = [...decided.values()].map(({ key, origin, where }) => ({ key, origin, where }));
  const root = basename(dirname(file)) === 'config' ? dirname(dirname(file)) : dirname(file);
  const warnings = [...strangeVariables(source.env)];
  return { problems: [], loaded: { config: withAbsolutePaths(config, root), overrides, warnings, file, root } };
}

/** The flag that sets a key: `--listen-port` for `listen.port`. */
export function flagName(key: string): string {
  return `--${key.replaceAll('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function shownPath(file: string): string {
  const fromHere = relative('', file);
  return fromHere.startsWith('..') ? file : fromHere;
}

function withAbsolutePaths(config: ServerConfig, root: string): ServerConfig {
  const store = `sqlite:${withoutLink(resolve(root, config.store.slice('sqlite:'.length)))}`;
  const { secretFile, ca } = config.notify;
  const notify = {
    ...config.notify,
    secretFile: secretFile && resolve(root, secretFile),
    ca: ca && resolve(root, ca),
  };
  return { ...config, store, certs: { folder: resolve(root, config.certs.folder) }, notify };
}

/**
 * The file that a link names: lock, log and keys lie beside the store under its name, and under the link's nobody would
 * find them, so that a second server took the same store.
 */
function withoutLink(path: string): string {
  try {
    return lstatSync(path).isSymbolicLink() ? realpathSync(path) : path;
  } catch {
    return path; // It is not there yet, or not for us to see: whoever opens it says so.
  }
}

type GivenText = Given & { readonly setting: Setting };

function* textsInEnvironment(env: ConfigSource['env']): Generator<GivenText> {
  for (const [key, setting] of serverSettings) {
    const value = parseSettingText(setting.rule, env[setting.env]);
    if (value !== undefined) yield { key, setting, value, where: setting.env, origin: 'environment' };
  }
}

function* textsInFlags(flags: Readonly<Record<string, string>>): Generator<GivenText> {
  for (const [key, setting] of serverSettings) {
    const value = parseSettingText(setting.rule, flags[key]);
    if (value !== undefined) yield { key, setting, value, where: flagName(key), origin: 'flag' };
  }
}

/** A variable that is nearly one of ours: a slip in SECURE_INV_AUTH_MODE would silently let more people in. */
function* misspeltVariables(env: ConfigSource['env']): Generator<Problem> {
  for (const [where, given] of unknownVariables(env)) {
    const meant = closest(where, keyOfVariable.keys());
    const key = meant && keyOfVariable.get(meant);
    const problem = 'is not a known variable';
    if (key) yield { where, key, problem, got: formatGot(given), fix: `did you mean ${meant}?` };
  }
}

/** The others: a newer version's, a script's, or meant for us all the same. Their values may be secret. */
function* strangeVariables(env: ConfigSource['env']): Generator<string> {
  for (const [name] of unknownVariables(env)) {
    const end = name.slice(prefix.length - 1);
    const meant = [...keyOfVariable.keys()].find((known) => known.endsWith(end)) ?? closest(name, clientNames);
    const fix = meant ? `did you mean ${meant}?` : 'config/README.md lists every variable';
    yield `${printable(name)} is not a known variable, and is ignored - ${fix}`;
  }
}

const prefix = 'SECURE_INV_';
const keyOfVariable: ReadonlyMap<string, string> = new Map([...serverSettings].map(([key, { env }]) => [env, key]));
/** They are in the environment of whoever works with both. */
const clientNames: ReadonlySet<string> = new Set(Object.values(clientVariables).map(({ env }) => env));

/** What Kubernetes sets beside a service that is called secure-inv. */
const ofService = /^SECURE_INV_(SERVICE_(HOST|PORT)|PORT=(tcp|udp):|PORT_\d+_(TCP|UDP))/;

function unknownVariables(env: ConfigSource['env']): readonly (readonly [name: string, given: string])[] {
  return Object.entries(env).flatMap(([name, given]) => {
    if (given === undefined || !name.startsWith(prefix) || keyOfVariable.has(name) || clientNames.has(name)) return [];
    return ofService.test(`${name}=${given}`) ? [] : [[name, given] as const];
  });
}

function* impossibleLogins({ auth: { token } }: ServerConfig, decided: Map<string, Given>): Generator<Problem> {
  const hoursMax = token.refreshDays * 24;
  const given = decided.get('auth.token.refreshIdleHours'); // Its default is below every allowed refreshDays.
  if (!given || token.refreshIdleHours <= hoursMax) return;
  const problem = `must not be longer than auth.token.refreshDays, ${hoursMax} hours`;
  const fix = `write ${hoursMax} or less, or more refreshDays`;
  yield { where: given.where, key: given.key, problem, got: formatGot(given.value), fix };
}

/** Where ops.port listens, too. */
const withLoopback: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '0.0.0.0', '::']);

function* portTakenTwice({ listen, ops }: ServerConfig, decided: Map<string, Given>): Generator<Problem> {
  const given = decided.get('ops.port'); // Its default is none.
  if (!given || ops.port === 0 || ops.port !== listen.port || !withLoopback.has(listen.host)) return;
  const problem = 'must not be listen.port, which is taken on 127.0.0.1 by then';
  yield {
    where: given.where,
    key: given.key,
    problem,
    got: formatGot(given.value),
    fix: 'write another, or 0 for none',
  };
}
