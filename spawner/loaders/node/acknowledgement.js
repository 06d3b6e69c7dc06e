// What the module in httpd asks of a worker besides HTTP, by headers of the request (docs/protocol.md, sections 2 and
// 10): to say that it has the request, not to begin one that has waited too long, and how long the app may take.
'use strict';

const ACKNOWLEDGE = 'jumpseat-acknowledge';
const START_BEFORE = 'jumpseat-start-before';
const TIME_LIMIT = 'jumpseat-time-limit';
const OURS = 'jumpseat-';

const TIME = /^[0-9]{1,18}$/;
const TOO_LATE = 'HTTP/1.1 102 Too Late\r\n\r\n';
const NANOSECONDS = 1000000n; // in a millisecond

// Say that this process has the request, if the module wants to know it, and remove its headers: the app sees none.
//
// Return when the app has to have answered, in ns of CLOCK_MONOTONIC; 0: at any time; null: the app must not be called,
// because the module has given the request up.
function acknowledge(request, response, route) {
  const { [ACKNOWLEDGE]: wanted, [START_BEFORE]: startBefore, [TIME_LIMIT]: timeLimit } = request.headers;
  if (wanted === undefined) {
    return 0n;
  }
  removeOurs(request);
  if (wanted !== '1') {
    return 0n;
  }
  if (![startBefore, timeLimit].every((time) => time === undefined || TIME.test(time))) {
    response.writeHead(400, { 'Content-Length': 0 });
    response.end();
    return null;
  }
  response._writeRaw(route ? `HTTP/1.1 102 Processing\r\nRoute: ${route}\r\n\r\n` : 'HTTP/1.1 102 Processing\r\n\r\n');
  const now = process.hrtime.bigint();
  if (startBefore !== undefined && now >= BigInt(startBefore)) {
    response._writeRaw(TOO_LATE);
    response.socket.end();
    return null;
  }
  return timeLimit === undefined ? 0n : now + BigInt(timeLimit) * NANOSECONDS;
}

function removeOurs(request) {
  for (const name of [ACKNOWLEDGE, START_BEFORE, TIME_LIMIT]) {
    delete request.headers[name];
  }
  const { rawHeaders } = request;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index].toLowerCase().startsWith(OURS)) {
      rawHeaders.splice(index, 2);
    }
  }
}

module.exports = { acknowledge };
