// Takes over the first `listen` of an http.Server of the app: it accepts on the group's socket, whatever port, path or
// options the app asks for.
'use strict';

const http = require('http');
const net = require('net');

const { acknowledge } = require('./acknowledgement');
const { LISTENER, ROUTE_LISTENER } = require('./channel');

const LOOPBACK = '127.0.0.1';
const NAMES = ['passenger', '/passenger']; // what apps listen on that know where they run
const REQUESTS = new Set(['request', 'checkContinue', 'checkExpectation']);
const TUNNELS = new Set(['upgrade', 'connect']);
const LARGEST_HEAD = 1 << 20; // bytes: httpd has its own limits, and 16 KB are few for cookies
const DEFAULT_BACKLOG = 511;

const originalListen = net.Server.prototype.listen;

// In place of the socket of a server that listens where nobody comes.
class NoHandle {
  close(callback) {
    if (callback) {
      setImmediate(callback);
    }
  }

  ref() {}

  unref() {}
}

class ListenTakeover {
  // `onListening`: called with the server once it accepts, and with what accepts on the worker's own socket, or null.
  constructor(configuration, api, scoreboard, onListening) {
    this.configuration = configuration;
    this.api = api;
    this.scoreboard = scoreboard;
    this.onListening = onListening;
    this.server = null;
  }

  install() {
    const takeover = this;
    net.Server.prototype.listen = function listen(...args) {
      if (this._handle || !takeover.isMeant(this, args)) {
        return originalListen.apply(this, args);
      }
      return takeover.listen(this, args);
    };
  }

  // Whether a server of the app is to serve what comes from httpd.
  isMeant(server, args) {
    const named = NAMES.includes(isOptions(args[0]) ? args[0].path : args[0]);
    if (!named && !this.api.autoInstall) {
      return false;
    }
    const kind = kindOfEncrypted(server);
    if (kind !== '') {
      throw new Error(`${kind} cannot listen behind Apache, which speaks TLS and HTTP/2 with the clients: use http.createServer()`);
    }
    return server instanceof http.Server || named;
  }

  listen(server, args) {
    const callback = args[args.length - 1];
    if (typeof callback === 'function') {
      server.once('listening', callback);
    }
    server.address = () => requestedAddress(args);
    const { signal } = isOptions(args[0]) ? args[0] : {};
    if (this.server !== null) {
      // A second one, as some frameworks make it for ::1 beside 127.0.0.1.
      server._handle = new NoHandle();
      process.nextTick(() => server._handle && server.emit('listening'));
      return server;
    }
    this.server = server;
    this.watch(server);
    server.once('listening', () => {
      const own = this.configuration.route ? this.listenForRoute(server) : null;
      this.onListening(server, own);
    });
    const backlog = this.configuration.backlog || DEFAULT_BACKLOG;
    const { own_socket: ownSocket } = this.configuration;
    return originalListen.call(server, ownSocket ? { path: ownSocket, signal } : { fd: LISTENER, backlog, signal });
  }

  // Serve also what comes to the worker's own socket (sticky sessions). Return what listens there.
  listenForRoute(server) {
    const listener = net.createServer((socket) => server.emit('connection', socket));
    return originalListen.call(listener, { fd: ROUTE_LISTENER, backlog: this.configuration.backlog || DEFAULT_BACKLOG });
  }

  // Count the requests of the server, and give its sockets the address that they have for the app.
  watch(server) {
    const { scoreboard, configuration } = this;
    const { openResponses, connections } = this.api;
    const { emit } = server;
    server.maxHeaderSize = server.maxHeaderSize || LARGEST_HEAD;
    server.emit = function emitCounted(event, first, second, third) {
      if (event === 'connection') {
        setAddress(first);
        connections.set(first, false);
        first.once('close', () => connections.delete(first));
      } else if (REQUESTS.has(event) && !openResponses.has(second)) {
        const deadline = acknowledge(first, second, configuration.route);
        if (deadline === null) {
          return true;
        }
        scoreboard.requestStarted(first, second, deadline);
        const isLast = configuration.stop_at_max_requests && scoreboard.begun === configuration.max_requests;
        if (configuration.own_socket || isLast) {
          second.shouldKeepAlive = false; // the supervisor counts connections; httpd must not ask for more
        }
        const { socket } = first;
        connections.set(socket, false);
        openResponses.add(second);
        second.once('close', () => {
          openResponses.delete(second);
          if (connections.has(socket)) {
            connections.set(socket, true);
          }
        });
      } else if (TUNNELS.has(event)) {
        scoreboard.requestStarted(first, second);
      }
      return emit.call(this, event, first, second, third);
    };
  }
}

function isOptions(value) {
  return typeof value === 'object' && value !== null;
}

// Return what to call a server that speaks TLS or HTTP/2; empty for every other one.
function kindOfEncrypted(server) {
  const name = server.constructor.name;
  if (name === 'Http2Server' || name === 'Http2SecureServer') {
    return 'an HTTP/2 server';
  }
  const isTls = server instanceof require('tls').Server;
  return isTls && server instanceof require('https').Server ? 'an HTTPS server' : '';
}

// Return the address that the app has asked for: it may log it.
function requestedAddress(args) {
  const [first, second] = args;
  const options = isOptions(first) ? first : { port: first, host: second };
  const isPath = typeof options.port === 'string' && Number.isNaN(Number(options.port));
  if (options.path || isPath) {
    return options.path || options.port;
  }
  const host = typeof options.host === 'string' ? options.host : '::';
  return { address: host, family: host.includes(':') ? 'IPv6' : 'IPv4', port: Number(options.port) || 0 };
}

// The sockets are Unix sockets, which have no address. Apps expect one.
function setAddress(socket) {
  Object.defineProperties(socket, {
    remoteAddress: { value: LOOPBACK, configurable: true },
    remoteFamily: { value: 'IPv4', configurable: true },
    remotePort: { value: 0, configurable: true },
  });
}

module.exports = { ListenTakeover };
