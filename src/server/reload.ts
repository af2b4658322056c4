import type { Reloaded } from '../command/command.ts';
import type { Look } from '../file/live-files.ts';
import { Failure } from '../model/failure.ts';

/** What a reload found: each by itself, because what is wrong with one keeps none of the others from being taken up. */
export interface Found {
  readonly certificates: Look;
  readonly keys: Look;
  /** The keys that have another value now. */
  readonly settings: readonly string[] | { readonly problem: unknown };
}

/** The reply to whoever asked. Failures: `conflict` that names all that is wrong, and what was taken up all the same. */
export function replyTo({ certificates, keys, settings }: Found): Reloaded {
  if (typeof certificates !== 'object' && typeof keys !== 'object' && !('problem' in settings)) {
    return { certificates, keys, settings };
  }
  const problems = [
    ...problemIn(certificates, ' The certificates in use stay.'),
    ...problemIn(keys, ' The token keys in use stay.'),
    ...problemIn(settings, ''), // It says so itself.
  ];
  const taken = [
    ...(certificates === 'changed' ? ['certificates'] : []),
    ...(keys === 'changed' ? ['token keys'] : []),
    ...('problem' in settings ? [] : settings),
  ];
  const also = taken.length > 0 ? ` Taken up all the same: ${taken.join(', ')}.` : '';
  const hints = problems.flatMap(({ hint }) => hint ?? []);
  throw new Failure('conflict', problems.map(({ message }) => message).join(' ') + also, {
    ...(hints.length > 0 ? { hint: hints.join(' Then: ') } : {}),
  });
}

/** The line of the log, for whoever sent a signal and gets no reply: said each time, also of what was wrong before. */
export function describeReload({ certificates, keys, settings }: Found): {
  readonly level: 'info' | 'warn';
  readonly fields: Readonly<Record<string, string>>;
  readonly message: string;
} {
  const found = { certificates, keys, settings: 'problem' in settings ? settings : settings.join(', ') || 'unchanged' };
  const fields = Object.fromEntries(Object.entries(found).map(([what, state]) => [what, stateOf(state)]));
  const states = Object.values(found);
  if (states.some((state) => typeof state === 'object')) {
    return { level: 'warn', fields, message: 'reloaded, but for what is wrong: there what was in use stays' };
  }
  if (states.every((state) => state === 'unchanged')) {
    return { level: 'info', fields: {}, message: 'reloaded: nothing has changed' };
  }
  return { level: 'info', fields, message: 'reloaded' };
}

function stateOf(state: string | { readonly problem: unknown }): string {
  if (typeof state === 'string') return state;
  return state.problem instanceof Error ? state.problem.message : String(state.problem);
}

/** The file that is wrong is no parameter of the caller's. What is no refusal is a bug, and stays one. */
function problemIn(state: Look | Found['settings'], outcome: string): readonly { message: string; hint?: string }[] {
  if (typeof state !== 'object' || !('problem' in state)) return [];
  if (!(state.problem instanceof Failure)) throw state.problem;
  const { hint } = state.problem.details;
  return [{ message: state.problem.message + outcome, ...(hint === undefined ? {} : { hint }) }];
}
