import * as v from 'valibot';
import type { Invitation } from '../auth/accounts.ts';
import { Failure } from '../model/failure.ts';
import {
  cursorCharactersMax,
  operationLinesMax,
  pageRowsMax,
  passwordCharactersMax,
  publicIdCharactersMax,
  scopeLocationsMax,
} from '../model/limits.ts';
import { parseName, parseNote, userNamePattern, userNameRule } from '../model/name.ts';
import { countedRule, formatQuantity, parseCounted, parseQuantity, quantityRule } from '../model/quantity.ts';
import { type ItemStock, type Movement, movementKinds } from '../model/stock.ts';
import { roleNames } from '../model/user.ts';
import type { Screen } from './command.ts';
import { change, formatChange } from './item/change.ts';

// The fields that commands are made of: each is checked, cleaned and described here and nowhere else.

const timePattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Lets a model's parser judge a field; its refusal becomes the field's. */
export function parsedBy<Input, Output>(parse: (input: Input) => Output) {
  return v.rawTransform<Input, Output>(({ dataset, addIssue, NEVER }) => {
    try {
      return parse(dataset.value);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      addIssue({ message: error.message });
      return NEVER;
    }
  });
}

// A description stands before the parser: the OpenRPC document shows what goes in, which ends there.
export const item = v.pipe(
  v.string(),
  v.description('the item: its name, SKU or barcode'),
  parsedBy((text) => parseName(text, 'item')),
);
export const location = v.pipe(
  v.string(),
  v.description('the place where the stock is kept (default: main)'),
  parsedBy((text) => parseName(text, 'location')),
);
/** Where a question looks; left out: everywhere. */
export const lookedAt = v.pipe(location, v.description('only what is there (default: all locations)'));
/** A place of somebody's own choice; without a default. */
export const place = v.pipe(
  v.string(),
  v.description('the name of the location'),
  parsedBy((text) => parseName(text, 'location')),
);
/** What something that there is shall be called. */
export const newName = v.pipe(
  v.string(),
  v.description('the new name'),
  parsedBy((text) => parseName(text, 'name')),
);
export const places = v.pipe(
  v.array(place),
  v.minLength(1, 'locations must not be empty'),
  v.maxLength(scopeLocationsMax, `locations may be at most ${scopeLocationsMax}`),
  v.description('the only locations that the user may know of'),
);
export const quantity = v.pipe(
  v.number((issue) => `${quantityRule} (got ${issue.received}).`),
  v.description('how many: a positive number with at most 3 decimals'),
  parsedBy(parseQuantity),
);
/** How many somebody found; none, too. */
export const counted = v.pipe(
  v.number((issue) => `${countedRule} (got ${issue.received}).`),
  v.description('how many there are: 0 or a positive number with at most 3 decimals'),
  parsedBy(parseCounted),
);
const seqRule = 'the number of a movement is a whole number from 1';
/** A movement's number. */
export const seq = v.pipe(
  v.number(seqRule),
  v.safeInteger(seqRule),
  v.minValue(1, seqRule),
  v.description('the number of a movement, as history shows it'),
);
export const note = v.pipe(v.string(), v.description('a remark kept with the movement'), parsedBy(parseNote));
export const operation = v.pipe(
  v.string(),
  v.regex(
    /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, // No flag, which a JSON schema could not carry.
    'operation must be a UUID such as 0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e',
  ),
  v.toLowerCase(),
  v.description('the UUID of this operation: sent again, it is not counted again'),
);
export const userName = v.pipe(v.string(), v.regex(userNamePattern, userNameRule), v.description('the name of a user'));
export const tokenName = v.pipe(
  v.string(),
  v.description('what to call the token, such as the machine that has it'),
  parsedBy((text) => parseName(text, 'name')),
);
export const role = v.pipe(
  v.picklist(roleNames, `role must be one of ${roleNames.join(', ')}`),
  v.description(`what the user may do: ${roleNames.join(', ')}`),
);
/** Long passwords are refused before anybody hashes them. */
export const password = v.pipe(
  v.string(),
  v.maxLength(passwordCharactersMax * 2, 'The password is too long'),
  v.description('the password'),
);
export const token = v.pipe(v.string(), v.description('the token'));
/** What a list shows for a login or an API token; no secret. */
export const publicId = v.pipe(
  v.string(),
  v.maxLength(publicIdCharactersMax, `id may have at most ${publicIdCharactersMax} characters`),
);
const limitRule = `limit must be a whole number from 1 to ${pageRowsMax}`;
export const limit = v.pipe(
  v.number(limitRule),
  v.integer(limitRule),
  v.minValue(1, limitRule),
  v.maxValue(pageRowsMax, limitRule),
  v.description(`how many rows a page has, at most ${pageRowsMax} (default: 100)`),
);
export const cursor = v.pipe(
  v.string(),
  v.maxLength(cursorCharactersMax),
  v.description('where the page before ended: its cursor'),
);
export const movementKind = v.pipe(
  v.picklist(movementKinds, `kind must be one of ${movementKinds.join(', ')}`),
  v.description(`one of ${movementKinds.join(', ')}`),
);
const time = v.pipe(
  v.string(),
  v.check(
    (text) => timePattern.test(text) && !Number.isNaN(Date.parse(text)) && isDay(text.slice(0, 10)),
    'a time must be like 2026-05-03 or 2026-05-03T14:02:00Z',
  ),
  v.description('a time such as 2026-05-03 or 2026-05-03T14:02:00Z (RFC 3339)'),
);
export const since = v.pipe(
  time,
  v.description('from this time on, itself included: 2026-05-03 (from its beginning, UTC) or 2026-05-03T14:02:00Z'),
);
export const until = v.pipe(
  time,
  v.description('up to this time, itself included: 2026-05-03 (to its end, UTC) or 2026-05-03T14:02:00Z'),
);

