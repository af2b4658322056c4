import { randomUUID } from 'node:crypto';
import { type AuditEntry, host } from '../../src/model/audit.ts';
import type { ItemChange, ItemIntent } from '../../src/model/item.ts';
import type { CountIntent, LinesIntent, MoveIntent, UndoIntent } from '../../src/model/stock.ts';
import type { ApiTokenRecord, SessionRecord } from '../../src/store/store.ts';

/** One line as a test writes it: item, whole pieces, and perhaps a location. */
export type Line = readonly [item: string, pieces: number, location?: string];

/** A wish of user 1 to add or take, with a new operation id unless `more` has one. */
export function intentOf(kind: 'add' | 'take', lines: readonly Line[], more: Partial<LinesIntent> = {}): LinesIntent {
  return {
    kind,
    lines: lines.map(([item, pieces, location = 'main']) => ({ item, location, quantity: pieces * 1000 })),
    allowNewCode: false,
    ...asked(),
    ...more,
  };
}

/** One line of a move as a test writes it. */
export type MoveWords = readonly [item: string, pieces: number, from: string, to: string];

/** As `intentOf`. */
export function moveOf(lines: readonly MoveWords[], more: Partial<MoveIntent> = {}): MoveIntent {
  return {
    kind: 'move',
    lines: lines.map(([item, pieces, from, to]) => ({ item, from, to, quantity: pieces * 1000 })),
    ...asked(),
    ...more,
  };
}

/** As `intentOf`, at `main` and without a last movement seen. */
export function countOf(
  item: string,
  pieces: number,
  { location = 'main', ...more }: Partial<CountIntent> & { readonly location?: string } = {},
): CountIntent {
  return { kind: 'count', line: { item, location, quantity: pieces * 1000 }, ifSeq: null, ...asked(), ...more };
}

/** As `intentOf`, by somebody who may undo anything. */
export function undoOf(seq: number, more: Partial<UndoIntent> = {}): UndoIntent {
  return { kind: 'undo', seq, allowAny: true, ...asked(), ...more };
}

function asked() {
  return {
    operation: randomUUID(),
    note: null,
    userId: 1,
    scope: null,
    credential: 'session:test',
    source: '127.0.0.1',
  };
}

/** A wish of user 1 to edit an item, with a new operation id unless `more` has one. */
export function editOf(item: string, change: ItemChange, more: Partial<ItemIntent> = {}): ItemIntent {
  const by = { userId: 1, credential: 'session:test', source: '127.0.0.1' };
  return { isNew: false, item, change, operation: randomUUID(), note: null, ...by, ...more };
}

/** A session of a user that was made at `createdAt` and lasts 100 ms. */
export function sessionOf(id: string, userId: number, createdAt: number): SessionRecord {
  const refreshHash = new Uint8Array(32).fill(1);
  const times = { createdAt, expiresAt: createdAt + 100, refreshedAt: createdAt };
  return { id, userId, ...times, refreshHash, generation: 0, certificate: null, source: '127.0.0.1' };
}

/** An API token of a user, named as its id, that was made at `createdAt` and lasts 100 ms. */
export function apiTokenOf(id: string, userId: number, createdAt: number): ApiTokenRecord {
  const times = { createdAt, expiresAt: createdAt + 100, lastUsedAt: null };
  return { id, userId, name: id, role: 'viewer', hash: hashOf(1), ...times };
}

/** What a change leaves in the audit log, where a test is about something else. */
export const note: AuditEntry = { ...host, event: 'user-added', subject: null, detail: null, at: 1 };

/** A hash that stands for that of a secret. */
export function hashOf(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}
