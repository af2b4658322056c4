// The command line of src/pki: makes, lists and revokes the certificates of a server and of its clients.
import { Command, Option } from 'commander';
import { askHidden, isInteractive, readPasswordsFromInput } from '../src/client/terminal.ts';
import { loadServerConfig } from '../src/config/server.ts';
import { unknownCommand } from '../src/model/closest.ts';
import { Failure } from '../src/model/failure.ts';
import { certificateWarningDays, passwordCharactersMin } from '../src/model/limits.ts';
import { files, formatPath, formatTime, genCerts, readCertificates } from '../src/pki/certificate-file.ts';
import { assertBundlePassword, hasClientCertificate, makeClientBundle } from '../src/pki/client-bundle.ts';
import {
  type ClientCertificate,
  clientFiles,
  makeClientCertificate,
  renewClientCertificate,
} from '../src/pki/client-certificate.ts';
import { hostsOf } from '../src/pki/host.ts';
import { makeServerCertificates } from '../src/pki/issue.ts';
import { type ListedFile, listCertificates } from '../src/pki/listing.ts';
import { renewServer } from '../src/pki/renewal.ts';
import { type RevocationResult, revoke } from '../src/pki/revocation.ts';

interface Options {
  readonly folder: string;
  readonly host?: readonly string[];
  readonly force?: boolean;
  readonly newAuthority?: boolean;
  readonly newRevocationList?: boolean;
  readonly json?: boolean;
  readonly p12?: boolean;
  readonly passwordStdin?: boolean;
  readonly rekey?: boolean;
}

const print = (...lines: readonly string[]): unknown => process.stdout.write(`${lines.join('\n')}\n`);

function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  );
}

const day = (row: ListedFile): string => row.notAfter?.slice(0, 10) ?? '-';

/** What an operator compares and writes down. */
async function printServer(folder: string): Promise<void> {
  const rows = (await listCertificates(folder)).filter(({ purpose }) => purpose !== 'client');
  print('', ...formatTable(rows.map((row) => [row.file, row.purpose, `until ${day(row)}`])));
  const [certificate] = await readCertificates(folder, files.server);
  print(
    '',
    `The server's hosts: ${hostsOf(certificate)
      .map(({ name }) => name)
      .join(', ')}`,
  );
  print('SHA-256 fingerprints:');
  for (const { file, fingerprint } of rows) if (fingerprint) print(`  ${file}`, `    ${fingerprint}`);
}

async function makeServer(options: Options): Promise<void> {
  const { folder, host: hosts = [], force, newAuthority, newRevocationList } = options;
  const made = await makeServerCertificates(folder, { hosts, force, newAuthority, newRevocationList });
  print(made.length > 0 ? `Made in ${folder}: ${made.join(', ')}` : `Nothing is missing in ${folder}.`);
  await printServer(folder);
  if (newAuthority)
    print('', 'Client certificates made before are void, and every client must trust the new authority.');
  print(
    '',
    'Next: npm start (a server that runs takes the files up by itself)',
    `      ${genCerts(folder, 'client', 'NAME')} (a user who needs no password)`,
  );
}

/** A new password for the file: from standard input, or typed twice, unseen. */
async function readBundlePassword(file: string, fromInput = false): Promise<string> {
  if (fromInput) {
    const [password = ''] = await readPasswordsFromInput(1);
    assertBundlePassword(password);
    return password;
  }
  if (!isInteractive()) {
    throw new Failure('bad-params', `Nobody is here to choose a password for ${file}.`, {
      hint: 'Off a terminal, give it as the first line of standard input, with --password-stdin.',
    });
  }
  for (;;) {
    const password = await askHidden(`New password for ${file} (${passwordCharactersMin} characters or more): `);
    try {
      assertBundlePassword(password);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      process.stderr.write(`${error.message} ${error.details.hint ?? ''}\n`);
      continue;
    }
    if ((await askHidden('Once more: ')) === password) return password;
    process.stderr.write('These are not the same. Try again.\n');
  }
}

const keyRemark = {
  new: (user: string) => `(secret: whoever has it is ${user})`,
  kept: () => '(as before)',
  elsewhere: () => '(not here; the one that the certificate had before)',
} as const;

function printClient(user: string, made: ClientCertificate, folder: string): void {
  const shown = (file: string): string => formatPath(folder, file);
  print(
    ...formatTable([
      ['certificate:', shown(made.certificateFile)],
      ['key:', `${shown(made.keyFile)} ${keyRemark[made.key](user)}`],
      ['serial:', made.serial],
    ]),
  );
  // To revoke one of two that share a key takes nothing from who has the key.
  if (made.key === 'new' && made.replaced && made.replaced.expiresAt > Date.now()) {
    print(
      `The one it replaces is still good until ${formatTime(made.replaced.expiresAt)}. To end it:`,
      `  ${genCerts(folder, 'revoke', made.replaced.serial)}`,
    );
  }
}

