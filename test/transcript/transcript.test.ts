import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'vitest';
import { TranscriptPlayer } from '../support/transcript-player.ts';

/** Several are played at once, each with a server and dozens of programs, perhaps on a busy machine. */
const millisecondsMax = 90_000;

const folder = new URL('.', import.meta.url);
const transcripts = readdirSync(folder).filter((file) => file.endsWith('.txt'));

test.concurrent.for(transcripts)(
  '%s goes as it is told',
  { timeout: millisecondsMax },
  async (file, { expect, onTestFinished }) => {
    const transcript = new URL(file, folder);
    const player = await TranscriptPlayer.open();
    onTestFinished(() => player.close());
    await expect(await player.play(readFileSync(transcript, 'utf8'))).toMatchFileSnapshot(transcript.pathname);
  },
);
