// The program of every Node.js app's process: `node <folder>/loaders/node/start.js <title>`.
//
// It inherits three descriptors (channel.js), prepares what the app finds (http servers, PhusionPassenger, cluster),
// and runs the entry file as `node <entry file>` does: CommonJS or an ES module, with top-level await.
'use strict';

const fs = require('fs');
const Module = require('module');
const path = require('path');

const backtrace = require('./backtrace');
const { Channel } = require('./channel');
const { ListenTakeover } = require('./listen_takeover');
const { Scoreboard } = require('./scoreboard');
const { Shutdown } = require('./shutdown');
const passengerApi = require('./passenger_api');
const startFailure = require('./start_failure');

const FIRST_LINE_OF_ERROR = 'the entry file cannot be read';

function main() {
  const channel = new Channel();
  const configuration = channel.readConfiguration();
  const entryFile = path.resolve(configuration.app_root, configuration.startup_file);
  process.title = `jumpseat: loading ${configuration.group}`;
  process.argv = [process.argv[0], entryFile];

  const failure = startFailure.watch(channel, entryFile, configuration.friendly);
  if (!isReadable(entryFile, failure)) {
    return;
  }
  backtrace.install(channel);
  const scoreboard = new Scoreboard(configuration);
  const api = passengerApi.install();
  new ListenTakeover(configuration, api, scoreboard, (server, own) => {
    failure.stop();
    serve(server, own, { configuration, channel, api, scoreboard });
  }).install();
  leaveNoTrace();
  Module.runMain();
  failure.hearOfTheEndLast();
}

// The app listens. From now on the supervisor is told what the process has reached, and says when it is to end.
function serve(server, own, { configuration, channel, api, scoreboard }) {
  const shutdown = new Shutdown(server, own, api);
  process.title = `jumpseat: worker of ${configuration.group}`;
  process.on('exit', () => scoreboard.close());
  const received = (message) => {
    if (message.type === 'shutdown') {
      shutdown.begin(message.deadline);
    } else if (message.type === 'cancel') {
      scoreboard.cancel(message.cell, BigInt(message.since));
    }
  };
  channel.listen(received, () => shutdown.begin(0));
  scoreboard.onMaxRequests = (requests) => {
    channel.send({ type: 'max_requests_reached', requests });
    if (configuration.stop_at_max_requests) {
      channel.keepAlive();
      server.close();
    }
  };
  channel.send({ type: 'ready', runtime: channel.runtime });
}

function isReadable(entryFile, failure) {
  try {
    fs.closeSync(fs.openSync(entryFile));
    return true;
  } catch (error) {
    failure.report('read the entry file', `${entryFile}: ${error.message || FIRST_LINE_OF_ERROR}`);
    process.exitCode = 1;
    return false;
  }
}

// The app finds none of our modules, and is the main module itself.
function leaveNoTrace() {
  for (const file of Object.keys(require.cache)) {
    if (path.dirname(file) === __dirname) {
      delete require.cache[file];
    }
  }
}

main();
