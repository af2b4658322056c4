import { renderChange } from '../../command/item/change.ts';
import { watch } from '../../command/watch.ts';
import { type WatchedMovement, watchMovements } from '../watch.ts';
import { addRemote } from './remote.ts';
import { withSession } from './session.ts';
import type { Shell } from './shell.ts';

/** `watch`: a line for each movement, until somebody stops it. Ctrl-C ends it as it ends any program. */
export function addWatch(shell: Shell): void {
  addRemote(shell, watch, (params) =>
    withSession(shell, async (session) => {
      const format = shell.options().json ? JSON.stringify : sentence;
      // Whoever reads a part of it, as `head` does, has what they want.
      const closing = new AbortController();
      process.stdout.once('error', () => closing.abort());
      const { signal } = closing;
      const onLost = (failure: Error) =>
        void process.stderr.write(`${failure.message} Watching goes on when the server is back.\n`);
      for await (const movement of watchMovements(session, params, { signal, onLost })) {
        process.stdout.write(`${format(movement)}\n`);
      }
    }),
  );
}

function sentence({ seq, at, kind, item, location, delta, balance, user, note, low, change: edit }: WatchedMovement) {
  const time = `${at.slice(0, 19).replace('T', ' ')} UTC`;
  if (edit)
    return `${time}  #${seq}  ${item} edited by ${user}: ${renderChange(edit)}${note === undefined ? '' : ` (${note})`}`;
  // The sign says which of the two it is.
  const what = kind === 'add' || kind === 'take' ? '' : `${kind} `;
  const change = `${what}${delta < 0 ? '' : '+'}${delta} ${item} at ${location} by ${user} → ${balance}`;
  return `${time}  #${seq}  ${change}${note === undefined ? '' : ` (${note})`}${low ? '  Low stock.' : ''}`;
}
