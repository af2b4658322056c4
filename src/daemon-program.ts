import { existsSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { digestOf, valuesOf } from './config/change.ts';
import { ConfigError } from './config/problem.ts';
import { checkServerConfig, flagName, type LoadedServerConfig, loadServerConfig } from './config/server.ts';
import { type ServerConfig, serverSettings } from './config/server-schema.ts';
import {
  assertCoversName,
  checkNotify,
  type Daemon,
  keyFile,
  makeAdministratorLink,
  openDaemon,
  rotateTokenKeys,
  storePath,
  tryNotify,
} from './daemon.ts';
import { type Diagnosis, formatDiagnoses, isHealthy } from './doctor/diagnosis.ts';
import { unknownCommand } from './model/closest.ts';
import { Failure } from './model/failure.ts';
import { Supervisor } from './ops/supervisor.ts';
import { version } from './package.ts';
import { hasCertificates } from './pki/issue.ts';
import { loadServerCertificates } from './pki/server-certificates.ts';
import { assertCanListen } from './server/listen.ts';
import { damageWarning } from './store/store.ts';
import { addStoreCommands } from './store-program.ts';

/** A terminal's Ctrl-C reaches us twice, once through npm: a second signal means impatience only after this time. */
const impatienceMilliseconds = 1000;

/** The command line of `secure-invd`. */
export async function run(argv: readonly string[]): Promise<void> {
  const program = new Command('secure-invd')
    .description('The server of secure-inv. Without a command it serves until it is told to stop.')
    .version(version)
    .option('--config <file>', 'read this file instead of config/server.jsonc')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'secure-invd: ')) })
    .exitOverride()
    .action(() => {
      const [word] = program.args;
      const known = program.commands.map((command) => command.name());
      if (word !== undefined) throw unknownCommand(word, known, 'npx secure-invd --help');
      return serve(program);
    });
  for (const [key, setting] of serverSettings) {
    program.option(`${flagName(key)} <value>`, `${setting.doc} (${setting.allowed})`);
  }
  program.addHelpText('after', '\nExamples:\n  secure-invd\n  secure-invd --listen-port 7444 --log-level debug');
  const config = program.command('config').description('Work with the configuration.');
  config
    .command('check')
    .description('Check the configuration and the files it names, and change nothing.')
    .addHelpText('after', '\nExample:\n  secure-invd config check')
    .action(() => check(program));
  config
    .command('show')
    .description(
      'Print every setting as it would hold, and the digest that "secure-inv server status" shows of its own.',
    )
    .option('--origin', 'also say where each comes from')
    .addHelpText('after', '\nExamples:\n  secure-invd config show\n  secure-invd config show --origin')
    .action(({ origin }: { origin?: boolean }) => show(program, origin));
  program
    .command('doctor')
    .description('Look at files, certificates, store, clock, disk and ports, say what to do, and change nothing.')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExit status: 0 nothing is wrong (there may be warnings), 1 something is.\n\nExamples:\n  secure-invd doctor\n  secure-invd doctor --json --config /etc/secure-inv/server.jsonc',
    )
    .action(({ json }: { json?: boolean }) => examine(program, json === true));
  program
    .command('admin-link')
    .description(
      "Print a new enrolment link for an administrator who is shut out; that user's password and logins end.",
    )
    .argument('[user]', 'the administrator (default: auth.firstAdmin)')
    .addHelpText('after', '\nExamples:\n  secure-invd admin-link\n  secure-invd admin-link alice')
    .action(async (user: string | undefined) => printAdministratorLink(load(program), user));
  const keys = program.command('keys').description('Work with the keys that sign the tokens of logins.');
  keys
    .command('rotate')
    .description('Sign tokens with a new key from now on; nobody is logged out, and a running server goes on.')
    .addHelpText(
      'after',
      '\nExamples:\n  secure-invd keys rotate\n  secure-invd keys rotate --config /etc/secure-inv/server.jsonc',
    )
    .action(async () => printRotation(load(program)));
  addStoreCommands(program, () => load(program).store);
  const notify = program.command('notify').description('Work with the webhooks that are told of low stock.');
  notify
    .command('test')
    .description('Send a test message to every webhook, signed as all are, and tell whether it was taken.')
    .addHelpText('after', '\nExample:\n  secure-invd notify test')
    .action(async () => printTrials(load(program)));
  // A word that is no command is refused as one; those of a command are its own, which is why this comes last.
  program.allowExcessArguments();
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = explain(error);
  }
}

