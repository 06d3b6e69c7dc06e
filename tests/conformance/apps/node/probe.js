// The probe of the conformance suite for Node.js (README.md says what it does).
'use strict';

const fs = require('fs');
const http = require('http');

const MODE = process.env.PROBE || '';

function fail() {
  throw new Error('the probe fails on purpose');
}

function waitHere(name) {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  while (!fs.existsSync(name)) {
    Atomics.wait(nothing, 0, 0, 10);
  }
}

async function waitFor(name) {
  while (!fs.existsSync(name)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function ok(request, query, response, { body = 'ok', status = [200, 'OK'], headers = {} } = {}) {
  response.writeHead(...status, { 'Content-Type': 'text/plain', 'X-Pid': process.pid, ...headers });
  response.end(body);
}

const answers = {
  '': ok,
  async echo(request, query, response) {
    const pieces = [];
    for await (const piece of request) {
      pieces.push(piece);
    }
    ok(request, query, response, { body: Buffer.concat(pieces) });
  },
  async wait(request, query, response) {
    console.log(`waiting${query}`);
    await waitFor(`gate${query}`);
    ok(request, query, response);
  },
  say(request, query, response) {
    console.log(query);
    ok(request, query, response);
  },
  async stream(request, query, response) {
    for (const piece of query.split(',')) {
      if (piece === 'wait') {
        await waitFor('gate');
      } else if (piece === 'fail') {
        response.destroy();
      } else {
        response.write(piece);
      }
    }
    response.end();
  },
  status(request, query, response) {
    const [, code, reason] = /^(...) (.*)$/.exec(query);
    ok(request, query, response, { body: 'body', status: [Number(code), reason] });
  },
  length(request, query, response) {
    const [declared, size] = query.split(',');
    ok(request, query, response, { body: 'x'.repeat(Number(size)), headers: { 'Content-Length': declared } });
  },
  kill() {
    process.kill(process.pid, 'SIGKILL');
  },
};

console.log('importing');
const modes = { fail, exit: () => process.exit(0), end: () => process.reallyExit(7) };
if (modes[MODE]) {
  modes[MODE]();
} else if (MODE === 'hang') {
  console.log('hanging');
  waitHere('gate');
}

process.on('exit', () => fs.writeSync(1, `before_exit in ${process.pid}\n`));
const server = http.createServer((request, response) => {
  const [path, query] = request.url.split('?');
  const name = path.slice(1);
  const isWait = name.startsWith('wait');
  answers[isWait ? 'wait' : name](request, decodeURIComponent(isWait ? name.slice(4) : query || ''), response);
});
server.listen(3000, () => console.log(`after_fork in ${process.pid}`));
