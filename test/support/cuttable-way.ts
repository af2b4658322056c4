import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a server that can be cut: whatever is on it is lost, at any byte. */
export interface CuttableWay {
  readonly port: number;
  /** How many connections went this way. */
  readonly connections: number;
  cut(): void;
}

/** Opens a way to wherever `target` says that the server is at that moment. */
export async function openWay(target: () => number): Promise<CuttableWay> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((from) => {
    connections++;
    const to = connect(target(), '127.0.0.1');
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        from.destroy();
        to.destroy();
      });
    }
    from.pipe(to).pipe(from);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    cut();
  });
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return {
    port,
    get connections() {
      return connections;
    },
    cut,
  };
}
