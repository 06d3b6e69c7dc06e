// Tells the supervisor why an app does not come to listen: an error that nobody catches, or an end before.
'use strict';

const fs = require('fs');

const LONGEST_SUMMARY = 1000; // characters
const UNSETTLED_AWAIT = 13; // the exit status of Node.js when an `await` at the top of a module never ends

class StartFailure {
  constructor(channel, entryFile) {
    this.channel = channel;
    this.entryFile = entryFile;
    this.isOver = false; // it listens, or has said that it fails
    this.hasNothingToDo = false;
    this.onError = (error) => this.uncaught(error);
    this.onIdle = () => {
      this.hasNothingToDo = true;
    };
    this.onExit = (status) => this.ended(status);
  }

  install() {
    process.on('uncaughtExceptionMonitor', this.onError);
    process.on('beforeExit', this.onIdle);
    process.on('exit', this.onExit);
  }

  // Hear of the end behind Node.js itself, which decides in a listener of its own what status an unsettled await has.
  hearOfTheEndLast() {
    if (!this.isOver) {
      process.off('exit', this.onExit);
      process.on('exit', this.onExit);
    }
  }

  // The app listens: what happens from now on is reported as Node.js does it.
  stop() {
    this.isOver = true;
    process.off('uncaughtExceptionMonitor', this.onError);
    process.off('beforeExit', this.onIdle);
    process.off('exit', this.onExit);
  }

  report(step, summary, traceback) {
    if (!this.isOver) {
      this.isOver = true;
      this.channel.sendAndWait({
        type: 'failed',
        step,
        summary: summary.slice(0, LONGEST_SUMMARY),
        traceback: withoutOurs(traceback),
        runtime: this.channel.runtime,
        executable: process.execPath,
      });
    }
  }

  // An app that catches such errors by itself goes on.
  uncaught(error) {
    if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) {
      return;
    }
    const isError = error instanceof Error;
    const stack = String((isError && error.stack) || error);
    const summary = isError ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
    this.report(this.doesNotCompile(error, stack) ? 'compile the entry file' : 'import the app', summary, stack);
  }

  // The stack of an error of syntax begins with the place; that of an ES module has no place in the app at all.
  doesNotCompile(error, stack) {
    const file = fs.realpathSync(this.entryFile);
    const isPlace = [file, `file://${file}`].some((place) => stack.startsWith(`${place}:`));
    return error instanceof SyntaxError && (isPlace || !/\((file:\/\/)?\/|at (file:\/\/)?\//.test(stack));
  }

  ended(status) {
    if (this.isOver) {
      return;
    }
    if (process.exitCode === UNSETTLED_AWAIT) {
      this.report('import the app', 'the app has ended: an `await` at the top of a module waits for what never comes', '');
    } else if (this.hasNothingToDo) {
      this.report('find the application', 'the app has ended without a server that listens: http.Server.listen() was not called', '');
    } else {
      this.report('import the app', `the app has ended its process with status ${status} before it listened`, '');
    }
    process.exitCode = status || 1;
  }
}

function withoutOurs(stack) {
  return stack.split('\n').filter((line) => !line.includes(`${__dirname}/`)).join('\n');
}

function watch(channel, entryFile) {
  const failure = new StartFailure(channel, entryFile);
  failure.install();
  return failure;
}

module.exports = { watch };
