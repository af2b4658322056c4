import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { withFileLock } from '../../src/client/file-lock.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { compiledPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/server.ts';
import { Terminal } from '../support/terminal.ts';

const { client: program } = await compiledPrograms();
const operation = '0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e';

type Answer = Readonly<Record<string, unknown>> | Error | undefined;

/** A server that answers what the test says, closes where it says nothing, and an account that is logged in to it as clerk1. */
async function start(
  answers: Record<string, (params: Readonly<Record<string, unknown>>) => Answer>,
  login: Readonly<Record<string, string>> = {},
) {
  const folder = await temporaryFolder();
  await ensureCertificates(folder, []);
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const [key, cert] = [await read('server-key.pem'), await read('server.pem')];
  const asked: string[] = [];
  const server = createServer({ key, cert, ALPNProtocols: ['secure-inv/1'] }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const line of String(data).trim().split('\n')) {
        const { id, method, params } = JSON.parse(line);
        asked.push(params.operation === undefined ? method : `${method} ${params.operation}`);
        const answer = answers[method]?.(params);
        if (answer === undefined) return void socket.destroy();
        const error = answer instanceof Error && {
          code: 1000,
          message: 'No.',
          data: { code: answer.message },
        };
        socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...(error ? { error } : { result: answer }) })}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const [config, state] = [join(folder, '.config', 'secure-inv'), join(folder, '.local', 'state', 'secure-inv')];
  for (const one of [config, state]) await mkdir(one, { recursive: true, mode: 0o700 });
  const context = { host: '127.0.0.1', port, ca: await read('server-ca.pem'), user: 'clerk1' };
  await writeFile(join(config, 'contexts.json'), JSON.stringify({ current: 'shop', contexts: { shop: context } }));
  const tokens = { accessToken: 'any', expiresAt: '2999-01-01T00:00:00Z', user: 'clerk1', ...login };
  await writeFile(join(state, 'shop.json'), JSON.stringify(tokens), { mode: 0o600 });
  const spawn = (...words: readonly string[]) =>
    execFile(process.execPath, [program, ...words], { env: { HOME: folder } });
  const terminal = (...words: readonly string[]) =>
    new Terminal(process.execPath, [program, ...words], { cwd: folder, env: { HOME: folder } });
  const run = async (...words: readonly string[]) => {
    const child = spawn(...words);
    const [stdout, stderr, [status]] = await Promise.all([
      child.stdout ? text(child.stdout) : '',
      child.stderr ? text(child.stderr) : '',
      once(child, 'close'),
    ]);
    return { status, stdout, stderr };
  };
  const list = async () => JSON.parse((await run('queue', '--json')).stdout).operations;
  const away = () => new Promise((resolve) => server.close(resolve));
  const back = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    spawn,
    terminal,
    away,
    back,
    run,
    list,
    asked,
    queue: join(state, 'queue', 'shop clerk1'),
    server: `127.0.0.1:${port}`,
  };
}

const added = (item = 'Soap') => ({
  item,
  location: 'main',
  quantity: 1,
  balance: 1,
  seq: 1,
  operation,
  at: '2026-05-03T14:02:00Z',
});
const whoami = (user: string) => () => ({ user, role: 'clerk', permissions: [], expiresAt: '2026-05-03T14:02:00Z' });
const ok = () => ({});

describe('an operation whose answer was lost', () => {
  test('is kept, told of by the next command, and sent by queue send under its own id', async () => {
    const answers: Record<string, () => Answer> = { authenticate: ok };
    const { run, list, asked, queue } = await start(answers);
    const lost = await run('add', 'Soap', '1', '--operation', operation);
    expect(lost).toMatchObject({ status: 7, stdout: '', stderr: expect.stringContaining('secure-inv queue send') });
    expect(await list()).toMatchObject([{ operation, state: 'unconfirmed', method: 'add', user: 'clerk1' }]);
    const [file = ''] = await readdir(queue);
    expect((await stat(join(queue, file))).mode & 0o777).toBe(0o600);

    answers['view'] = () => ({ items: [], seq: 0 });
    const viewed = await run('view');
    expect(viewed).toMatchObject({ status: 0, stdout: expect.stringMatching(/^No items/) });
    expect(viewed.stderr).toBe(
      'secure-inv: Operations of yours are not settled: 1 unconfirmed. See: secure-inv queue\n',
    );
    expect((await run('view', '--json')).stderr).toBe('');

    // Somebody may have repeated it by hand: a later --queue does not send it unasked.
    answers['whoami'] = whoami('clerk1');
    answers['take'] = () => added();
    asked.length = 0;
    await run('take', 'Soap', '1', '--queue');
    expect(asked).not.toContain(`add ${operation}`);

    answers['add'] = () => added();
    expect(await run('queue', 'send')).toMatchObject({ status: 0, stdout: expect.stringContaining('Sent: 1.') });
    expect(asked).toContain(`add ${operation}`);
    expect(await list()).toEqual([]);
  });

  test('is not kept when it was answered, however', async () => {
    const answers: Record<string, () => Answer> = { authenticate: ok, add: () => added() };
    const { run, list } = await start(answers);
    expect(await run('add', 'Soap', '1')).toMatchObject({ status: 0, stderr: '' });
    answers['add'] = () => new Error('conflict');
    expect(await run('add', 'Soap', '1')).toMatchObject({ status: 5 });
    expect(await list()).toEqual([]);
  });
});

