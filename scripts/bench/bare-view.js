// As little as it takes to ask one thing over TLS: PORT CA-FILE TOKEN-FILE.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

const [port, ca, token] = process.argv.slice(2);
const socket = connect({
  host: '127.0.0.1',
  port: Number(port),
  ca: readFileSync(ca),
  servername: '',
  ALPNProtocols: ['secure-inv/1'],
});
const params = { token: readFileSync(token, 'utf8') };
socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'authenticate', params })}\n`);
socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'view', params: {} })}\n`);
let text = '';
socket.on('data', (chunk) => {
  text += chunk;
  if (text.split('\n').length < 3) return;
  process.stdout.write(text);
  socket.destroy();
});