async function makeBundle(user: string, password: string, { folder }: Options): Promise<void> {
  const file = formatPath(folder, await makeClientBundle(folder, user, password));
  print(
    `Made ${file}: certificate and key of ${user}, and the authority, encrypted with the password.`,
    '',
    `Next: import ${file} where ${user} works, tell the password by another way, then delete the file.`,
  );
}

async function makeClient(user: string, options: Options): Promise<void> {
  const { folder, force, p12, passwordStdin } = options;
  if (passwordStdin && !p12) {
    throw new Failure('bad-params', 'Only a PKCS #12 file has a password.', { hint: 'Add --p12.' });
  }
  const isThere = await hasClientCertificate(folder, user);
  const bundle = formatPath(folder, clientFiles(user).bundleFile);
  const password = p12 ? await readBundlePassword(bundle, passwordStdin) : undefined;
  if (password !== undefined && isThere && !force) return makeBundle(user, password, options);
  const made = await makeClientCertificate(folder, user, force);
  print(`Made a certificate for the user ${user}, valid until ${formatTime(made.expiresAt)}.`);
  printClient(user, made, folder);
  if (password !== undefined) return makeBundle(user, password, options);
  printStaleBundle(user, made, folder);
  const shown = (file: string): string => formatPath(folder, file);
  const command = `secure-inv --cert ${shown(made.certificateFile)} --key ${shown(made.keyFile)} whoami`;
  print('', `Next, as ${user}: ${command}`, `(The user must exist: secure-inv user add ${user} --role clerk)`);
}

function printStaleBundle(user: string, { staleBundleFile }: ClientCertificate, folder: string): void {
  if (!staleBundleFile) return;
  print(
    `${formatPath(folder, staleBundleFile)} still holds the one before. To make it anew:`,
    `  ${genCerts(folder, 'client', user, '--p12')}`,
  );
}

async function renew(user: string | undefined, options: Options): Promise<void> {
  const { folder, rekey } = options;
  if (user === undefined) return renewOwn(folder, rekey);
  const made = await renewClientCertificate(folder, user, rekey);
  print(`Renewed the certificate of the user ${user}, valid until ${formatTime(made.expiresAt)}.`);
  printClient(user, made, folder);
  printStaleBundle(user, made, folder);
  const { certificateFile, keyFile, key } = made;
  const handOut = (key === 'new' ? [certificateFile, keyFile] : [certificateFile]).map((file) =>
    formatPath(folder, file),
  );
  print('', `Next: give ${handOut.join(' and ')} to ${user}, in the place of the old.`);
}

async function renewOwn(folder: string, rekey = false): Promise<void> {
  const { made, left } = await renewServer(folder, rekey);
  const rows = (await listCertificates(folder)).filter(({ file }) => made.includes(file));
  print(`Renewed in ${folder}:`, ...formatTable(rows.map((row) => [`  ${row.file}`, `until ${day(row)}`])));
  if (made.includes(files.server)) {
    const key = formatPath(folder, files.serverKey);
    print(rekey ? `With a new key: ${key}` : `For the same hosts, with the same key: ${key}`);
  }
  for (const { file, authorityKeyFile } of left) {
    print(`Not renewed: ${file}. For that, bring ${authorityKeyFile} back, then run this again.`);
  }
  print('', 'A server that runs takes this up by itself.', `Next: ${genCerts(folder, 'list')} (what ends when)`);
}

function ending({ state, daysLeft }: ListedFile): string {
  if (state !== 'valid') return state.toUpperCase();
  return daysLeft === 1 ? '1 day left' : `${daysLeft} days left`;
}

/** The commands that renew what has ended or ends soon; who has a file elsewhere cannot be helped from here. */
function renewals(rows: readonly ListedFile[], folder: string): readonly string[] {
  const [, soonDays] = certificateWarningDays;
  const due = rows.filter(
    ({ file, state, daysLeft }) =>
      file !== '-' && (state === 'expired' || (state === 'valid' && (daysLeft ?? 0) <= soonDays)),
  );
  const commands = due.flatMap(({ file, purpose }) => {
    if (purpose === 'client') return [genCerts(folder, 'renew', file.replace(/\.pem$/, ''))];
    return purpose === 'server' || purpose === 'revocation list' ? [genCerts(folder, 'renew')] : [];
  });
  return [...new Set(commands)];
}

async function list({ folder, json }: Options): Promise<void> {
  const rows = await listCertificates(folder);
  if (json) return void print(JSON.stringify(rows, null, 2));
  if (rows.length === 0) return void print(`No certificates in ${folder}.`, `Next: ${genCerts(folder)}`);
  const head = ['FILE', 'SUBJECT', 'FOR', 'SERIAL', 'NOT AFTER', 'STATE'];
  const cells = rows.map((row) => [
    row.file,
    row.subject ?? '-',
    row.purpose,
    row.serial ?? '-',
    day(row),
    ending(row),
  ]);
  print(...formatTable([head, ...cells]));
  for (const { problem } of rows) if (problem) print('', problem);
  const commands = renewals(rows, folder);
  if (commands.length > 0) print('', 'To renew what has ended or ends soon:', ...commands.map((one) => `  ${one}`));
}

