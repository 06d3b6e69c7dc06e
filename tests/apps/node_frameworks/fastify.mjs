import { Readable } from 'node:stream';
import Fastify from 'fastify';

const app = Fastify({ trustProxy: true });
app.post('/echo', async (request) => ({ sent: request.body, ip: request.ip, host: request.hostname }));
app.get('/stream', (request, reply) => reply.send(Readable.from(['first\n', 'last\n'])));
app.get('/fail', async () => {
  throw new Error('on purpose');
});
console.log(await app.listen({ port: 3000 })); // for 127.0.0.1 and ::1
