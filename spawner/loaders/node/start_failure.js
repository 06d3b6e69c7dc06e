// Tells the supervisor why an app does not come to listen: an error that nobody catches, or an end before.
'use strict';

const fs = require('fs');

const errorReport = require('./error_report');

const LONGEST_SUMMARY = 1000; // characters
const PLACE = /^(file:\/\/)?\/.*:\d+\n/; // at the beginning of a stack
const APP_CALL = /\n +at .*[( ](file:\/\/)?\/.*:\d+:\d+/;
const UNSETTLED_AWAIT = 13; // the exit status of Node.js when an `await` at the top of a module never ends

class StartFailure {
  // `friendly`: with what only a friendly error page shows.
  constructor(channel, entryFile, friendly) {
    this.channel = channel;
    this.entryFile = entryFile;
    this.friendly = friendly;
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

  // `error`: what was thrown, if anything was; `place`: where, if its stack does not say it.
  report(step, summary, error, place = '') {
    if (this.isOver) {
      return;
    }
    this.isOver = true;
    const exceptions = error === undefined ? [] : errorReport.errorsOf(error);
    if (place !== '') {
      exceptions[exceptions.length - 1].stack = `${place}\n${exceptions[exceptions.length - 1].stack}`;
    }
    this.channel.sendAndWait({
      type: 'failed',
      step,
      summary: summary.slice(0, LONGEST_SUMMARY),
      traceback: withoutOurs(exceptions.map(({ stack }) => stack).join('\n\n')),
      runtime: this.channel.runtime,
      executable: process.execPath,
      search_path: errorReport.searchPath(this.entryFile),
      exceptions: this.friendly ? exceptions : [],
      environment: this.friendly ? errorReport.environment() : {},
    });
  }

  // An app that catches such errors by itself goes on.
  uncaught(error) {
    if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) {
      return;
    }
    const summary = errorReport.titleOf(error);
    if (!(error instanceof SyntaxError)) {
      this.report('import the app', summary, error);
      return;
    }
    const stack = withoutOurs(String(error.stack));
    const isPlaced = PLACE.test(stack) || APP_CALL.test(stack);
    const place = isPlaced ? '' : errorReport.syntaxErrorPlace(this.entryFile);
    const step = this.isOfEntryFile(isPlaced ? stack : place) ? 'compile the entry file' : 'import the app';
    this.report(step, summary, error, place);
  }

  // The stack of an error of syntax begins with the place, or there is none.
  isOfEntryFile(stack) {
    const [first] = String(stack).split('\n', 1);
    const file = fs.realpathSync(this.entryFile);
    return first === '' || [file, `file://${encodeURI(file)}`].some((place) => first.startsWith(`${place}:`));
  }

  ended(status) {
    if (this.isOver) {
      return;
    }
    if (process.exitCode === UNSETTLED_AWAIT) {
      this.report('import the app', 'the app has ended: an `await` at the top of a module waits for what never comes');
    } else if (this.hasNothingToDo) {
      this.report('find the application', 'the app has ended without a server that listens: http.Server.listen() was not called');
    } else {
      this.report('import the app', `the app has ended its process with status ${status} before it listened`, endOf(status));
    }
    process.exitCode = 1;
  }
}

// Return who has called process.exit(), as an error; undefined if that was no line of the app.
function endOf(status) {
  const error = new Error(`the process is ended with status ${status}`);
  error.stack = withoutOurs(error.stack);
  return APP_CALL.test(error.stack) ? error : undefined;
}

function withoutOurs(stack) {
  return stack.split('\n').filter((line) => !line.includes(`${__dirname}/`)).join('\n');
}

function watch(channel, entryFile, friendly) {
  const failure = new StartFailure(channel, entryFile, friendly);
  failure.install();
  return failure;
}

module.exports = { watch };