test('whoever cannot keep an operation of unknown outcome is told how to repeat it, and not of the disk only', async () => {
  const answers: Record<string, () => Answer> = { authenticate: ok };
  const { run, queue } = await start(answers);
  answers['add'] = () => {
    rmSync(queue, { recursive: true });
    writeFileSync(queue, 'no folder');
    return new Error('internal');
  };
  const { status, stderr } = await run('add', 'Soap', '1', '--operation', operation);
  expect(status).toBe(2);
  expect(stderr).toBe(`secure-inv: No.\nhint: Repeat the command with --operation ${operation}. It is counted once.\n`);
});

test('what somebody drops while a retry waits for its turn is not kept anew', async () => {
  const { run, list, asked, queue, server } = await start({ authenticate: ok });
  const refused = await keep(queue, 1, { server, refusal: { code: 'out-of-stock', message: 'No.' } });
  let retried: ReturnType<typeof run> | undefined;
  await withFileLock(join(queue, 'lock'), async () => {
    retried = run('queue', 'retry', refused);
    await run('queue', '--json');
    await new Promise((resolve) => setTimeout(resolve, 300)); // Mostly it has read what is there, and waits.
    rmSync(join(queue, `000000000001-${refused}.json`));
  });
  expect(await retried).toMatchObject({ status: 5, stdout: '' });
  expect([await list(), asked]).toEqual([[], []]);
});

describe('an operation is never sent as somebody else', () => {
  test('when the server takes this login for another user', async () => {
    const { run, list, asked } = await start({ authenticate: ok, whoami: whoami('clerk2'), add: () => added() });
    const queued = await run('add', 'Soap', '1', '--queue');
    expect(queued).toMatchObject({ status: 0, stderr: expect.stringContaining('clerk2') });
    expect(asked.filter((one) => one.startsWith('add'))).toEqual([]);
    expect(await list()).toMatchObject([{ state: 'queued' }]);
  });

  test('when somebody else logged in while the command ran', async () => {
    const { run, list, asked } = await start({ authenticate: ok, add: () => added() }, { user: 'clerk2' });
    for (const words of [[], ['--queue']]) {
      expect((await run('add', 'Soap', '1', ...words)).stderr).toContain('logged in as clerk2 now');
    }
    expect(asked).toEqual([]);
    expect(await list()).toMatchObject([{ state: 'queued' }]);
  });
});

test('a refusal that an operator can mend is kept for a retry, one that passes is tried again', async () => {
  const answers: Record<string, () => Answer> = { authenticate: ok, whoami: whoami('clerk1') };
  const { run, spawn, terminal, list } = await start(answers);
  answers['add'] = () => new Error('forbidden');
  expect(await run('add', 'Soap', '1', '--queue', '--operation', operation)).toMatchObject({ status: 4 });
  expect(await list()).toMatchObject([{ state: 'refused', refusal: { code: 'forbidden' } }]);
  // On a terminal there is room for why: of the id stands there what people type.
  const listed = terminal('queue');
  expect(await listed.ended).toBe(0);
  expect(listed.text).toMatch(/\n2f6d1a9c3b4e {2}refused {2}add 1 Soap {2}just now {2}No\.\n/);
  const menu = spawn('menu');
  menu.stdin?.end();
  const said = menu.stderr ? await text(menu.stderr) : '';
  expect(said).toMatch(/\nsecure-inv: 1 change was refused and is kept\. See: secure-inv queue\n$/);
  answers['add'] = () => new Error('storage');
  expect(await run('queue', 'retry', operation)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Queued/) });
  expect(await list()).toMatchObject([{ state: 'queued' }]);
  answers['add'] = () => added();
  expect(await run('queue', 'send')).toMatchObject({ status: 0 });
  expect(await list()).toEqual([]);
});

