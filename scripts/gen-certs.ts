// The command line of src/pki: makes, lists and revokes the certificates of a server and of its clients.
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { Failure } from '../src/model/failure.ts';
import { files, formatPath, formatTime, genCerts, readCertificates } from '../src/pki/certificate-file.ts';
import { makeClientCertificate, revoke } from '../src/pki/client-certificate.ts';
import { hostsOf } from '../src/pki/host.ts';
import { makeServerCertificates } from '../src/pki/issue.ts';
import { type ListedFile, listCertificates } from '../src/pki/listing.ts';

interface Options {
  readonly folder: string;
  readonly host?: readonly string[];
  readonly force?: boolean;
  readonly newAuthority?: boolean;
  readonly newRevocationList?: boolean;
  readonly json?: boolean;
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

async function makeClient(user: string, options: Options): Promise<void> {
  const { folder, force } = options;
  const made = await makeClientCertificate(folder, user, force);
  const shown = (file: string): string => formatPath(folder, file);
  print(
    `Made a certificate for the user ${user}, valid until ${formatTime(made.expiresAt)}.`,
    ...formatTable([
      ['certificate:', shown(made.certificateFile)],
      ['key:', `${shown(made.keyFile)} (secret: whoever has it is ${user})`],
      ['serial:', made.serial],
    ]),
  );
  if (made.replaced && made.replaced.expiresAt > Date.now()) {
    print(
      `The one it replaces is still good until ${formatTime(made.replaced.expiresAt)}. To end it:`,
      `  ${genCerts(folder, 'revoke', made.replaced.serial)}`,
    );
  }
  const command = `secure-inv --cert ${shown(made.certificateFile)} --key ${shown(made.keyFile)} whoami`;
  print('', `Next, as ${user}: ${command}`, `(The user must exist: secure-inv user add ${user} --role clerk)`);
}

function ending(row: ListedFile): string {
  return row.state === 'valid' ? `${row.daysLeft} days left` : row.state.toUpperCase();
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
}

async function revokeCertificate(nameOrSerial: string, { folder }: Options): Promise<void> {
  const { serial, at, isNew } = await revoke(folder, nameOrSerial);
  print(`${isNew ? 'Revoked' : `Was revoked already on ${formatTime(at)}:`} ${serial}`);
  if (isNew) print('The server refuses the certificate from now on, and cuts off who is connected with it.');
}

const example = (...words: readonly string[]): string => `  $ ${['npm run gen-certs --', ...words].join(' ')}`;
const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.join('\n')}`;

// The default of the setting `certs.folder`.
const defaultFolder = fileURLToPath(new URL('../certs', import.meta.url));
const folderOption = (): Option => new Option('--folder <path>', 'where the certificates are').default(defaultFolder);
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
    examples('  $ npm run gen-certs', example('--host inv.example.com --host 192.0.2.7'), example('client clerk1')),
  )
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'gen-certs: ')) })
  .showHelpAfterError(`hint: npm run gen-certs -- --help`)
  .action(makeServer);

program
  .command('client')
  .description('Makes a certificate with which a user works without a password.')
  .argument('<name>', 'the name of the user')
  .option('--force', 'replace a certificate of that name; the old one stays good until it expires or is revoked')
  .addOption(folderOption())
  .addHelpText('after', examples(example('client clerk1'), example('client clerk1 --force')))
  .action(makeClient);

program
  .command('list')
  .description('Lists the certificates and the revocation list, with what is left of their time.')
  .option('--json', 'as JSON, with fingerprints')
  .addOption(folderOption())
  .addHelpText('after', examples(example('list'), example('list --json')))
  .action(list);

program
  .command('revoke')
  .description('Takes a client certificate back for good.')
  .argument('<name-or-serial>', 'the name it was made for, or its serial as "list" shows it')
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
