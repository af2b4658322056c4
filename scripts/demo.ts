import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { TranscriptPlayer } from '../test/support/transcript-player.ts';

// Plays sessions of test/transcript for somebody who watches: each with a server, certificates, a store and home folders
// of its own, all in a temporary folder that is gone afterwards.

const sessions = ['first-session', 'menu', 'users', 'logout-login', 'certificates', 'config', 'retry'];

const usage = `Usage: npm run demo [-- SESSION...]

Plays sessions with a throw-away server, shows each command and what it prints, and leaves nothing behind.
SESSION is the name of a file in test/transcript without .txt; by default: ${sessions.join(', ')}.
`;

let current: Promise<TranscriptPlayer> | undefined;

async function play(session: string): Promise<void> {
  const told = readFileSync(new URL(`../test/transcript/${session}.txt`, import.meta.url), 'utf8');
  current = TranscriptPlayer.open(show);
  const player = await current;
  try {
    const played = await player.play(told);
    if (played !== told) throw new Error(`${session}.txt: ${firstDifference(told.split('\n'), played.split('\n'))}`);
  } finally {
    await player.close();
  }
  show('');
}

async function playAll(names: readonly string[]): Promise<void> {
  for (const name of names) await play(name);
  show('# All of this went as it is told in test/transcript, and nothing of it is left.');
}

function show(line: string): void {
  const isTyped = /^[a-z0-9]*\$ /.test(line);
  process.stdout.write(`${line.startsWith('# ') ? pc.bold(line) : isTyped ? pc.cyan(line) : line}\n`);
}

function firstDifference(told: readonly string[], played: readonly string[]): string {
  const at = told.findIndex((line, index) => line !== played[index]);
  return `line ${at + 1} should be\n  ${told[at] ?? '(the end)'}\nand is\n  ${played[at] ?? '(the end)'}`;
}

// A terminal that is gone takes no more lines; what was made must be removed all the same.
process.stdout.on('error', () => undefined);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    await (await current)?.close();
    process.exit(128 + constants.signals[signal]);
  });
}

const { values, positionals } = parseArgs({ options: { help: { type: 'boolean' } }, allowPositionals: true });
try {
  if (values.help) process.stdout.write(usage);
  else await playAll(positionals.length > 0 ? positionals : sessions);
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
