import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { shareClone } from '../support/shared-clone.ts';
import { Terminal } from '../support/terminal.ts';
import { enrollAdministrator, testPassword, WireClient } from '../support/wire-client.ts';

const clone = shareClone();

/** `secure-inv` on a terminal, for an account that the test chooses. */
function run(account: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Terminal {
  return new Terminal('secure-inv', words, { cwd: clone().folder, env: { ...clone().environment(account), ...env } });
}

const link = (server: TestServer) => formatEnrolmentLink(server.link());
const address = (server: TestServer) => `127.0.0.1:${server.port}`;

/** An account that is logged in as the administrator. */
async function enroll(account: string, server: TestServer): Promise<void> {
  const terminal = run(account, ['enroll', link(server)]);
  await terminal.shows('New password');
  terminal.type(testPassword);
  await terminal.shows('Once more: ');
  terminal.type(testPassword);
  expect(await terminal.ended).toBe(0);
}

test('enroll asks until both passwords are the same and good, and shows none of them', async () => {
  const server = await startServer();
  const terminal = run('picky', ['enroll']);
  await terminal.shows('Enrolment link: ');
  terminal.type(link(server));
  await terminal.shows('Hello admin (admin).');
  const answer = async (first: string, second: string) => {
    await terminal.shows('New password (12 characters or more): ');
    terminal.type(first);
    await terminal.shows('Once more: ');
    terminal.type(second);
  };
  await answer('seven green bottles', 'seven green battles');
  await terminal.shows('These are not the same. Try again.');
  await answer('short', 'short');
  await terminal.shows('12 to 256 characters');
  await answer('password1234', 'password1234');
  await terminal.shows('guess');
  await answer('seven green bottles', 'seven green bottles');
  await terminal.shows(`You are logged in to ${address(server)} as admin (admin).`);
  expect(await terminal.ended).toBe(0);
  for (const secret of ['seven', 'short\n', 'password1234']) expect(terminal.text).not.toContain(secret);
});

test('the first login shows the fingerprint and asks, and a wrong password is asked for again', async () => {
  const server = await startServer();
  await enrollAdministrator(server);
  const terminal = run('newcomer', ['login', '--server', address(server)]);
  await terminal.shows(`You were never logged in to ${address(server)}.`);
  await terminal.shows(/([0-9A-F]{2}:){31}[0-9A-F]{2}/);
  await terminal.shows('Is it the same? (yes or no) ');
  terminal.type('maybe');
  await terminal.shows('Answer yes or no.');
  await terminal.shows('Is it the same? (yes or no) ');
  terminal.type('yes');
  await terminal.shows('User: ');
  terminal.type('admin');
  await terminal.shows('Password: ');
  terminal.type('seven green bottles');
  await terminal.shows('Wrong user or password. Try again.');
  await terminal.shows('Password: ');
  terminal.type(testPassword);
  await terminal.shows(`You are logged in to ${address(server)} as admin (admin).`);
  expect(await terminal.ended).toBe(0);
  expect(terminal.text).not.toContain(testPassword);

  // The second time the server is known, and so is the user.
  const again = run('newcomer', ['login']);
  await again.shows('User [admin]: ');
  again.type('');
  await again.shows('Password: ');
  again.type(testPassword);
  expect(await again.ended).toBe(0);
});

test('who does not trust the fingerprint sends no password, and nothing is saved', async () => {
  const server = await startServer();
  const terminal = run('careful', ['login', '--server', address(server)]);
  await terminal.shows('Is it the same? (yes or no) ');
  terminal.type('no');
  await terminal.shows('secure-inv: Not logged in: you did not trust the server.');
  expect(await terminal.ended).toBe(6);
  expect(existsSync(clone().environment('careful')['HOME'] ?? '')).toBe(false);
});

test('three wrong passwords are enough', async () => {
  const server = await startServer();
  await enrollAdministrator(server);
  const terminal = run('guesser', ['login', '--server', address(server), '--user', 'admin']);
  await terminal.shows('Is it the same');
  terminal.type('yes');
  for (let tries = 1; tries <= 3; tries++) {
    await terminal.shows('Password: ');
    terminal.type(`not the password ${tries}`);
  }
  await terminal.shows('secure-inv: Wrong user or password.');
  expect(await terminal.ended).toBe(3);

  // Whom they trusted holds, and nothing else is remembered.
  server.turnClock(60_000);
  const again = run('guesser', ['login']);
  await again.shows('User: ');
  again.type('admin');
  await again.shows('Password: ');
  again.type(testPassword);
  await again.shows(`You are logged in to ${address(server)} as admin (admin).`);
  expect(await again.ended).toBe(0);
  expect(again.text).not.toContain('Is it the same');
});

test('a server that one came to trust before a wrong password does not become the current one', async () => {
  const [shop, other] = [await startServer(), await startServer()];
  await enroll('two', shop);
  const terminal = run('two', ['login', '--server', address(other), '--user', 'admin']);
  await terminal.shows('Is it the same? (yes or no) ');
  terminal.type('yes');
  await terminal.shows('Password: ');
  terminal.type('not the password');
  await terminal.shows('Try again.');
  await terminal.shows('Password: ');
  terminal.press('c');
  expect(await terminal.ended).toBe(1);
  const known = run('two', ['context', 'list']);
  expect(await known.ended).toBe(0);
  expect(known.text).toMatch(new RegExp(`^\\* +${address(shop)} `, 'm'));
  expect(known.text).toMatch(new RegExp(`^ +${address(other)} `, 'm'));
});

test('who must wait is told for how long, and is not asked again', async () => {
  const server = await startServer({ isClockStopped: true });
  await enrollAdministrator(server);
  const client = await WireClient.open(server);
  for (let tries = 1; tries <= 3; tries++) await client.ask('login', { user: 'admin', password: 'not the password' });
  const terminal = run('hasty', ['login', '--server', address(server), '--user', 'admin']);
  await terminal.shows('Is it the same');
  terminal.type('yes');
  await terminal.shows('Password: ');
  terminal.type(testPassword);
  await terminal.shows('secure-inv: Too many failed logins for this user from here. Try again in 1 s.');
  await terminal.shows('hint: ');
  expect(await terminal.ended).toBe(7);
});

test.each([
  ['Ctrl-C', 'c'],
  ['Ctrl-D', 'd'],
])('%s at a prompt ends the command, says so, and leaves nothing behind', async (_name, letter) => {
  const server = await startServer();
  const account = `leaver-${letter}`;
  const terminal = run(account, ['login', '--server', address(server), '--user', 'admin']);
  await terminal.shows('Is it the same');
  terminal.type('yes');
  await terminal.shows('Password: ');
  terminal.press(letter);
  await terminal.shows('secure-inv: Cancelled.');
  expect(await terminal.ended).toBe(1);
  expect(existsSync(clone().environment(account)['HOME'] ?? '')).toBe(false);
});

test('who leaves an enrolment at the password prompt can get a new link', async () => {
  const server = await startServer();
  const before = link(server);
  const terminal = run('hesitant', ['enroll', before]);
  await terminal.shows('New password');
  terminal.press('c');
  expect(await terminal.ended).toBe(1);
  await expect.poll(() => link(server)).not.toBe(before);
  await enroll('hesitant', server);
});

test('the menu works on a terminal, and Ctrl-C or Ctrl-D leaves it', async () => {
  const server = await startServer();
  await enroll('keeper', server);
  const terminal = run('keeper', ['menu']);
  const choose = async (choice: string) => {
    await terminal.shows('Enter your choice: ');
    terminal.type(choice);
  };
  await choose('7');
  await terminal.shows('Invalid choice. Try again.');
  await choose('1');
  await terminal.shows('Enter item name: ');
  terminal.type('Soap');
  await terminal.shows('Enter quantity: ');
  terminal.type('many');
  await terminal.shows('Try again.');
  await terminal.shows('Enter quantity: ');
  terminal.type('200');
  await terminal.shows('Added 200 Soap(s) to the inventory.');
  await choose('2');
  await terminal.shows(/Soap +200/);
  await choose('3');
  expect(await terminal.ended).toBe(0);

  const left = run('keeper', ['menu']);
  await left.shows('Enter your choice: ');
  left.press('d');
  expect(await left.ended).toBe(0);
  const interrupted = run('keeper', ['menu']);
  await interrupted.shows('Enter your choice: ');
  interrupted.press('c');
  expect(await interrupted.ended).toBe('SIG2');
});

test('a weak password from a file is refused once, also on a terminal', async () => {
  const server = await startServer();
  const file = join(server.folder, 'password');
  await writeFile(file, 'short\n');
  const terminal = run('filer', ['enroll', link(server)], { SECURE_INV_PASSWORD_FILE: file });
  await terminal.shows('12 to 256 characters');
  await terminal.shows('This link is spent.');
  expect(await terminal.ended).toBe(1);
});

test('passwd asks for the old password and for the new one twice', async () => {
  const server = await startServer();
  await enroll('changer', server);
  const terminal = run('changer', ['passwd']);
  await terminal.shows('Current password: ');
  terminal.type(testPassword);
  await terminal.shows('New password');
  terminal.type('seven green bottles');
  await terminal.shows('Once more: ');
  terminal.type('seven green bottles');
  await terminal.shows('Your password is changed. Your other logins have ended.');
  expect(await terminal.ended).toBe(0);
});

test('tables are coloured on a terminal, as wide as it is, and plain with NO_COLOR', async () => {
  const server = await startServer();
  await enroll('painter', server);
  await run('painter', ['add', 'Soap', '1', '--note', 'n'.repeat(150)]).ended;
  const controlSequence = `${String.fromCharCode(27)}[`;
  const coloured = run('painter', ['history']);
  expect(await coloured.ended).toBe(0);
  expect(coloured.output).toContain(controlSequence);
  expect(Math.max(...coloured.text.split('\n').map((line) => line.length))).toBe(100);
  const plain = run('painter', ['history'], { NO_COLOR: '1' });
  expect(await plain.ended).toBe(0);
  expect(plain.output).not.toContain(controlSequence);
});

test('queue drop asks before it forgets an operation', async () => {
  const server = await startServer();
  await enroll('careful', server);
  await run('careful', ['take', 'Soap', '1', '--queue']).ended;
  const reminded = run('careful', ['view']);
  await reminded.shows('Operations of yours are not settled: 1 refused. See: secure-inv queue');
  await reminded.ended;
  const listed = run('careful', ['queue']);
  await listed.shows(/refused +take 1 Soap +just now/);
  await listed.ended;
  const id = /[0-9a-f]{12}(?= +refused)/.exec(listed.text)?.[0] ?? '';
  const kept = run('careful', ['queue', 'drop', id]);
  await kept.shows(`Forget "take 1 Soap" of admin at ${address(server)}? (yes or no) `);
  kept.type('no');
  await kept.shows('It is kept.');
  expect(await kept.ended).toBe(1);
  const dropped = run('careful', ['queue', 'drop', id]);
  await dropped.shows('(yes or no) ');
  dropped.type('yes');
  await dropped.shows('Dropped: take 1 Soap.');
  expect(await dropped.ended).toBe(0);
});

test('a chart is as wide as the terminal, coloured there and plain with NO_COLOR', async () => {
  const server = await startServer();
  await enroll('drawer', server);
  for (const quantity of ['5', '20']) await run('drawer', ['add', 'Soap', quantity]).ended;
  const controlSequence = `${String.fromCharCode(27)}[`;
  const coloured = run('drawer', ['history', 'Soap', '--chart']);
  expect(await coloured.ended).toBe(0);
  expect(coloured.output).toContain(controlSequence);
  expect(Math.max(...coloured.text.split('\n').map((line) => line.length))).toBe(100);
  expect(coloured.text).toContain('█');
  const plain = run('drawer', ['history', 'Soap', '--chart'], { NO_COLOR: '1', LANG: 'C' });
  expect(await plain.ended).toBe(0);
  expect(plain.output).not.toContain(controlSequence);
  expect(plain.text).toMatch(/^[ -~\n]*$/);
});
