import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Principal } from '../../src/auth/principal.ts';
import { Failure } from '../../src/model/failure.ts';
import type { Scope } from '../../src/model/user.ts';
import { openLog } from '../../src/server/log.ts';
import { type Audience, Watches } from '../../src/server/watches.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { intentOf, note } from '../store/intent.ts';

// What happens between a read and a push takes too little time to be met from outside: here the audience decides.

let folder = '';
let store: Store;
let watches: Watches;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'watches-'));
  store = await openStore(`sqlite:${join(folder, 'inv.db')}`, { exclusive: true });
  await store.addUser(note, 'clerk1', 'clerk', null, 1);
  await store.addLocation(note, 'cellar');
  watches = new Watches(store, await openLog({ level: 'silent', format: 'json' }));
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

const principal = (scope: Scope): Principal => ({
  userId: 1,
  user: 'clerk1',
  role: 'clerk',
  permissions: ['stock:read'],
  scope,
  credential: 'session:test',
  sessionId: 'test',
  apiToken: null,
  expiresAt: 9,
  certificate: null,
});

/** Somebody who watches, and is judged by what `judge` says that time. */
class Listener implements Audience {
  readonly heard: number[] = [];
  ended: Failure | undefined;
  takesMore = true;
  readonly #judge: (time: number) => Principal;
  #times = 0;

  constructor(judge: (time: number) => Principal = () => principal(null)) {
    this.#judge = judge;
  }

  principal(): Principal {
    return this.#judge(++this.#times);
  }

  push(lines: string): void {
    for (const line of lines.trim().split('\n')) this.heard.push(JSON.parse(line).params.seq);
  }

  finish(failure: Failure): void {
    this.ended = failure;
  }
}

const begin = (listener: Listener) => watches.add(listener, { after: 0, seq: 0, low: false });
const add = (location: string) => store.apply(intentOf('add', [['Soap', 1, location]]), 1);

test('whoever is limited while a page is read gets nothing of it but what they may still see', async () => {
  const listener = new Listener((time) => principal(time === 1 ? null : [2]));
  begin(listener);
  const lines = ['main', 'cellar', 'main', 'cellar'].map((place) => ['Soap', 1, place] as const);
  await store.apply(intentOf('add', lines), 1);
  await vi.waitFor(() => expect(listener.heard).toHaveLength(2));
  expect(listener.heard).toEqual([2, 4]);
});

test('whoever may not watch any more once a page was read gets nothing of it, and hears why', async () => {
  const gone = new Failure('session-expired', 'This login was ended.');
  const listener = new Listener((time) => {
    if (time > 1) throw gone;
    return principal(null);
  });
  begin(listener);
  const other = new Listener();
  begin(other);
  await add('main');
  await vi.waitFor(() => expect(other.heard).toEqual([1]));
  expect(listener).toMatchObject({ heard: [], ended: gone });
});

test('fifty at the same place share each read, and one who takes no more is not read for until they do', async () => {
  const read = vi.spyOn(store, 'movementsAfter');
  const listeners = Array.from({ length: 50 }, () => new Listener());
  for (const listener of listeners) begin(listener);
  const [slow] = listeners;
  if (slow) slow.takesMore = false;
  for (let count = 0; count < 5; count++) await add('main');
  const all = [1, 2, 3, 4, 5];
  await vi.waitFor(() => expect(listeners.slice(1).map(({ heard }) => heard)).toEqual(Array(49).fill(all)));
  expect(read.mock.calls.length).toBeLessThanOrEqual(5);
  expect(slow?.heard).toEqual([]);
  if (slow) slow.takesMore = true;
  watches.wake();
  await vi.waitFor(() => expect(slow?.heard).toEqual(all));
});

test('more places than are read for in a round all come to their turn, and who has left hears nothing more', async () => {
  for (let count = 0; count < 60; count++) await add('main');
  const listeners = Array.from({ length: 60 }, () => new Listener());
  const leaving = new Listener();
  for (const [after, listener] of listeners.entries()) watches.add(listener, { after, seq: 60, low: false });
  begin(leaving)();
  await vi.waitFor(() => expect(listeners.at(-1)?.heard).toEqual([60]));
  await add('main');
  await vi.waitFor(() => expect(listeners.map(({ heard }) => heard.at(-1))).toEqual(Array(60).fill(61)));
  expect(listeners.map(({ heard }) => heard.length)).toEqual(Array.from({ length: 60 }, (_, after) => 61 - after));
  expect(leaving.heard).toEqual([]);
});