test('a queue that others could have written is not sent', async () => {
  const { run, asked, queue } = await start({ authenticate: ok, whoami: whoami('clerk1') });
  await mkdir(queue, { recursive: true, mode: 0o755 });
  await writeFile(join(queue, `000000000001-${operation}.json`), '{}');
  expect(await run('queue', 'send')).toMatchObject({ status: 1, stderr: expect.stringContaining('chmod 700') });
  expect(asked).toEqual([]);
});

/** Writes a file of the queue: text as it is, or an operation that is queued but for what is said. */
async function keep(queue: string, place: number, content: string | Readonly<Record<string, unknown>>) {
  const id = `0192f0c1-7b5e-7000-8000-00000000000${place}`;
  const queued = {
    ...{ context: 'shop', user: 'clerk1', method: 'add', at: '2026-05-03T14:02:00Z' },
    ...{ params: { item: 'Soap', quantity: place, operation: id }, isQueued: true, maySent: false },
  };
  const text = typeof content === 'string' ? content : JSON.stringify({ ...queued, ...content });
  await mkdir(queue, { recursive: true, mode: 0o700 });
  await writeFile(join(queue, `00000000000${place}-${id}.json`), text, { mode: 0o600 });
  return id;
}

test('a damaged file, or one for a server that the context has left, is told of and stops no other', async () => {
  const { run, list, asked, queue, server } = await start({
    authenticate: ok,
    whoami: whoami('clerk1'),
    add: () => added(),
  });
  const torn = await keep(queue, 1, '{"context":"shop","ser');
  const elsewhere = await keep(queue, 2, { server: 'old.example:7443' });
  const good = await keep(queue, 3, { server });
  const listed = await run('queue');
  expect(listed.stdout).toMatch(
    /0001 {2}damaged .*It is not JSON\.\n.*0002 {2}queued +add 2 Soap .*It is for old\.example:7443\.\n/,
  );
  expect(listed.stderr).toContain(`${torn}.json is damaged: not sent.`);
  expect(listed.stderr).toContain('secure-inv login --context shop --server old.example:7443');

  const sent = await run('queue', 'send', '--json');
  expect(JSON.parse(sent.stdout)).toMatchObject({ sent: [{}], refused: [], waiting: 1, stuck: [torn, elsewhere] });
  expect(sent).toMatchObject({ status: 5, stderr: expect.stringContaining('secure-inv queue drop 000000000001') });
  expect(asked.filter((one) => one.startsWith('add'))).toEqual([`add ${good}`]);
  expect(await run('queue', 'retry', elsewhere)).toMatchObject({ status: 5, stdout: '' });

  expect(await run('queue', 'drop', torn, '--yes')).toMatchObject({ status: 0 });
  expect(await list()).toMatchObject([{ operation: elsewhere, state: 'queued', problem: expect.any(String) }]);
});

test('nothing overtakes an operation that another shell is sending', async () => {
  const { run, asked, queue, server } = await start({ authenticate: ok, whoami: whoami('clerk1'), add: () => added() });
  const first = await keep(queue, 1, { server });
  const sender = { host: hostname(), pid: process.pid, at: new Date().toISOString() };
  const second = await keep(queue, 2, { server, maySent: true, sender });
  await keep(queue, 3, { server });
  const { status, stdout, stderr } = await run('queue', 'send');
  expect(asked.filter((one) => one.startsWith('add'))).toEqual([`add ${first}`]);
  expect({ status, stdout }).toEqual({ status: 7, stdout: 'Sent: 1. Refused and kept: 0. Waiting: 2.\n' });
  expect(stderr).toContain(`Another shell is sending ${second} just now`);
});

