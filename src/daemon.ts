import { createHash, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { Accounts, type Invitation } from './auth/accounts.ts';
import { Allowance } from './auth/allowance.ts';
import type { Authentication } from './auth/authentication.ts';
import type { PresentedCertificate } from './auth/certificate.ts';
import { ClientIssue, type SignForKey } from './auth/client-issue.ts';
import { Identity } from './auth/identity.ts';
import type { KeyRing } from './auth/key-ring.ts';
import { type Rotation, rotateKeys } from './auth/key-rotation.ts';
import { LiveKeyRing } from './auth/live-key-ring.ts';
import { PasswordHasher } from './auth/password.ts';
import { Throttle } from './auth/throttle.ts';
import type { ServerFacts } from './command/command.ts';
import { LiveConfig } from './config/live-config.ts';
import type { ServerConfig } from './config/server-schema.ts';
import { writeFileAtomically } from './file/private-file.ts';
import type { ClientTrust } from './model/client-trust.ts';
import { formatEnrolmentLink } from './model/enrolment-link.ts';
import { Failure } from './model/failure.ts';
import { formatQuantity } from './model/quantity.ts';
import type { AuthMode } from './model/user.ts';
import { Notifier } from './notify/notifier.ts';
import { openOwnSecret, readSecret } from './notify/secret.ts';
import { type Trial, tryWebhooks } from './notify/trial.ts';
import { loadTrust } from './notify/trust.ts';
import { Webhook, webhookKey } from './notify/webhook.ts';
import { checksOf, freeBytes, storeAnswers, storeBytes } from './ops/checks.ts';
import { Clock, describeDivergence } from './ops/clock.ts';
import type { Metrics } from './ops/metrics.ts';
import { adviseNode } from './ops/node-release.ts';
import type { Observed } from './ops/observed.ts';
import type { OpsServer } from './ops/ops-server.ts';
import { Readiness } from './ops/readiness.ts';
import { version } from './package.ts';
import { files, genCerts } from './pki/certificate-file.ts';
import { issueForKey } from './pki/client-issuer.ts';
import { ensureCertificates } from './pki/issue.ts';
import { LiveCertificates } from './pki/live-certificates.ts';
import { loadServerCertificates, type ServerCertificates } from './pki/server-certificates.ts';
import { AuditLog } from './server/audit-log.ts';
import { BoundedLog } from './server/bounded-log.ts';
import { FairShare } from './server/fair-share.ts';
import { ImportRunner } from './server/import-runner.ts';
import { Listener } from './server/listen.ts';
import { type Logger, openLog } from './server/log.ts';
import { describeReload, type Found, replyTo } from './server/reload.ts';
import { openStore } from './store/open.ts';
import type { Store, StoreHealth } from './store/store.ts';

/** A server that is running. */
export interface Daemon {
  readonly port: number;
  /** Whether the store still answers; false after 10 s without a word. */
  isAlive(): Promise<boolean>;
  /** SHA-256 of the server authority, as `openssl x509 -fingerprint -sha256` writes it. */
  readonly fingerprint: string;
  readonly log: Logger;
  /** Calls `onLink` if nobody can administer the server. */
  inviteFirstAdministrator(): Promise<void>;
  /** Takes up what has changed: settings, and certificates and token keys at once. What became of each goes to the log. */
  reload(): Promise<void>;
  /** Finishes what is in flight, closes the store, and resolves. */
  close(): Promise<void>;
}

export interface DaemonOptions {
  /** Takes a fresh enrolment link for the first administrator; again when the one before was spent in vain. */
  readonly onLink: (link: string, expiresAt: number) => void;
  /** Milliseconds since 1970 as the server takes them; without it a clock that no step of the wall clock can move. */
  readonly now?: () => number;
  /** The machine's clock. */
  readonly wall?: () => number;
  /** Reads the configuration again, for a reload. Throws a `ConfigError`. Without it nothing of it changes. */
  readonly readConfig?: () => ServerConfig;
}

/** Wires every part of a server together and serves. Failures: whatever is wrong with files, store or port, as a `Failure`. */
export async function openDaemon(config: ServerConfig, options: DaemonOptions): Promise<Daemon> {
  const { onLink, readConfig = () => config } = options;
  const settings = new LiveConfig(config, readConfig);
  const log = await openLog(config.log);
  const clock = openClock(options);
  const now = () => clock.now();
  const nodeAdvice = adviseNode(process.versions.node);
  if (nodeAdvice) log.warn(nodeAdvice);
  // What was opened is closed in the opposite order, at the end or when something after it cannot be opened.
  const opened = new AsyncDisposableStack();
  try {
    const { created } = await ensureCertificates(config.certs.folder, publicHosts(config));
    if (created) log.info({ folder: config.certs.folder }, 'made certificates');
    const onProblem = (problem: unknown) =>
      problem instanceof Failure
        ? log.error({ hint: problem.details.hint }, problem.message)
        : log.error({ err: problem }, 'cannot look after the certificates and keys');
    const certificates = await LiveCertificates.open(config.certs.folder, now, {
      onProblem,
      onEnding: (file, daysLeft) => log.warn({ file, daysLeft }, 'a certificate or the revocation list ends soon'),
      assertUsable: (loaded) => assertCoversName(config, loaded),
    });
    opened.defer(() => certificates.close());
    const store = await openStore(config.store, { exclusive: true, webhooks: config.notify.webhooks.map(webhookKey) });
    opened.defer(() => store.close());
    const { problem: atStart } = await healthOf(store);
    if (atStart !== null) log.fatal(`${atStart} See: secure-invd doctor`);
    const notifier = await openNotifier(config, store, log, now);
    opened.defer(() => notifier.close());
    const audit = new AuditLog(
      store,
      () => settings.current.audit.days,
      now,
      (error) => log.error({ err: error }, 'cannot audit'),
    );
    opened.defer(() => audit.close());
    const imports = new ImportRunner(store, now, log);
    opened.defer(() => imports.close());
    const keys = await LiveKeyRing.open(keyFile(config), now, {
      onProblem,
      onChange(kid) {
        log.info({ kid }, 'took up changed token keys');
        void audit.note('keys-rotated', `key ${kid} signs`);
      },
    });
    opened.defer(() => keys.close());
    const inviteFirst = () => inviteFirstAdministrator(config, auth.accounts, certificates.current, port, onLink);
    const inviteAgain = () =>
      void inviteFirst().catch((error: unknown) => log.warn({ err: error }, 'cannot make another enrolment link'));
    const clientTrust = () => certificates.current.clientTrust;
    const auth = await openAuthentication(settings, store, log, now, clientTrust, () => keys.current, inviteAgain);
    opened.defer(() => auth.throttle.settle());
    const reloadSettings = (): Found['settings'] => {
      let changed: readonly string[];
      try {
        changed = settings.reload();
      } catch (problem) {
        return { problem };
      }
      if (changed.length === 0) return changed;
      const { auth: changedAuth, log: changedLog } = settings.current;
      log.level = changedLog.level;
      if (changed.some((key) => key.startsWith('auth.password.'))) auth.hasher.configure(changedAuth.password);
      log.info({ keys: changed }, 'took up changed settings');
      void audit.note('config-changed', changed.join(', '));
      return changed;
    };
    const lookAtAll = async (): Promise<Found> => {
      clock.follow();
      const [ofCertificates, ofKeys] = await Promise.all([certificates.reload(), keys.reload()]);
      return { certificates: ofCertificates, keys: ofKeys, settings: reloadSettings() };
    };
    const identify = (source: string, presented: PresentedCertificate | null) => new Identity(auth, source, presented);
    const storeFile = storePath(config);
    const isAlive = () => storeAnswers(store);
    let isStopping = false;
    const certificateEnds = () => certificates.current.ends;
    const vital = vitalFiles(config.auth.mode);
    const readiness = new Readiness(checksOf({ store, storeFile, now, certificateEnds, vital }), () => isStopping);
    const metrics =
      config.ops.port === 0
        ? undefined
        : await openMetrics(store, log, {
            version,
            startedAt: now(),
            now,
            divergence: () => clock.divergence,
            connections: () => listener.crowd,
            hashing: () => auth.hasher.load,
            certificateEnds,
            storeBytes: () => storeBytes(storeFile),
            diskFree: () => freeBytes(storeFile),
            backupAt: async () => (await healthOf(store)).lastBackupAt,
            isReady: () => readiness.isReady(),
          });
    if (metrics) opened.defer(() => metrics.close());
    const server: ServerFacts = {
      version,
      authMode: config.auth.mode,
      startedAt: now(),
      async state() {
        const [{ ends, warnings }, { problem, lastBackupAt }] = await Promise.all([
          certificates.state(),
          healthOf(store),
        ]);
        const others = [problem, describeDivergence(clock.divergence), nodeAdvice].filter((one) => one != null);
        return {
          node: process.versions.node,
          connections: listener.connections,
          config: settings.digest,
          lastBackupAt,
          certificates: ends,
          warnings: [...others, ...warnings, ...(await notifier.warnings())],
        };
      },
      reload: async () => replyTo(await lookAtAll()),
      rollImports: () => imports.wake(),
    };
    const services = {
      store,
      auth,
      identify,
      log,
      shares: new FairShare(),
      longLines: new FairShare(),
      looks: new FairShare(),
      audit,
      server,
      metrics,
    };
    let ops: OpsServer | undefined;
    opened.defer(() => ops?.close()); // After the drain, which is to be seen there.
    const listener = await Listener.open({ ...config.listen, credentials: certificates.current }, services);
    const { port } = listener; // Not to be asked once it has closed, while an enrolment may still be abandoned.
    opened.defer(() => listener.drain());
    if (metrics) {
      const findings = () => readiness.findings();
      const onError = (error: unknown) => log.error({ err: error }, 'cannot answer on ops.port');
      const { OpsServer } = await import('./ops/ops-server.ts'); // Every other server starts without Node's HTTP.
      ops = await OpsServer.open(config.ops.port, { isAlive, findings, metrics, onError });
    }
    opened.defer(
      clock.watch((milliseconds, agrees) => {
        const seconds = Math.round(milliseconds / 1000);
        if (agrees) log.info({ seconds }, "the machine's clock and the server's time agree again");
        else
          log.warn({ seconds }, "the machine's clock was stepped; the server's time goes on as before until a reload");
      }),
    );
    certificates.watch((changed) => {
      listener.renew(changed);
      log.info({ folder: config.certs.folder }, 'took up changed certificates');
      const { serialNumber } = new X509Certificate(changed.cert);
      void audit.note('certificates-changed', `server ${serialNumber}, ${changed.clientTrust.revoked.size} revoked`);
    });
    opened.defer(() => certificates.close()); // Before the store is closed, which it writes to.
    await audit.note('server-started', `version ${version}, auth.mode ${config.auth.mode}`);
    opened.defer(() => audit.note('server-stopped', `version ${version}`));
    log.info({ host: config.listen.host, port, mode: config.auth.mode }, 'listening');
    return {
      port,
      fingerprint: certificates.current.fingerprint,
      log,
      inviteFirstAdministrator: inviteFirst,
      isAlive,
      async reload() {
        const found = await lookAtAll();
        if ('problem' in found.settings) onProblem(found.settings.problem);
        const { level, fields, message } = describeReload(found);
        log[level](fields, message);
      },
      async close() {
        isStopping = true;
        await opened.disposeAsync();
        log.info('stopped');
      },
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** Loaded only where somebody asks for it. */
async function openMetrics(store: Store, log: Logger, observed: Observed): Promise<Metrics> {
  const { Metrics } = await import('./ops/metrics.ts');
  const metrics = new Metrics(observed, (gauge, problem) => log.error({ gauge, err: problem }, 'cannot measure'));
  store.onCommit((writes, seconds, isDone) => metrics.committed(writes, seconds, isDone));
  return metrics;
}

/** The files whose end shuts everybody out. */
function vitalFiles(mode: AuthMode): ReadonlySet<string> {
  const asksForCertificate = mode === 'mutual' || mode === 'both';
  const ofClients = asksForCertificate ? [files.clientAuthority, files.revocationList] : [];
  return new Set([files.server, files.serverAuthority, ...ofClients]);
}

async function openAuthentication(
  settings: LiveConfig,
  store: Store,
  log: Logger,
  now: () => number,
  clientTrust: () => ClientTrust,
  keys: () => KeyRing,
  onEnrolmentAbandoned: () => void,
): Promise<Authentication> {
  const accounts = await Accounts.open(store, now, (error) => log.error({ err: error }, 'cannot read the users again'));
  const config = settings.current;
  return {
    mode: config.auth.mode,
    accounts,
    store,
    now,
    clientTrust,
    clientIssue: new ClientIssue(config.pki.issue, config.auth.mode, signer(config, log), now),
    hasher: new PasswordHasher(config.auth.password),
    keys,
    allowance: new Allowance(now),
    throttle: await Throttle.open(store, now, (error) => log.error({ err: error }, 'cannot keep failed logins')),
    get passwords() {
      return settings.current.auth.password;
    },
    get tokens() {
      return settings.current.auth.token;
    },
    knownWords: ['secure-inv', 'inventory', hostname(), config.listen.name],
    onEnrolmentAbandoned,
    onTheft: ({ id, userId }, source) =>
      log.warn(
        { session: id, user: accounts.byId(userId)?.user, source },
        'login ended: one of its refresh tokens was used a second time, so somebody else may have it',
      ),
  };
}

/** Tells whoever looks after the stock when an item gets low: in the log, and by webhook. Failures: as `checkNotify`. */
async function openNotifier(config: ServerConfig, store: Store, log: Logger, now: () => number): Promise<Notifier> {
  const webhooks = await openWebhooks(config);
  const notifier = new Notifier(
    { webhooks, store, now },
    {
      onFailing: (webhook, reason) => log.warn({ webhook, reason }, 'a webhook does not take messages; they wait'),
      onRecovered: (webhook) => log.info({ webhook }, 'a webhook takes messages again'),
      onTry: (webhook, id, attempt, reason) => log.debug({ webhook, id, attempt, reason }, 'sent to a webhook'),
      onForgotten: (count) => log.error({ count }, 'messages to webhooks were given up: they waited for too long'),
      onError: (error) => log.error({ err: error }, 'cannot look after the messages to webhooks'),
    },
  );
  const lowStock = new BoundedLog(log, 'low stock');
  const givenUp = new BoundedLog(log, 'messages that were given up');
  store.onLowStock(({ movements, dropped }) => {
    for (const { item, location, balance, quantity, lowAt, seq, user } of movements) {
      const shown = {
        balance: formatQuantity(balance),
        quantity: formatQuantity(quantity),
        lowAt: formatQuantity(lowAt),
      };
      lowStock.tell('warn', { item, location, ...shown, seq, user }, 'low stock');
    }
    if (dropped > 0) givenUp.tell('error', { count: dropped }, 'messages to webhooks were given up: too many wait');
    notifier.wake();
  });
  return notifier;
}

async function openWebhooks(config: ServerConfig): Promise<readonly Webhook[]> {
  const { webhooks, secretFile, ca } = config.notify;
  if (webhooks.length === 0) return []; // And no secret is made, and no authority loaded.
  const ownSecret = join(dataFolder(config), 'webhook-secret');
  const secret = secretFile === '' ? await openOwnSecret(ownSecret) : await readSecret(secretFile);
  const trust = await loadTrust(ca);
  return webhooks.map((url) => new Webhook(url, { secret, trust }));
}

/** Looks at the files that webhooks need and that are not the server's to make. Failures: `bad-params` naming the file. */
export async function checkNotify({ notify }: ServerConfig): Promise<void> {
  if (notify.secretFile !== '') await readSecret(notify.secretFile);
  if (notify.ca !== '') await loadTrust(notify.ca);
}

/** Sends every webhook a test message, beside a running server or without one. Failures: `bad-params` (no webhook, a file). */
export async function tryNotify(config: ServerConfig): Promise<readonly Trial[]> {
  if (config.notify.webhooks.length === 0) {
    throw new Failure('bad-params', 'No webhook is configured.', {
      hint: 'List the https URLs of your receivers in notify.webhooks.',
    });
  }
  return tryWebhooks(await openWebhooks(config));
}

/** A store that cannot even say how it is has a problem. */
function healthOf(store: Store): Promise<StoreHealth> {
  return store.health().catch((error: unknown) => ({ problem: String(error), lastBackupAt: null }));
}

/** Issues from the folder of certificates. What is wrong there is for the operator, who finds it in the log. */
function signer(config: ServerConfig, log: Logger): SignForKey {
  return async (user, publicKey, issuedAt) => {
    try {
      const certificate = await issueForKey(config.certs.folder, user, publicKey, issuedAt);
      log.info({ user, serial: certificate.serialNumber }, 'issued a client certificate');
      return certificate;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      log.error({ user, hint: error.details.hint }, `cannot issue a client certificate: ${error.message}`);
      if (error.code === 'conflict') throw error;
      if (error.code === 'busy') throw new Failure('busy', error.message, { retryAfter: 5 });
      throw new Failure('conflict', 'This server cannot issue certificates at the moment.', {
        hint: "Tell the operator: the server's log says why.",
      });
    }
  };
}

function openClock({ now, wall = now }: DaemonOptions): Clock {
  // Somebody else's time needs nobody's monotonic clock.
  return now ? new Clock(wall, () => now()) : new Clock(wall);
}

/** The database's file. */
export function storePath(config: ServerConfig): string {
  return config.store.slice('sqlite:'.length);
}

/** Where the store lies, and beside it what must not be in its backups. */
function dataFolder(config: ServerConfig): string {
  return dirname(storePath(config));
}

/** Beside the store, and in none of its backups. */
export function keyFile(config: ServerConfig): string {
  return join(dataFolder(config), 'token-keys.json');
}

/** On the host, as the owner of the file: a new key for the tokens to come. Failures: as `rotateKeys`. */
export function rotateTokenKeys(config: ServerConfig): Promise<Rotation> {
  return rotateKeys(keyFile(config));
}

/**
 * While nobody can administer the server, gives a fresh link for the first administrator: to whoever sees the server's
 * output, and off a terminal also to a file that only the server's owner can read.
 */
async function inviteFirstAdministrator(
  config: ServerConfig,
  accounts: Accounts,
  certificates: ServerCertificates,
  port: number,
  onLink: DaemonOptions['onLink'],
): Promise<void> {
  const file = join(dataFolder(config), 'enrolment-link');
  if (accounts.hasAdministrator()) {
    await unlink(file).catch(() => undefined); // Most often there is none.
    return;
  }
  const invitation = await accounts.inviteAdministrator(config.auth.firstAdmin);
  const link = formatInvitationLink(config, certificates, port, invitation);
  onLink(link, invitation.expiresAt);
  if (!process.stdout.isTTY) await writeFileAtomically(file, `${link}\n`);
}

/** The names by which other machines may reach this server, the best first. */
function publicHosts({ listen }: ServerConfig): readonly string[] {
  const isEverywhere = listen.host === '0.0.0.0' || listen.host === '::';
  const machine = /^[a-z0-9.-]+$/i.test(hostname()) ? [hostname()] : [];
  return [...(listen.name ? [listen.name] : []), ...(isEverywhere ? machine : [listen.host])];
}

function covers({ cert }: ServerCertificates, host: string): boolean {
  const certificate = new X509Certificate(cert);
  return (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined;
}

/** A link with a name that the certificate lacks would be refused by every client. Failures: `bad-params`. */
export function assertCoversName({ listen, certs }: ServerConfig, certificates: ServerCertificates): void {
  if (listen.name === '' || covers(certificates, listen.name)) return;
  throw new Failure('bad-params', `The server certificate is not for ${listen.name}, which is listen.name.`, {
    hint: `Run: ${genCerts(certs.folder, '--force', '--host', listen.name)}`,
  });
}

/** The link with which an invited user enrolls from any machine that reaches this server. */
function formatInvitationLink(
  config: ServerConfig,
  certificates: ServerCertificates,
  port: number,
  { code }: Invitation,
): string {
  const fingerprint = createHash('sha256').update(certificates.authority.raw).digest('base64url');
  const host = publicHosts(config).find((name) => covers(certificates, name)) ?? 'localhost';
  return formatEnrolmentLink({ host, port, code, fingerprint });
}

/**
 * On the host, as the owner of the store's files: a new link for an administrator who is shut out, whose password and
 * sessions end. Works beside a running server, which takes notice within a second. Failures: `not-found` without a store.
 */
export async function makeAdministratorLink(
  config: ServerConfig,
  user: string,
): Promise<[link: string, until: number]> {
  // Opening would make one, in which nobody is an administrator.
  if (!existsSync(storePath(config))) {
    throw new Failure('not-found', `There is no store ${storePath(config)}.`, {
      hint: 'Correct "store" in the config, or start the server, which prints the first link.',
    });
  }
  const certificates = await loadServerCertificates(config.certs.folder);
  const store = await openStore(config.store, { exclusive: false });
  try {
    const accounts = await Accounts.open(store, Date.now, () => undefined);
    const invitation = await accounts.recoverAdministrator(user);
    return [formatInvitationLink(config, certificates, config.listen.port, invitation), invitation.expiresAt];
  } finally {
    await store.close();
  }
}
