import { testPassword, type WireReply } from '../support/wire-client.ts';
import type { LoadedServer } from './loaded-server.ts';

/** Somebody with a password, what a login gave them last, and the device on which that was. */
export interface Person {
  readonly user: string;
  readonly device: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Somebody new, who chooses a password. */
export async function enrollPerson(server: LoadedServer, user: string): Promise<Person> {
  const code = await server.invite(user);
  return server.converse(async (client) => {
    await client.ask('enroll', { code });
    return readGrant(await client.ask('enroll', { password: testPassword }));
  });
}

/** Logs in by password, on a connection of its own, as from a device that is known. */
export async function logIn(server: LoadedServer, { user, device }: Person): Promise<Person> {
  return server.converse(async (client) =>
    readGrant(await client.ask('login', { user, device, password: testPassword })),
  );
}

/** What a login or a refresh gives. */
export function readGrant(reply: WireReply | undefined): Person {
  if (!reply?.result) throw new Error(`A login was refused: ${JSON.stringify(reply?.error ?? 'closed')}`);
  const text = (name: string) => String(reply.result?.[name]);
  return {
    user: text('user'),
    device: text('device'),
    accessToken: text('accessToken'),
    refreshToken: text('refreshToken'),
  };
}
