# what: http server and client: 200 requests on kept connections, 8 MiB echoed, a refused port
# version: node --version
# needs: nodejs
cat >main.js <<'JS'
const http = require('http'), crypto = require('crypto'), assert = require('assert');
const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
const server = http.createServer((request, response) => request.pipe(response));
function echo(port, size) {
  const data = crypto.randomBytes(size);
  return new Promise((done, fail) => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('end', () => done(assert(Buffer.concat(parts).equals(data))));
    });
    request.on('error', fail).end(data);
  });
}
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  await Promise.all(Array.from({ length: 200 }, () => echo(port, 10000)));
  await echo(port, 8 << 20);
  agent.destroy();
  server.close(() => http.get({ port, host: '127.0.0.1' }).on('error', (error) => assert.equal(error.code, 'ECONNREFUSED')));
});
JS
node main.js
