// How a worker goes when it is told to: by the supervisor, or by SIGTERM.
'use strict';

const net = require('net');

const SIGNALS = ['SIGTERM', 'SIGINT'];
const QUIET_TURNS = 3;
const BEFORE_THE_DEADLINE = 1000; // milliseconds: connections that are open then are cut, so that exit hooks can run

class Shutdown {
  // `own`: what accepts on the worker's own socket, or null.
  constructor(server, own, api) {
    this.server = server;
    this.own = own;
    this.api = api;
    this.hasBegun = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => this.begin(0));
    }
  }

  // `deadline`: seconds of CLOCK_MONOTONIC when the process is killed; 0: there is no such time.
  //
  // An app that listens for the end of its process does what is to be done, and exits. For every other one the server
  // takes no further connection, and the process ends when the open requests are finished.
  begin(deadline) {
    if (deadline) {
      this.endBefore(deadline);
    }
    if (this.hasBegun) {
      return;
    }
    this.hasBegun = true;
    if (this.api.passenger.listenerCount('exit') > 0) {
      this.api.passenger.emit('exit');
    } else if (process.listenerCount('message') > 0) {
      process.emit('message', 'shutdown');
    } else {
      this.close();
    }
  }

  close() {
    const { server } = this;
    server.prependListener('request', (request, response) => this.closeAfter(response));
    // That of http.Server also closes idle connections, by rules that differ between versions of Node.js.
    const closed = [new Promise((resolve) => net.Server.prototype.close.call(server, resolve))];
    if (this.own !== null) {
      closed.push(this.closeOwn());
    }
    this.closeKept();
    this.closeAfterOpenOnes();
    Promise.all(closed).then(() => process.exit());
  }

  // The path of the worker's own socket has been removed before. A turn of the event loop may accept one of those that
  // wait there: when some turns have accepted nothing, nothing comes any more.
  closeOwn() {
    const { own } = this;
    let quietTurns = 0;
    own.on('connection', () => {
      quietTurns = 0;
    });
    return new Promise((resolve) => {
      const turn = () => {
        quietTurns += 1;
        if (quietTurns > QUIET_TURNS) {
          own.close(resolve);
        } else {
          setImmediate(turn);
        }
      };
      setImmediate(turn);
    });
  }

  // A response says that its connection is closed behind it, if it is not too late to say it.
  closeAfter(response) {
    if (!response.headersSent) {
      response.shouldKeepAlive = false;
    }
    response.once('close', () => setImmediate(() => this.closeKept()));
  }

  // Close the connections that have served a request and are kept for another one.
  closeKept() {
    for (const [socket, isKept] of this.api.connections) {
      if (isKept) {
        socket.destroy();
      }
    }
  }

  closeAfterOpenOnes() {
    for (const response of this.api.openResponses) {
      this.closeAfter(response);
    }
  }

  endBefore(deadline) {
    const left = deadline * 1000 - Number(process.hrtime.bigint() / 1000000n) - BEFORE_THE_DEADLINE;
    const timer = setTimeout(() => {
      this.server.closeAllConnections();
      process.exit();
    }, Math.max(0, left));
    timer.unref();
  }
}

module.exports = { Shutdown };
