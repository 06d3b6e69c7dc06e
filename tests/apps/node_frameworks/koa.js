const Koa = require('koa');
const { Readable } = require('stream');

const app = new Koa({ proxy: true });
app.use(async (context) => {
  if (context.path === '/stream') {
    context.body = Readable.from(['first\n', 'last\n']);
  } else if (context.path === '/fail') {
    throw new Error('on purpose');
  } else {
    const pieces = [];
    for await (const piece of context.req) {
      pieces.push(piece);
    }
    context.body = { sent: JSON.parse(Buffer.concat(pieces)), ip: context.ip, host: context.hostname };
  }
});
app.listen(3000);