/** JavaScript takes 30 February for 2 March. */
function isDay(day: string): boolean {
  const at = Date.parse(day);
  return !Number.isNaN(at) && formatTime(at).startsWith(day);
}

/**
 * The first millisecond that `since` means, and the last that `until` does: of a day its last, or whoever asks for today
 * would see nothing of it. Failures: `bad-params` when there is nothing between.
 */
export function parseSpan(asked: { readonly since?: string | undefined; readonly until?: string | undefined }) {
  const since = asked.since === undefined ? undefined : Date.parse(asked.since);
  const isDay = asked.until?.length === 10;
  const until = asked.until === undefined ? undefined : Date.parse(asked.until) + (isDay ? 86_400_000 - 1 : 0);
  if (since === undefined || until === undefined || since <= until) return { since, until };
  throw new Failure('bad-params', `since is after until (${asked.since}, ${asked.until}): nothing is between them.`, {
    hint: 'Give the earlier time as since.',
  });
}

export const empty = v.strictObject({});

export const lines = v.pipe(
  v.array(v.strictObject({ item, quantity, location: v.optional(location) })),
  v.minLength(1, 'lines must not be empty'),
  v.maxLength(operationLinesMax, `lines may be at most ${operationLinesMax}; import a file instead`),
  v.description('several movements that happen all or not at all'),
);

export const movementResult = v.object({
  item: v.string(),
  location: v.string(),
  quantity: v.number(),
  balance: v.number(),
  seq: v.number(),
  operation: v.string(),
  at: v.string(),
  created: v.optional(v.boolean()),
  low: v.optional(v.boolean()),
});
export const itemStock = v.object({
  item: v.string(),
  quantity: v.number(),
  unit: v.string(),
  locations: v.array(v.object({ location: v.string(), quantity: v.number() })),
  precision: v.number(),
  sku: v.optional(v.string()),
  barcode: v.optional(v.string()),
  category: v.optional(v.string()),
  description: v.optional(v.string()),
  lowAt: v.optional(v.number()),
});
export const movement = v.object({
  seq: v.number(),
  at: v.string(),
  kind: v.string(),
  item: v.string(),
  location: v.string(),
  delta: v.number(),
  balance: v.number(),
  user: v.string(),
  note: v.optional(v.string()),
  operation: v.string(),
  change: v.optional(change),
  low: v.optional(v.boolean()),
  undoes: v.optional(v.number()),
});
export const grant = v.object({
  accessToken: v.string(),
  refreshToken: v.string(),
  expiresAt: v.string(),
  user: v.string(),
  role: v.string(),
  device: v.optional(v.string()),
  /** Of a login, for those who may see to it: what the server warns of. */
  notices: v.optional(v.array(v.string())),
});
export const user = v.object({ user: v.string(), role: v.string() });
/** Shown inside a command to paste into a shell: a server that is not ours must not put a quote there. */
const enrolmentCode = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/));
export const invitation = v.object({ user: v.string(), role: v.string(), code: enrolmentCode, expiresAt: v.string() });

/** The locations that somebody is limited to, for people; null: not limited. */
export function renderPlaces(locations: readonly string[] | undefined): string {
  return locations === undefined ? 'everywhere' : locations.join(', ') || 'nowhere';
}

/** RFC 3339 in UTC. */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** An item as the wire shows it. */
export function formatItem(stock: ItemStock): v.InferOutput<typeof itemStock> {
  const { sku, barcode, category, description, lowAt } = stock;
  return {
    item: stock.item,
    quantity: formatQuantity(stock.quantity),
    unit: stock.unit,
    locations: stock.locations.map((at) => ({ location: at.location, quantity: formatQuantity(at.quantity) })),
    precision: stock.precision,
    ...(sku === null ? {} : { sku }),
    ...(barcode === null ? {} : { barcode }),
    ...(category === null ? {} : { category }),
    ...(description === null ? {} : { description }),
    ...(lowAt === null ? {} : { lowAt: formatQuantity(lowAt) }),
  };
}

/** A movement as the wire shows it. */
export function formatMovement({
  at,
  delta,
  balance,
  note,
  change,
  low,
  ...rest
}: Movement): v.InferOutput<typeof movement> {
  return {
    ...rest,
    at: formatTime(at),
    delta: formatQuantity(delta),
    balance: formatQuantity(balance),
    ...(note === null ? {} : { note }),
    ...(change === null ? {} : { change: formatChange(change) }),
    ...(low ? { low } : {}),
  };
}

/** A new or reset user with the code that only this reply holds. */
export function formatInvitation({ user, code, expiresAt }: Invitation): v.InferOutput<typeof invitation> {
  return { user: user.user, role: user.role, code, expiresAt: formatTime(expiresAt) };
}

/** The link for the user, which the server does not know: it is made of the address that this client uses. */
export function completeInvitation({ code }: v.InferOutput<typeof invitation>, screen: Screen): { link: string } {
  return { link: screen.enrolmentLink(code) };
}

/** The link for the user, and how to use it. */
export function renderInvitation(result: v.InferOutput<typeof invitation>, screen: Screen): string {
  return [
    `${result.user} (${result.role}) sets a password with this link, once, before ${result.expiresAt}:`,
    `  secure-inv enroll '${screen.enrolmentLink(result.code)}'`,
  ].join('\n');
}
