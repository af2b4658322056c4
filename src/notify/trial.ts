import { randomUUID } from 'node:crypto';
import type { Outcome, Webhook } from './webhook.ts';

/** The name of the message in its body, for ever. */
const trialEvent = 'test';

/** How one webhook took a message that is about nothing. */
export interface Trial {
  /** No more of the URL: the rest may be a secret. */
  readonly host: string;
  readonly outcome: Outcome;
}

/** Sends each webhook one message that is in no outbox, all at once, and does not try again: for an operator who waits. */
export function tryWebhooks(webhooks: readonly Webhook[]): Promise<readonly Trial[]> {
  const { signal } = new AbortController();
  return Promise.all(
    webhooks.map(async (webhook) => {
      const id = randomUUID();
      const body = JSON.stringify({ id, event: trialEvent, at: new Date().toISOString() });
      return { host: webhook.host, outcome: await webhook.post({ id, body }, signal) };
    }),
  );
}
