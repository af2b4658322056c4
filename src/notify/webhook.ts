import { createHmac, hash } from 'node:crypto';
import { Agent, request } from 'node:https';
import type { SecureContext } from 'node:tls';
import { webhookSecondsMax } from '../model/limits.ts';
import { version } from '../package.ts';
import type { Delivery } from '../store/store.ts';

/** What messages to any webhook are sent with. */
interface WebhookOptions {
  /** Each message is signed under it. */
  readonly secret: string;
  /** Whom receivers are trusted by. */
  readonly trust: SecureContext;
}

/** How one try ended: delivered, or why not, in words that hold nothing of the URL and nothing that the receiver said. */
export type Outcome = { readonly isDelivered: true } | { readonly isDelivered: false; readonly reason: string };

/** How the store names a webhook: its URL may hold a secret, which is not to lie in the store and its backups. */
export function webhookKey(url: string): string {
  return hash('sha256', url, 'base64url');
}

/** The value of the header `Secure-Inv-Signature`: HMAC-SHA-256 of the time, a dot and the body. */
function signBody(secret: string, seconds: number, body: string): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}

/**
 * One receiver, named by the operator's configuration. That is the only source of URLs: nothing that a user sends, and
 * nothing that a receiver answers, decides where the server connects to; redirects are not followed, answers not read.
 * What users name (items, locations, themselves) is in the body alone, as JSON.
 */
export class Webhook {
  /** How the store names it. */
  readonly key: string;
  readonly #url: URL;
  readonly #options: WebhookOptions;
  readonly #agent: Agent;

  constructor(url: string, options: WebhookOptions) {
    this.key = webhookKey(url);
    this.#url = new URL(url);
    this.#options = options;
    // Of its own, so that no proxy of the environment gets in between. A connection for each message: they are rare.
    this.#agent = new Agent({
      keepAlive: false,
      secureContext: options.trust,
      rejectUnauthorized: true, // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    });
  }

  /** What people may see of the URL; the rest may be a secret. */
  get host(): string {
    return this.#url.host;
  }

  /** Tries once, for at most 10 s from the name's resolution to the answer's head. Never rejects. */
  post({ id, body }: Pick<Delivery, 'id' | 'body'>, stop: AbortSignal): Promise<Outcome> {
    const { secret } = this.#options;
    const bytes = Buffer.from(body);
    const seconds = Math.floor(Date.now() / 1000); // Not the server's own time: receivers compare it with theirs.
    const overdue = AbortSignal.timeout(webhookSecondsMax * 1000);
    return new Promise((resolve) => {
      const fail = (reason: string) => resolve({ isDelivered: false, reason });
      const sent = request(this.#url, {
        method: 'POST',
        agent: this.#agent,
        signal: AbortSignal.any([overdue, stop]),
        headers: {
          'content-type': 'application/json',
          'content-length': bytes.length,
          'user-agent': `secure-inv/${version}`,
          'secure-inv-delivery': id,
          'secure-inv-signature': signBody(secret, seconds, body),
        },
      });
      sent.on('response', (answer) => {
        const { statusCode = 0 } = answer;
        // Whatever its body says, it could only be long or slow.
        answer.on('error', () => undefined).destroy();
        if (statusCode >= 200 && statusCode < 300) resolve({ isDelivered: true });
        else fail(`HTTP status ${statusCode}`);
      });
      sent.on('error', (error) => fail(overdue.aborted ? `no answer within ${webhookSecondsMax} s` : reasonOf(error)));
      // Also when the connection was given up for a reason that is no error, such as an upgrade nobody asked for.
      sent.on('close', () => fail('the connection was closed'));
      sent.end(bytes);
    });
  }
}

/** The stable code of an error; its text might quote what was sent. */
function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
