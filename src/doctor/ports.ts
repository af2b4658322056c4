import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:tls';
import type { ServerConfig } from '../config/server-schema.ts';
import { Failure } from '../model/failure.ts';
import { printable } from '../model/printable.ts';
import { assertCanListen } from '../server/listen.ts';
import { alpnProtocol } from '../wire/message.ts';
import type { Diagnosis, Examination } from './diagnosis.ts';
import { problemOf } from './files.ts';

/** Nothing on this machine takes longer to say what it is. */
const answerMillisecondsMax = 3000;
/** Nor says more: whoever holds the port may be anybody. */
const answerCharactersMax = 4096;

/** Whether the ports are free, or this very server's. `authority` is the server authority, PEM, if there is one. */
export async function* examinePorts({ listen, ops }: ServerConfig, authority: string | undefined): Examination {
  yield await examinePort('port', listen.host, listen.port, () => isOurs(listen, authority));
  if (ops.port === 0) return;
  const todo = 'Stop what has it, or choose another port, or 0 for none: SECURE_INV_OPS_PORT=0 npm start';
  yield await examinePort('ops port', '127.0.0.1', ops.port, () => askReadiness(ops.port), todo);
}

async function examinePort(
  check: string,
  host: string,
  port: number,
  ask: () => Promise<string | Diagnosis | undefined>,
  ifTaken?: string,
): Promise<Diagnosis> {
  if (port === 0) return { check, level: 'ok', message: 'Any free port is taken.' };
  try {
    await assertCanListen(host, port);
    return { check, level: 'ok', message: `Port ${port} on ${host} is free.` };
  } catch (error) {
    const isTaken = error instanceof Failure && error.code === 'conflict';
    const found = isTaken ? await ask() : undefined;
    if (found === undefined) return { ...problemOf(check, error), ...(isTaken && ifTaken ? { todo: ifTaken } : {}) };
    return typeof found === 'string' ? { check, level: 'ok', message: found } : found;
  }
}

/** Says so if whoever listens there has a certificate of this folder's authority. */
function isOurs({ host, port }: ServerConfig['listen'], ca: string | undefined): Promise<string | undefined> {
  if (ca === undefined) return Promise.resolve(undefined);
  const there = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return new Promise((resolve) => {
    const socket = connect({
      host: there,
      port,
      ca,
      timeout: answerMillisecondsMax,
      ALPNProtocols: [alpnProtocol],
      // Who it is matters here, not by which name.
      checkServerIdentity: () => undefined,
    });
    const end = (found: string | undefined) => {
      resolve(found);
      socket.destroy();
    };
    socket.once('secureConnect', () => end(`Port ${port} on ${host} is in use by this server.`));
    socket.once('error', () => end(undefined));
    socket.once('timeout', () => end(undefined));
  });
}

/** What a server on the ops port says of itself; undefined if it is none of ours. */
async function askReadiness(port: number): Promise<string | Diagnosis | undefined> {
  const check = 'ops port';
  const said = await new Promise<string | undefined>((resolve) => {
    const url = `http://127.0.0.1:${port}/readyz`;
    const asked = get(url, { signal: AbortSignal.timeout(answerMillisecondsMax) }, (response) => {
      readShort(response).then(resolve, () => resolve(undefined));
    });
    asked.once('error', () => resolve(undefined));
  });
  if (said === 'ready\n') return `Port ${port} on 127.0.0.1 is in use by a server that says it is ready.`;
  if (!said?.endsWith('not ready\n')) return undefined;
  const problems = said.trim().split('\n').slice(0, -1).join(', ').slice(0, 300);
  const message = `The server says it is not ready: ${printable(problems)}`;
  return { check, level: 'problem', message, todo: 'See its log.' };
}

/** The body; undefined when it is too long, and then the rest of it does not come. */
async function readShort(response: IncomingMessage): Promise<string | undefined> {
  let said = '';
  for await (const chunk of response.setEncoding('utf8')) {
    said += chunk;
    if (said.length > answerCharactersMax) return undefined; // Which leaves the loop, and so ends the connection.
  }
  return said;
}
