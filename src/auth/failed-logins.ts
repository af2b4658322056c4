import {
  failedLoginDelaySeconds,
  failedLoginMinutes,
  failedLoginSourcesMax,
  strangerFailuresInARowMax,
  strangerFailuresMax,
} from '../model/limits.ts';
import type { Source } from './source.ts';

interface SourceFailures {
  /** In a row. */
  readonly failures: number;
  readonly lastAt: number;
}

/**
 * What an account's failed logins leave behind: a value of bounded size (security.md 11). Times are milliseconds since
 * 1970 in UTC.
 */
export interface FailedLogins {
  /** By the key of the source. */
  readonly sources: Readonly<Record<string, SourceFailures>>;
  /** When unknown sources failed, the latest last: as far as they lie within 15 minutes. */
  readonly failedAt: readonly number[];
  /** Failures in a row from unknown sources, of this account. */
  readonly inARow: number;
}

type Who = Pick<Source, 'key' | 'isKnown'>;

const window = failedLoginMinutes * 60_000;

/** Nobody has failed. */
export const noFailedLogins: FailedLogins = { sources: {}, failedAt: [], inARow: 0 };

/** From when on this source may try to log in: perhaps a time long past. */
export function openFrom({ sources, failedAt }: FailedLogins, { key, isKnown }: Who): number {
  const { failures, lastAt } = sources[key] ?? { failures: 0, lastAt: 0 };
  const delay = failures === 0 ? 0 : (failedLoginDelaySeconds[failures - 1] ?? failedLoginDelaySeconds.at(-1) ?? 0);
  const own = lastAt + delay * 1000;
  // They lie within 15 minutes of the last one, for withFailure drops the others.
  const last = failedAt.length >= strangerFailuresMax ? failedAt.at(-1) : undefined;
  return isKnown || last === undefined ? own : Math.max(own, last + window);
}

/** Whether this source cannot log in at all, which it must not be told: too many strangers have failed in a row. */
export function isShutOut({ inARow }: FailedLogins, { isKnown }: Who): boolean {
  return !isKnown && inARow >= strangerFailuresInARowMax;
}

/** The same with one more failure. Attempts may be judged in another order than they began. */
export function withFailure(before: FailedLogins, { key, isKnown }: Who, at: number): FailedLogins {
  const isRecent = (time: number) => time > at - window;
  const known = before.sources[key];
  const own = known && isRecent(known.lastAt) ? known : { failures: 0, lastAt: at };
  const others = Object.entries(before.sources).filter(([other, { lastAt }]) => other !== key && isRecent(lastAt));
  const sources = [...others, [key, { failures: own.failures + 1, lastAt: Math.max(own.lastAt, at) }] as const]
    .sort(([, a], [, b]) => a.lastAt - b.lastAt)
    .slice(-failedLoginSourcesMax);
  if (isKnown) return { ...before, sources: Object.fromEntries(sources) };
  return {
    sources: Object.fromEntries(sources),
    failedAt: [...before.failedAt.filter(isRecent), at].sort((a, b) => a - b).slice(-strangerFailuresMax),
    inARow: Math.min(before.inARow + 1, strangerFailuresInARowMax),
  };
}

/** The same after this source has logged in. What strangers failed within 15 minutes stays, or guesses could hide behind it. */
export function withSuccess(before: FailedLogins, { key }: Who): FailedLogins {
  const sources = Object.entries(before.sources).filter(([other]) => other !== key);
  return { ...before, sources: Object.fromEntries(sources), inARow: 0 };
}

/** For the store; null when there is nothing to keep. */
export function formatFailedLogins(value: FailedLogins): string | null {
  const isNothing = value.inARow === 0 && value.failedAt.length === 0 && Object.keys(value.sources).length === 0;
  return isNothing ? null : JSON.stringify(value);
}

/**
 * What was kept. Damage is nothing: it must neither lock somebody out nor keep the server from starting. A time ahead of
 * `now`, written under a wrong clock, counts as now.
 */
export function parseFailedLogins(text: string, now: number): FailedLogins {
  const value = parseJson(text);
  if (!isObject(value) || !isObject(value['sources']) || !Array.isArray(value['failedAt'])) return noFailedLogins;
  const { sources, failedAt, inARow } = value;
  const entries = Object.entries(sources);
  const isWhole =
    isCount(inARow) &&
    inARow <= strangerFailuresInARowMax &&
    failedAt.length <= strangerFailuresMax &&
    failedAt.every(isCount) &&
    entries.length <= failedLoginSourcesMax;
  if (!isWhole) return noFailedLogins;
  const parsed: [string, SourceFailures][] = [];
  for (const [key, source] of entries) {
    if (!isObject(source)) return noFailedLogins;
    const { failures, lastAt } = source;
    if (!isCount(failures) || !isCount(lastAt)) return noFailedLogins;
    parsed.push([key, { failures, lastAt: Math.min(lastAt, now) }]);
  }
  const times = failedAt.map((time) => Math.min(time, now)).sort((a, b) => a - b);
  return { sources: Object.fromEntries(parsed), failedAt: times, inARow };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
