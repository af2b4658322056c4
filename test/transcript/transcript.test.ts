import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'vitest';
import { TranscriptPlayer } from '../support/transcript-player.ts';

const folder = new URL('.', import.meta.url);
const transcripts = readdirSync(folder).filter((file) => file.endsWith('.txt'));

test.concurrent.for(transcripts)('%s goes as it is told', async (file, { expect, onTestFinished }) => {
  const transcript = new URL(file, folder);
  const player = await TranscriptPlayer.open();
  onTestFinished(() => player.close());
  await expect(await player.play(readFileSync(transcript, 'utf8'))).toMatchFileSnapshot(transcript.pathname);
});
