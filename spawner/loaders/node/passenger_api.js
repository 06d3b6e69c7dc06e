// What an app finds that was written for Phusion Passenger, or for Node.js's own way to have several processes.
'use strict';

const { EventEmitter } = require('events');
const Module = require('module');

const CLUSTER = new Set(['cluster', 'node:cluster']);
const NO_FORK =
  'cluster.fork() is not for apps behind Apache: PassengerMinInstances and PassengerMaxInstances say how many processes there are';

// The global PhusionPassenger. The event `exit` asks the app to end; it has to end its process then.
class PhusionPassenger extends EventEmitter {
  constructor(api) {
    super();
    this.configure = (options) => {
      if (options && options.autoInstall !== undefined) {
        api.autoInstall = Boolean(options.autoInstall);
      }
    };
  }
}

// In place of the module `cluster`: this process is a worker, and forks none.
class Cluster extends EventEmitter {
  constructor() {
    super();
    this.isMaster = false;
    this.isPrimary = false;
    this.isWorker = true;
    this.settings = {};
    this.workers = {};
    this.worker = Object.assign(new EventEmitter(), {
      id: 1,
      process,
      isConnected: () => false,
      isDead: () => false,
      disconnect: () => {},
      kill: () => {},
      send: () => false,
    });
  }

  setupMaster() {}

  setupPrimary() {}

  disconnect(callback) {
    if (callback) {
      setImmediate(callback);
    }
  }

  fork() {
    throw new Error(NO_FORK);
  }
}

// Return `autoInstall` (whether the first server that listens is taken), `passenger`, and what the server is in:
// `openResponses`, and `connections`, of which each is kept for another request or not.
function install() {
  const api = { autoInstall: true, openResponses: new Set(), connections: new Map() };
  api.passenger = new PhusionPassenger(api);
  global.PhusionPassenger = api.passenger;
  const cluster = new Cluster();
  const load = Module._load;
  Module._load = function loadOrStandIn(request, ...rest) {
    return CLUSTER.has(request) ? cluster : load.call(this, request, ...rest);
  };
  return api;
}

module.exports = { install };