test('the menu keeps what is added or taken while the server is away, and sends it before it asks anything else', async () => {
  const stock = {
    item: 'Soap',
    quantity: 5,
    unit: 'pcs',
    precision: 0,
    locations: [{ location: 'main', quantity: 5 }],
  };
  const answers = { authenticate: ok, whoami: whoami('clerk1'), view: () => ({ items: [stock], seq: 1 }) };
  const { spawn, away, back, asked, list } = await start({ ...answers, add: () => added(), take: () => added() });
  await away();
  const menu = spawn('menu');
  let said = '';
  menu.stdout?.setEncoding('utf8').on('data', (text) => (said += text));
  /** Types it when it is asked for, and waits for what is said. */
  const type = async (line: string, answer: string | RegExp) => {
    said = '';
    menu.stdin?.write(`${line}\n`);
    await expect.poll(() => said, { timeout: 5000 }).toMatch(answer);
  };
  await expect.poll(() => said, { timeout: 10_000 }).toMatch(/is not there: .* What you add or take is kept/);
  await type('2', /is not there: .*\n\n1\. Add/);
  await type('1', 'item name: ');
  await type('Soap', 'quantity: ');
  await type('3', /Kept, and sent as soon as it can be: add 3 Soap\.\n/);
  await type('4006381333931', /4006381333931 was not looked up\.\nEnter quantity/);
  await type('-2', /Kept, .*: take 2 4006381333931\.\n/);
  await type('hello', /is not there: .*\n\n1\. Add/); // Which is no code, and none is counted.
  expect(await list()).toMatchObject([{ state: 'queued' }, { state: 'queued' }]);

  await back();
  await type('S1', /Soap: 5 pcs in stock\.\nEnter quantity/);
  expect(asked.map((one) => one.split(' ')[0])).toEqual(['authenticate', 'whoami', 'add', 'take', 'view']);
  await type('', 'Enter your choice: ');
  menu.stdin?.write('3\n');
  expect(await once(menu, 'close')).toEqual([0, null]);
  expect(await list()).toEqual([]);
});

test('a menu that was started while the server was away works where its user may, once that is known', async () => {
  const places: unknown[] = [];
  const { spawn, away, back } = await start({
    authenticate: ok,
    whoami: () => ({ ...whoami('clerk1')(), locations: ['shelf'] }),
    add: ({ location }) => {
      places.push(location);
      return added();
    },
  });
  await away();
  const menu = spawn('menu');
  let said = '';
  menu.stdout?.setEncoding('utf8').on('data', (text) => (said += text));
  await expect.poll(() => said, { timeout: 10_000 }).toContain('What you add or take is kept');
  await back();
  await expect
    .poll(
      async () => {
        said = '';
        menu.stdin?.write('1\nSoap\n3\n');
        await expect.poll(() => said, { timeout: 5000 }).toMatch(/Added|Kept/);
        return places.at(-1);
      },
      { timeout: 15_000 },
    )
    .toBe('shelf');
  menu.stdin?.end('3\n');
  expect(await once(menu, 'close')).toEqual([0, null]);
});

test('what cannot be kept is said not to be, and is not sent', async () => {
  const { run, asked, queue } = await start({ authenticate: ok, whoami: whoami('clerk1'), add: () => added() });
  await writeFile(dirname(queue), 'no folder');
  const { status, stdout, stderr } = await run('add', 'Soap', '1', '--queue');
  expect({ status, stdout }).toEqual({ status: 7, stdout: '' });
  expect(stderr).toMatch(
    /^secure-inv: The operation is NOT kept, and was not sent: .* cannot be written: .*\nhint: .*\n$/,
  );
  expect(asked).toEqual([]);
});

test('what a power cut left of an operation that nobody was told is kept stops no other', async () => {
  const { run, list, queue } = await start({ authenticate: ok, add: () => added() });
  await mkdir(queue, { recursive: true, mode: 0o700 });
  await writeFile(join(queue, `000000000001-${operation}.json`), '', { mode: 0o600 });
  expect(await list()).toEqual([]);
  expect(await run('add', 'Soap', '1', '--operation', operation)).toMatchObject({ status: 0, stderr: '' });
  expect(await list()).toEqual([]);
});

test('a lock whose holder was killed is taken over at once, and only once', async () => {
  const file = join(await temporaryFolder(), 'lock');
  const dead = execFile(process.execPath, ['-e', '']);
  await once(dead, 'close');
  await writeFile(file, `${hostname()} ${dead.pid} any`);
  const startedAt = performance.now();
  let [holders, most] = [0, 0];
  await Promise.all(
    Array.from({ length: 20 }, () =>
      withFileLock(file, async () => {
        most = Math.max(most, ++holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders--;
      }),
    ),
  );
  expect(most).toBe(1);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
