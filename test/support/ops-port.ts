import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { text } from 'node:stream/consumers';

/** A port of the loopback address that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What a page of the ops port says. */
export interface Page {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

/** Asks for a page; the headers may be wrong on purpose. */
export async function getPage(port: number, path: string, headers: Record<string, string> = {}): Promise<Page> {
  const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }).end();
  const [response] = await once(asked, 'response');
  return { status: response.statusCode, type: response.headers['content-type'], text: await text(response) };
}

/** The value of a metric with exactly these labels, written as Prometheus does; undefined when there is none. */
export function readMetric(metrics: string, series: string): number | undefined {
  const line = metrics.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
