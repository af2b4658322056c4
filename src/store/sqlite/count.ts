import { Failure } from '../../model/failure.ts';
import { movedSinceMax } from '../../model/limits.ts';
import { formatQuantity } from '../../model/quantity.ts';
import type { Location } from '../../model/stock.ts';
import type { Database } from './database.ts';
import type { StockedItem } from './items.ts';

/** Who counts waits for no longer search than this: about a millisecond. */
const movementsSearchedMax = 4096;

interface MovedRow {
  readonly at: number;
  readonly delta: number;
  readonly user: string;
}

/** What to say to a counter who had seen `ifSeq`, while `last` is the last movement of the item at the location. */
export function movedSince(
  database: Database,
  item: StockedItem,
  location: Location,
  { ifSeq, last, now }: { readonly ifSeq: number; readonly last: number; readonly now: number },
): Failure {
  const rows = database.all<MovedRow>(
    `SELECT at, delta, user.name AS user FROM movement JOIN user ON user.id = user_id
     WHERE seq > ? AND seq <= ? AND item_id = ? AND location_id = ? ORDER BY seq DESC LIMIT ?`,
    Math.max(ifSeq, last - movementsSearchedMax),
    last,
    item.id,
    location.id,
    movedSinceMax + 1,
  );
  const told = rows.slice(0, movedSinceMax).map(({ at, delta, user }) => {
    return `${formatDelta(delta)} by ${user} at ${formatMoment(at, now)}`;
  });
  const more = rows.length > movedSinceMax ? ', and more' : '';
  return new Failure('conflict', `Stock moved since: ${told.join(', ')}${more}.`, {
    hint: `Look at ${item.name} and count again; its last movement at ${location.name} is ${last}.`,
  });
}

function formatDelta(delta: number): string {
  return delta < 0 ? String(formatQuantity(delta)) : `+${formatQuantity(delta)}`;
}

/** To the minute in UTC, without the date of the same day. */
function formatMoment(at: number, now: number): string {
  const [day = '', time = ''] = new Date(at).toISOString().split('T');
  const isToday = new Date(now).toISOString().startsWith(day);
  return `${isToday ? '' : `${day} `}${time.slice(0, 5)} UTC`;
}