function source(program: Command) {
  const options: Record<string, string> = program.opts();
  const camel = (flag: string) => flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const flags: Record<string, string> = {};
  for (const key of serverSettings.keys()) {
    const value = options[camel(flagName(key))];
    if (value !== undefined) flags[key] = value;
  }
  return { file: options['config'], flags, env: process.env };
}

function load(program: Command): ServerConfig {
  return loadServerConfig(source(program)).config;
}

async function serve(program: Command): Promise<void> {
  const { config, overrides, warnings } = loadServerConfig(source(program));
  const daemon = await openDaemon(config, { onLink: printLink, readConfig: () => load(program) });
  for (const { key, origin } of overrides) {
    if (origin !== 'file') daemon.log.info({ key, origin }, 'the configuration file is overridden');
  }
  for (const warning of warnings) daemon.log.warn(warning);
  process.stdout.write(
    [
      `secure-inv ${version} is listening on ${config.listen.host}:${daemon.port} (TLS 1.3, auth.mode ${config.auth.mode}, pid ${process.pid}).`,
      `Server authority, SHA-256: ${daemon.fingerprint}`,
      '',
    ].join('\n'),
  );
  const supervisor = new Supervisor(process.env, (problem) =>
    daemon.log.warn({ err: problem }, 'cannot tell systemd how the server is'),
  );
  logWarnings(daemon);
  obeySignals(daemon, supervisor);
  supervisor.watch(() => daemon.isAlive());
  void supervisor.tell('ready');
  await daemon.inviteFirstAdministrator();
}

/** What is warned of, such as a full disk, is an event like others: a line of the log with its time and level. */
function logWarnings({ log }: Daemon): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log[name === damageWarning ? 'fatal' : 'warn'](message));
}

function printLink(link: string, expiresAt: number): void {
  const until = new Date(expiresAt).toISOString().slice(11, 16);
  process.stdout.write(
    `Nobody can administer this server yet. In another terminal, before ${until} UTC, set your password:\n  npx secure-inv enroll '${link}'\n`,
  );
}

