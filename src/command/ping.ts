import { definePublic } from './command.ts';
import { empty } from './field.ts';

/** Keeps a connection open, and shows that the server answers. */
export const ping = definePublic({
  name: 'ping',
  summary: 'Ask the server for a sign of life.',
  permission: 'anyone',
  params: empty,
  result: empty,
  shell: { words: [], examples: ['secure-inv ping'], render: () => 'The server answers.' },
  async handle() {
    return {};
  },
});
