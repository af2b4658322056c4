import { hello } from '../../command/hello.ts';
import { logout } from '../../command/logout.ts';
import { whoami } from '../../command/whoami.ts';
import { Failure } from '../../model/failure.ts';
import { daysUntil, keepCertificate, readFacts, renewalTime, requestCertificate } from '../certificate.ts';
import { findTarget, openSession, readCertificate } from '../target.ts';
import { examplesText, type Shell, say, subcommand } from './shell.ts';

/** `cert`: a client certificate from the server, for a key that is made here and stays here. */
export function addCert(shell: Shell): void {
  subcommand(
    shell.program,
    ['cert', 'request'],
    'Get a client certificate from the server; this context shows it from then on.',
  )
    .addHelpText('after', examplesText(['secure-inv cert request']))
    .action(() => request(shell));
  subcommand(shell.program, ['cert', 'show'], 'Show whose certificate this context has, and how long it is good.')
    .addHelpText('after', examplesText(['secure-inv cert show', 'secure-inv cert show --json']))
    .action(() => show(shell));
}

async function request(shell: Shell): Promise<void> {
  const options = shell.options();
  const { store, context } = await findTarget(options);
  if (!context) {
    throw new Failure('login-required', 'You are not logged in to any server.', { hint: 'Run: secure-inv login' });
  }
  const { session } = await openSession(options);
  try {
    const { user } = await session.call(whoami, {});
    if (context.user !== undefined && context.user !== user) {
      const message = `The context ${context.name} is ${context.user}'s, and you are ${user} here.`;
      throw new Failure('conflict', message, { hint: 'Leave out --cert and SECURE_INV_TOKEN.' });
    }
    const { authMode } = await session.call(hello, {});
    const made = await requestCertificate((command, params) => session.call(command, params), user);
    await keepCertificate({ store, context: context.name }, made);
    await store.showCertificate(context.name);
    if (authMode !== 'both') {
      // Who shows a certificate is not asked for a login, which would only be one more thing that ends.
      await session.call(logout, {}).catch(() => undefined); // It ends by itself some day.
      const { device } = await store.readTokens(context.name);
      await store.writeTokens(context.name, device === undefined ? {} : { device });
    }
    const how = authMode === 'both' ? 'beside your login' : 'instead of a login';
    say(
      shell,
      `${context.name} knows you as ${user} by certificate ${how}, until ${made.expiresAt}. Commands renew it in time.`,
      { user, serial: made.serial, expiresAt: made.expiresAt, context: context.name },
    );
  } finally {
    await session.close();
  }
}

async function show(shell: Shell): Promise<void> {
  const options = shell.options();
  const { store, context } = await findTarget(options);
  const shown = await readCertificate(options, context);
  if (!shown) {
    throw new Failure(
      'not-found',
      `${context ? `The context ${context.name}` : 'This account'} shows no certificate.`,
      {
        hint: 'Run: secure-inv cert request, or name one: --cert FILE --key FILE',
      },
    );
  }
  const facts = readFacts(shown.cert);
  if (!facts) {
    throw new Failure('bad-params', 'This is not the certificate of a user of secure-inv.', {
      hint: 'See: secure-inv context list',
    });
  }
  const now = Date.now();
  const { user, serial } = facts;
  const daysLeft = daysUntil(facts.to, now);
  const expiresAt = new Date(facts.to).toISOString();
  const isKept = options.cert === undefined && context?.cert === store.certificateFile(context?.name ?? '');
  const state = now >= facts.to ? `ended on ${expiresAt}` : `${daysLeft} days left, until ${expiresAt}`;
  const renewal =
    isKept && now < facts.to ? ` Commands renew it from ${new Date(renewalTime(facts)).toISOString()} on.` : '';
  say(shell, `${user}: certificate ${serial.toUpperCase()}, ${state}.${renewal}`, {
    user,
    serial,
    expiresAt,
    daysLeft,
  });
}
