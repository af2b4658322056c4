import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

// As little as it takes to hold TLS connections: it answers each chunk with a line. Its parent gets its port.

const [folder = ''] = process.argv.slice(2);
const [key, cert] = ['server-key.pem', 'server.pem'].map((name) => readFileSync(`${folder}/${name}`));
const server = createServer({ key, cert, minVersion: 'TLSv1.3', ALPNProtocols: ['secure-inv/1'] }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('data', () => socket.write('{}\n'));
});
server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
process.once('disconnect', () => process.exit());
