import * as v from 'valibot';
import { definePublic } from './command.ts';
import { empty, formatTime } from './field.ts';

/** What a stranger may know of a server. */
export const hello = definePublic({
  name: 'hello',
  summary: 'Say which server this is and how it wants to be logged in to.',
  permission: 'anyone',
  params: empty,
  result: v.object({ server: v.string(), version: v.string(), authMode: v.string(), time: v.string() }),
  async handle(_params, { server: { version, authMode }, now }) {
    return { server: 'secure-inv', version, authMode, time: formatTime(now) };
  },
});
