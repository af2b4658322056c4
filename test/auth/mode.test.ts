import type { ConnectionOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { AuthMode } from '../../src/model/user.ts';
import { shareServer } from '../support/shared-server.ts';
import { testPassword, WireClient } from '../support/wire-client.ts';
import { clientAuthority, makeOddCertificate, userUri } from './odd-certificate.ts';

const modes: readonly AuthMode[] = ['token', 'mutual', 'either', 'both'];
const credentials = { user: 'admin', password: testPassword };

describe.each(modes)('auth.mode %s', (mode) => {
  const server = shareServer({ mode });

  async function open(user?: string): Promise<WireClient> {
    const options: ConnectionOptions = user
      ? makeOddCertificate(await clientAuthority(server().certs), { names: [userUri(user)] })
      : {};
    return WireClient.open(server(), options);
  }

  const codeOf = async (client: WireClient, method: string, params = {}) =>
    (await client.ask(method, params))?.error?.data.code ?? 'done';

  test('without a certificate', async () => {
    const client = await open();
    const needsCertificate = mode === 'mutual' || mode === 'both';
    const offered = needsCertificate ? 'login-required' : 'done';
    expect(await codeOf(client, 'hello')).toBe('done');
    expect(await codeOf(client, 'enroll', { code: 'A'.repeat(22) })).toBe('login-failed');
    expect(await codeOf(client, 'view')).toBe('login-required');
    expect(await codeOf(client, 'ping')).toBe(offered);
    expect(await codeOf(client, 'login', credentials)).toBe(offered);
    expect(await codeOf(client, 'view')).toBe(offered);
    const second = await open();
    expect(await codeOf(second, 'authenticate', { token: server().grant['accessToken'] })).toBe(offered);
    expect(await codeOf(second, 'view')).toBe(offered);
    const third = await open();
    expect(await codeOf(third, 'refresh', { refreshToken: server().grant['refreshToken'] })).toBe(offered);
    expect(await codeOf(third, 'user.list')).toBe(offered);
  });

  test('with a good one', async () => {
    const client = await open('admin');
    const byCertificate = mode === 'mutual' || mode === 'either' ? 'done' : 'login-required';
    expect(await codeOf(client, 'hello')).toBe('done');
    expect(await codeOf(client, 'ping')).toBe('done');
    expect(await codeOf(client, 'view')).toBe(byCertificate);
    expect(await codeOf(client, 'login', credentials)).toBe(mode === 'mutual' ? 'login-required' : 'done');
    expect(await codeOf(client, 'view')).toBe('done');
    const second = await open('admin');
    const { accessToken: token } = server().grant;
    expect(await codeOf(second, 'authenticate', { token })).toBe(mode === 'mutual' ? 'login-required' : 'done');
    expect(await codeOf(second, 'view')).toBe('done');
  });

  test('with a bad one', async () => {
    const client = await open('nobody');
    const reply = await client.ask('hello');
    if (mode === 'token') expect(reply).toHaveProperty('result');
    else expect(reply).toMatchObject({ id: null, error: { code: 1010, data: { reason: 'unknown-user' } } });
  });

  test('certificate and token must name the same user', async () => {
    const administrator = await open('admin');
    if (mode !== 'mutual') await administrator.ask('login', credentials);
    await administrator.ask('user.add', { user: 'other', role: 'viewer' });
    const client = await open('other');
    const login = await codeOf(client, 'login', credentials);
    expect(login).toBe({ token: 'done', mutual: 'login-required', either: 'login-failed', both: 'login-failed' }[mode]);
    const second = await open('other');
    const refused = mode === 'token' ? 'done' : 'login-required';
    expect(await codeOf(second, 'authenticate', { token: server().grant['accessToken'] })).toBe(refused);
    const expected = { token: 'admin', mutual: 'other', either: 'other', both: undefined }[mode];
    expect((await second.ask('whoami'))?.result?.['user']).toBe(expected);
  });
});
