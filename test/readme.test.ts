import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TranscriptPlayer } from './support/transcript-player.ts';

const page = ['../README.md', '../config/OPERATING.md']
  .map((path) => readFileSync(new URL(path, import.meta.url), 'utf8'))
  .join('');

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  );
}

/** What a person would do before the first line, and the link and the password they would paste and type. */
const beginning = `$ secure-invd &
secure-inv 0.1.0 is listening on 127.0.0.1:<PORT> (TLS 1.3, auth.mode either, pid <PID>).
Server authority, SHA-256: <FINGERPRINT>
Nobody can administer this server yet. In another terminal, before <TIME> UTC, set your password:
  npx secure-inv enroll '<LINK>'
`;
const asTyped = (text: string) =>
  text
    .replace(
      "enroll 'secure-inv://127.0.0.1:7443/enroll#CODE.FINGERPRINT'",
      "enroll '<LINK>' --password-stdin <<< 'seven green bottles'",
    )
    .replaceAll('127.0.0.1:7443', '127.0.0.1:<PORT>');

test('the sessions of the README go as it says', async () => {
  const told = beginning + blocks('console').map(asTyped).join('');
  expect(blocks('console')).toHaveLength(2);
  const player = await TranscriptPlayer.open();
  try {
    expect(await player.play(told)).toBe(told);
  } finally {
    await player.close();
  }
});

test('the commands for the operator work, in the order of the pages', async () => {
  // .ci/run does the first and the third block; the second is `npm link`, here with a place of its own for the link.
  const [start, link = '', check, ...others] = blocks('sh');
  expect([start, check]).toEqual(['npm install && npm start\n', 'npm install && npm test\n']);
  expect(readFileSync(new URL('../.ci/run', import.meta.url), 'utf8')).toContain(check);
  const commands = [`npm_config_prefix=$HOME ${link.trim()}`, '"$HOME"/bin/secure-inv --version', 'npm run gen-certs'];
  for (const command of others.join('').trim().split('\n')) commands.push(command);
  expect(commands).toHaveLength(8);
  const player = await TranscriptPlayer.open();
  try {
    for (const command of commands) {
      // npx would compile the clone once more first, for which it lacks files; it said nothing of that, and passed.
      const told = `$ ${command.replace(/^npx /, '')} > output 2>&1 || { echo failed; cat output; }\n`;
      expect(await player.play(told)).toBe(told);
    }
  } finally {
    await player.close();
  }
});
