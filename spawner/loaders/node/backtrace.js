// Shows what the event loop runs at this moment, also while one call of the app holds it up.
//
// SIGUSR1 makes Node.js start its inspector as soon as the main thread comes to an interrupt, of which V8 has one in
// each loop and each call. It then tells the process, by an event whose listener runs on top of the app's calls: so its
// stack has them. The inspector is closed in the same moment. Meanwhile it listens on a port of 127.0.0.1 that is chosen
// at random, and serves only who knows a name that it tells nobody (--inspect-publish-uid, docs/decisions/012).
'use strict';

const FLAG = '--inspect-publish-uid=';
const SIGNAL = 'SIGUSR1';
const STARTED = 'NODE_DEBUG_ENABLED';
const MOST_CALLS = 100;

// The supervisor is told when it may send the signal, and when it may not any more: the app listens for it itself.
function install(channel) {
  process.debugPort = 0;
  process.execArgv = process.execArgv.filter((argument) => !argument.startsWith(FLAG));
  let answers = false;
  process.on('internalMessage', (message) => {
    if (!message || message.cmd !== STARTED) {
      return;
    }
    process._debugEnd();
    if (!answers) { // one signal starts it up to three times: the next ones come on top of this listener, or after it
      answers = true;
      channel.send({ type: 'backtrace', stack: stack(), resources: process.getActiveResourcesInfo() });
      answers = false;
    }
  });
  process.on('newListener', (name) => {
    if (name === SIGNAL) {
      channel.send({ type: 'shows_backtraces', possible: false });
    }
  });
  channel.send({ type: 'shows_backtraces', possible: true });
}

function stack() {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = MOST_CALLS;
    Error.prepareStackTrace = undefined; // one of the app's own makes something else of it
    return String(new Error().stack);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

module.exports = { install };
