// The channel to the supervisor: lines of JSON in both directions (loaders/program/node_program.py).
//
// Until the app listens it is read and written without the event loop: an app that fails to start says so before the
// process ends, and the supervisor has told the spawner before the spawner sees the end.
'use strict';

const fs = require('fs');
const net = require('net');

// What the process inherits.
const LISTENER = 3;
const CHANNEL = 4;
const SCOREBOARD = 5;
const ROUTE_LISTENER = 6; // only with sticky sessions

const PAUSE = 2; // milliseconds between two attempts on a channel that is empty, or full
const LONGEST_WAIT = 5000; // milliseconds for the supervisor to answer
const PIECE = 65536; // bytes

class Channel {
  constructor() {
    this.received = '';
    this.runtime = `Node.js ${process.versions.node}`;
    this.pauses = new Int32Array(new SharedArrayBuffer(4));
  }

  // Return what the supervisor has written before this process was started.
  readConfiguration() {
    return this.readMessage();
  }

  // Send a message. One that the supervisor cannot be told is lost: it has ended, and this process will.
  send(message) {
    let rest = Buffer.from(`${JSON.stringify(message)}\n`);
    this.retry(() => {
      while (rest.length > 0) {
        rest = rest.subarray(fs.writeSync(CHANNEL, rest));
      }
    });
  }

  // Send a message and wait until the supervisor has dealt with it.
  sendAndWait(message) {
    this.send(message);
    this.retry(() => {
      while (this.readMessage().type !== 'told');
    });
  }

  // From now on, call `received` with each message, and `ended` at the end of the channel. The app is not kept alive.
  listen(received, ended) {
    const socket = (this.socket = new net.Socket({ fd: CHANNEL, readable: true, writable: false }));
    socket.unref();
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      this.received += text;
      for (let message = this.nextMessage(); message !== null; message = this.nextMessage()) {
        received(message);
      }
    });
    socket.on('end', ended);
    socket.on('error', ended);
  }

  // Keep the process alive until it is told to end, also if it does nothing more.
  keepAlive() {
    this.socket.ref();
  }

  readMessage() {
    const piece = Buffer.alloc(PIECE);
    for (;;) {
      const message = this.nextMessage();
      if (message !== null) {
        return message;
      }
      const length = fs.readSync(CHANNEL, piece);
      if (length === 0) {
        throw new Error('the supervisor has ended');
      }
      this.received += piece.toString('utf8', 0, length);
    }
  }

  nextMessage() {
    const end = this.received.indexOf('\n');
    if (end < 0) {
      return null;
    }
    const line = this.received.slice(0, end);
    this.received = this.received.slice(end + 1);
    return JSON.parse(line);
  }

  // The descriptor may be non-blocking: then try again for a while.
  retry(action) {
    for (const end = Date.now() + LONGEST_WAIT; Date.now() < end; Atomics.wait(this.pauses, 0, 0, PAUSE)) {
      try {
        action();
        return;
      } catch (error) {
        if (error.code !== 'EAGAIN') {
          return;
        }
      }
    }
  }
}

module.exports = { Channel, LISTENER, ROUTE_LISTENER, SCOREBOARD };