function printRevoked(revocations: RevocationResult['revocations'], ofWhom: string): void {
  const [first, ...others] = revocations.filter(({ isNew }) => isNew);
  for (const { serial, at, isNew } of revocations) {
    if (!isNew) print(`Was revoked already on ${formatTime(at)}: ${serial}`);
  }
  if (!first) return;
  if (others.length === 0) {
    print(`Revoked ${first.serial}`);
    print('The server refuses the certificate from now on, and cuts off who is connected with it.');
    return;
  }
  print(`Revoked ${others.length + 1} certificates${ofWhom}:`);
  print(...[first, ...others].map(({ serial }) => `  ${serial}`));
  print('The server refuses them from now on, and cuts off who is connected with one of them.');
}

async function revokeCertificate(nameOrSerial: string, { folder }: Options): Promise<void> {
  const { user, revocations } = await revoke(folder, nameOrSerial);
  if (revocations.length === 0) print(`Nothing to revoke: all that was made for ${user} has expired.`);
  printRevoked(revocations, user === undefined ? '' : ` of ${user}`);
  if (user !== undefined) {
    print('', `Next: secure-inv user disable ${user} (shuts out ${user} with a password, too)`);
    print(`      ${genCerts(folder, 'client', user, '--force')} (a new certificate instead)`);
  }
}

const example = (...words: readonly string[]): string => `  $ ${['npm run gen-certs --', ...words].join(' ')}`;
const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.join('\n')}`;

const folderOption = (): Option =>
  new Option('--folder <path>', "where the certificates are (default: certs.folder of the server's configuration)");
const collect = (host: string, hosts: readonly string[] = []): readonly string[] => [...hosts, host];

const program = new Command('gen-certs')
  .description('Makes what is missing of the certificates of a server. What exists is never replaced without --force.')
  .enablePositionalOptions()
  .option('--host <name>', 'a host name or address of the server beside localhost; may be repeated', collect)
  .option('--force', 'replace the server certificate; keeps its hosts, and the authority that clients trust')
  .option('--new-authority', 'with --force: replace both authorities; every client must be set up anew')
  .option('--new-revocation-list', 'with --force: replace only the revocation list, by an empty one')
  .addOption(folderOption())
  .addHelpText(
    'after',
    examples(
      '  $ npm run gen-certs',
      example('--host inv.example.com --host 192.0.2.7'),
      example('client clerk1'),
      example('renew'),
    ),
  )
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'gen-certs: ')) })
  .showHelpAfterError(`hint: npm run gen-certs -- --help`)
  .allowExcessArguments() // A word that is no command is refused as one.
  .action((options: Options) => {
    const [word] = program.args;
    const known = program.commands.map((command) => command.name());
    if (word !== undefined) throw unknownCommand(word, known, 'npm run gen-certs -- --help');
    return makeServer(options);
  })
  .hook('preAction', (_, asked) => {
    // Where the server looks. A folder that is given does without a configuration that may be broken.
    if (asked.opts()['folder'] !== undefined) return;
    asked.setOptionValue('folder', loadServerConfig({ env: process.env }).config.certs.folder);
  });

program
  .command('client')
  .description('Makes a certificate with which a user works without a password.')
  .argument('<name>', 'the name of the user')
  .option('--force', 'replace a certificate of that name; the old one stays good until it expires or is revoked')
  .option(
    '--p12',
    'also write NAME.p12, for browsers, Windows, macOS and phones; of a certificate that is there, only that',
  )
  .option('--password-stdin', 'with --p12: read its password from the first line of standard input')
  .addOption(folderOption())
  .addHelpText(
    'after',
    examples(
      example('client clerk1'),
      example('client clerk1 --force'),
      example('client clerk1 --p12'),
      example('client clerk1 --p12 --password-stdin < password.txt'),
    ),
  )
  .action(makeClient);

program
  .command('renew')
  .description('Issues certificates anew: those of the server, with its revocation list, or that of a user.')
  .argument('[name]', 'the name of a user')
  .option('--rekey', 'with a new key; otherwise the key stays as it is')
  .addOption(folderOption())
  .addHelpText('after', examples(example('renew'), example('renew --rekey'), example('renew clerk1')))
  .action(renew);

program
  .command('list')
  .description(
    'Lists the certificates and the revocation list, with what is left of their time; last, with "-" for a file, those of clients that were issued and are elsewhere.',
  )
  .option('--json', 'as JSON, with fingerprints')
  .addOption(folderOption())
  .addHelpText('after', examples(example('list'), example('list --json')))
  .action(list);

program
  .command('revoke')
  .description('Takes back for good every certificate that was made for a user, or a single one.')
  .argument('<name-or-serial>', 'the name they were made for, or the serial of one as "list" shows it')
  .addOption(folderOption())
  .addHelpText('after', examples(example('revoke clerk1'), example('revoke 4F0C9A1E77D2B3C45566778899AABBCC')))
  .action(revokeCertificate);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`gen-certs: ${error instanceof Error ? error.message : error}\n`);
  if (error instanceof Failure && error.details.hint) process.stderr.write(`hint: ${error.details.hint}\n`);
  process.exitCode = 1;
}
