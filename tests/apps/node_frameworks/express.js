const express = require('express');

const app = express();
app.set('trust proxy', 'loopback');
app.use(express.json());
app.post('/echo', (request, response) => response.json({ sent: request.body, ip: request.ip, host: request.hostname }));
app.get('/stream', (request, response) => {
  response.write('first\n');
  setImmediate(() => response.end('last\n'));
});
app.get('/fail', () => {
  throw new Error('on purpose');
});
app.listen(process.env.PORT || 3000);
