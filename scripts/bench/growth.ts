import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientConnection } from '../../src/client/connect.ts';
import { itemName } from '../made-store/catalogue.ts';
import { measureRound } from './add.ts';
import { type Query, queries } from './growth-queries.ts';
import { median, type Progress, type Row } from './measurement.ts';
import { processorTime, residentMemory } from './processor-time.ts';
import { openSecureInv, type SecureInvPeer, spawnServer } from './secure-inv-peer.ts';
import { end, type Workspace, waitForOutput } from './workspace.ts';

const small = { name: 'small', items: 1000, movements: 5000 };
const large = { name: 'large', items: 1_000_000, movements: 5_000_000 };
const connections = 64;
const depths = [1, 16];
const waitingMovements = 1000;
const waitingLines = 100;
/** Questions of one round, one after another. */
const questions = 20;

interface Order {
  readonly rounds: number;
  readonly seconds: number;
  readonly made: string | undefined;
}

/** A large store against a small one: adds, pages, memory, start. */
export async function measureGrowth(
  workspace: Workspace,
  certs: string,
  order: Order,
  progress: Progress,
): Promise<readonly Row[]> {
  await make(workspace, small);
  if (order.made === undefined) await make(workspace, large);
  else await cp(order.made, join(workspace.folder, large.name), { recursive: true });
  const rows = await measureStart(workspace, certs, order, progress);
  const peers: SecureInvPeer[] = [];
  for (const { name } of [large, small]) peers.push(await openSecureInv(workspace, certs, name));
  for (const [at, { items }] of [large, small].entries()) await leaveWaiting(peers[at], items);
  rows.push(...(await measureQueries(peers, order, progress)));
  rows.push(...(await measureAdds(workspace, peers, order, progress)));
  const memory = peers.map(({ pid }) => residentMemory(pid));
  rows.push(...inTurn('resident memory after all this', memory, (bytes) => `${(bytes / 1e6).toFixed(0)} MB`, []));
  return rows;
}

/** In a process of its own, because it leaves no time for anything else; with its progress bar. */
async function make(workspace: Workspace, { name, items, movements }: typeof small): Promise<void> {
  const folder = join(workspace.folder, name);
  const args = ['--items', `${items}`, '--movements', `${movements}`, folder];
  await mkdir(folder, { recursive: true });
  const [status] = await once(workspace.fork(new URL('../make-store.ts', import.meta.url), args), 'exit');
  if (status !== 0) throw new Error(`The ${name} store could not be made.`);
}

/** Moves items all over a store, so that both have as many movements that are in no index yet: half of what there can be. */
async function leaveWaiting(peer: SecureInvPeer | undefined, items: number): Promise<void> {
  for (let done = 0; done < waitingMovements; done += waitingLines) {
    const lines = Array.from({ length: waitingLines }, (_, line) => ({
      item: itemName(((done + line) * 7919) % items),
      quantity: 1,
    }));
    await peer?.ask('add', { lines, operation: randomUUID() });
  }
}

async function measureStart(
  workspace: Workspace,
  certs: string,
  { rounds }: Order,
  progress: Progress,
): Promise<Row[]> {
  const names = [large.name, 'empty'];
  const measured = names.map((): { milliseconds: number; used: number }[] => []);
  for (let round = 0; round <= rounds; round++) {
    progress.show(`start, round ${round} of ${rounds}`);
    for (const [at, name] of names.entries()) {
      const since = performance.now();
      const server = spawnServer(workspace, certs, name);
      await waitForOutput(server, /listening on /);
      const milliseconds = performance.now() - since;
      const used = processorTime(server.pid ?? 0);
      await end(server);
      if (round > 0) measured[at]?.push({ milliseconds, used }); // The first makes the empty store.
    }
  }
  const walls = measured.map((all) => median(all.map(({ milliseconds }) => milliseconds)));
  const used = measured.map((all) => median(all.map((run) => run.used)));
  return inTurn('start to serving', walls, (wall) => `${wall.toFixed(0)} ms`, used, ['1,000,000 items', 'empty']);
}

async function measureAdds(
  workspace: Workspace,
  peers: readonly SecureInvPeer[],
  { rounds, seconds }: Order,
  progress: Progress,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const depth of depths) {
    const measured = peers.map((): Awaited<ReturnType<typeof measureRound>>[] => []);
    for (let round = 1; round <= rounds; round++) {
      for (const [at, peer] of peers.entries()) {
        progress.show(`add, ${depth} in flight, round ${round} of ${rounds}`);
        const job = { target: peer.target, connections, depth, warmUpSeconds: 1, seconds };
        measured[at]?.push(await measureRound(workspace, peer, job));
      }
    }
    const speeds = measured.map((all) => median(all.map(({ perSecond }) => perSecond)));
    const used = measured.map((all) => median(all.map(({ server }) => server)));
    const show = (speed: number) => `${Math.round(speed).toLocaleString('en')}/s`;
    rows.push(...inTurn(`add of hot items, ${depth} in flight`, speeds, show, used));
  }
  return rows;
}

async function measureQueries(
  peers: readonly SecureInvPeer[],
  { rounds }: Order,
  progress: Progress,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const users = [...new Set(queries.map(({ user }) => user))];
  const opened = new Map<string | undefined, readonly ClientConnection[]>();
  for (const user of users) opened.set(user, await Promise.all(peers.map((peer) => peer.connect(user))));
  for (const query of queries) {
    progress.show(query.what);
    const connections = opened.get(query.user) ?? [];
    const pages = await Promise.all(connections.map((connection) => pageOf(connection, query)));
    const measured = peers.map((): number[] => []);
    const before = peers.map(({ pid }) => processorTime(pid));
    for (let round = 1; round <= rounds; round++) {
      for (const [at, connection] of connections.entries()) {
        const params = pages[at];
        if (params) measured[at]?.push(await timeOf(connection, query.method, params));
      }
    }
    const used = peers.map(({ pid }, at) => (processorTime(pid) - (before[at] ?? 0)) / (rounds * questions));
    const times = measured.map((all) => median(all));
    rows.push(...inTurn(query.what, times, (time) => `${time.toFixed(2)} ms`, used));
  }
  for (const connection of [...opened.values()].flat()) connection.close();
  return rows;
}

/** The parameters that ask for the page that is measured; the last one if there are not so many. */
async function pageOf(connection: ClientConnection, { method, params, skip = 0 }: Query) {
  let page: Readonly<Record<string, unknown>> = params;
  for (let at = 0; at < skip; at++) {
    const { cursor } = (await connection.request(method, page)) as { cursor?: string }; // Both have pages.
    if (cursor === undefined) return page;
    page = { ...params, cursor };
  }
  return page;
}

/** Milliseconds for an answer, of several that were waited for one after another. */
async function timeOf(
  connection: ClientConnection,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Promise<number> {
  const since = performance.now();
  for (let at = 0; at < questions; at++) await connection.request(method, params);
  return (performance.now() - since) / questions;
}

/** Two lines, of which the first has the ratio. */
function inTurn(
  what: string,
  values: readonly number[],
  show: (value: number) => string,
  used: readonly number[],
  names: readonly string[] = ['1,000,000 items', '1,000 items'],
): Row[] {
  return values.map((value, at) => [
    what,
    names[at] ?? '',
    show(value),
    used[at] === undefined ? '' : `${used[at].toFixed(0)} µs`,
    '',
    at === 0 ? `${(value / (values[1] ?? Number.NaN)).toFixed(2)} ×` : '',
  ]);
}