function obeySignals(daemon: Daemon, supervisor: Supervisor): void {
  let since: number | undefined;
  const stop = (signal: NodeJS.Signals) => {
    if (since !== undefined) {
      if (performance.now() - since > impatienceMilliseconds) process.exit(1);
      return;
    }
    since = performance.now();
    daemon.log.info({ signal }, 'stopping');
    const told = supervisor.tell('stopping');
    Promise.all([told, daemon.close()]).then(
      () => process.exit(0),
      (error: unknown) => {
        daemon.log.fatal({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // Left to Node, this signal opens a debugger's port, through which every account of the machine reads all secrets.
  process.on('SIGUSR1', () => daemon.log.warn('ignored the signal SIGUSR1: no debugger here'));
  // The terminal was closed. Without one (nohup, systemd) the signal asks to take up what was changed.
  const onTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on('SIGHUP', onTerminal ? stop : () => void reload(daemon, supervisor));
}

async function reload(daemon: Daemon, supervisor: Supervisor): Promise<void> {
  void supervisor.tell('reloading');
  await daemon.reload();
  void supervisor.tell('ready');
}

async function check(program: Command): Promise<void> {
  const { problems, loaded } = checkServerConfig(source(program));
  if (!loaded) throw new ConfigError(problems);
  const { folder } = loaded.config.certs;
  const isFirst = !(await hasCertificates(folder));
  if (!isFirst) assertCoversName(loaded.config, await loadServerCertificates(folder));
  await checkNotify(loaded.config);
  const isThere = existsSync(loaded.file);
  process.stdout.write(`${loaded.file} ${isThere ? 'is right' : 'does not exist: the defaults hold'}.\n`);
  process.stdout.write(
    isFirst
      ? `${folder} has no certificates yet: the first start makes new ones, which no client trusts so far.\n`
      : `The certificates in ${folder} are right.\n`,
  );
  await assertCanListen(loaded.config.listen.host, loaded.config.listen.port).catch((error: unknown) => {
    // The operator checks before a restart, so this is most often the server that is to be restarted.
    if (!(error instanceof Failure) || error.code !== 'conflict') throw error;
    process.stdout.write(`Port ${loaded.config.listen.port} is in use: by this server, if it is running.\n`);
  });
  for (const { key, origin } of loaded.overrides) {
    if (origin !== 'file') process.stdout.write(`${key} is set by ${origin}.\n`);
  }
  for (const warning of loaded.warnings) process.stdout.write(`Warning: ${warning}\n`);
}

function show(program: Command, withOrigin = false): void {
  const { config, overrides } = loadServerConfig(source(program));
  const given = new Map(overrides.map((one) => [one.key, one]));
  const rows = [...valuesOf(config)].map(
    ([key, value]) => [key, JSON.stringify(value), originOf(given.get(key))] as const,
  );
  const widthOf = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  for (const [key, value, origin] of rows) {
    const line = `${key.padEnd(widthOf(0))}  ${withOrigin ? `${value.padEnd(widthOf(1))}  ${origin}` : value}`;
    process.stdout.write(`${line}\n`);
  }
  process.stdout.write(`\nDigest: ${digestOf(config)}\n`);
}

/** The file by line and column, the environment and flags by name. */
function originOf(given: LoadedServerConfig['overrides'][number] | undefined): string {
  if (!given) return 'default';
  return given.origin === 'flag' ? `argument ${given.where}` : `${given.origin} ${given.where}`;
}

async function examine(program: Command, asJson: boolean): Promise<void> {
  // Imported here, because it is for nobody who only starts the server.
  const { diagnose } = await import('./doctor/doctor.ts');
  const diagnoses: Diagnosis[] = [];
  const wiring = { storePath, keyFile, assertCoversName, checkNotify };
  for await (const one of diagnose(source(program), wiring)) diagnoses.push(one);
  const healthy = isHealthy(diagnoses);
  process.stdout.write(asJson ? `${JSON.stringify({ healthy, diagnoses })}\n` : formatDiagnoses(diagnoses));
  if (!healthy) process.exitCode = 1;
}

async function printAdministratorLink(config: ServerConfig, user = config.auth.firstAdmin): Promise<void> {
  if (config.listen.port === 0) {
    throw new Failure('bad-params', 'listen.port is 0, so the port that the server took is not known here.', {
      hint: 'Add it: secure-invd admin-link --listen-port PORT',
    });
  }
  const [link, expiresAt] = await makeAdministratorLink(config, user);
  const until = new Date(expiresAt).toISOString();
  process.stdout.write(
    `${user} sets a new password with this link, once, before ${until}:\n  secure-inv enroll '${link}'\n`,
  );
}

async function printRotation(config: ServerConfig): Promise<void> {
  const { kid, replaced, until } = await rotateTokenKeys(config);
  process.stdout.write(
    [
      `From now on the key ${kid} signs. A running server takes it up within a second.`,
      `Tokens that ${replaced} has signed are good until they end, ${new Date(until).toISOString()} at the latest.`,
      '',
    ].join('\n'),
  );
}

async function printTrials(config: ServerConfig): Promise<void> {
  const trials = await tryNotify(config);
  for (const [at, { host, outcome }] of trials.entries()) {
    const how = outcome.isDelivered ? 'has taken the message' : `has not taken the message: ${outcome.reason}`;
    process.stdout.write(`notify.webhooks[${at}] (${host}) ${how}.\n`);
  }
  const failed = trials.filter(({ outcome }) => !outcome.isDelivered).length;
  if (failed === 0) return;
  throw new Failure('unreachable', `${failed} of ${trials.length} webhooks cannot be told of low stock.`, {
    hint: 'See to the receiver, or correct notify.webhooks and notify.ca; src/wire/README.md says what a receiver answers.',
  });
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong, but not what there is.
    if (error.exitCode !== 0) process.stderr.write('hint: See: npx secure-invd --help\n');
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    process.stderr.write(`secure-invd: ${error.message}\n`);
    return 1;
  }
  if (error instanceof Failure) {
    process.stderr.write(`secure-invd: ${error.message}\n`);
    if (error.details.hint) process.stderr.write(`hint: ${error.details.hint}\n`);
    return 1;
  }
  throw error;
}
