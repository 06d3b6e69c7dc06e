// What is told of an app that fails to start, beside the reason: the errors, each with its stack, where modules are
// looked for, and the environment. The supervisor reads the source lines and hides secrets
// (loaders/program/node_failure.py).
'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const Module = require('module');
const { fileURLToPath } = require('url');

const MOST_ERRORS = 8;
const LONGEST_STACK = 32768; // characters
const LONGEST_VALUE = 500; // characters of a variable
const MOST_VARIABLES = 200;
const LONGEST_CHECK = 3000; // milliseconds
const MOST_MODULES = 500; // that are checked
const AS_MODULE = ['--experimental-vm-modules', '--no-warnings'];

// Return what led to an error, the first cause first, and it; then the parts of an AggregateError.
function errorsOf(error) {
  const chain = [];
  const seen = new Set();
  for (let current = error; current !== undefined && chain.length < MOST_ERRORS && !seen.has(current); ) {
    seen.add(current);
    chain.unshift(told(current, chain.length === 0 ? '' : 'cause'));
    current = current instanceof Error ? current.cause : undefined;
  }
  const parts = error instanceof AggregateError ? Array.from(error.errors) : [];
  return chain.concat(parts.slice(0, MOST_ERRORS - 1).map((part) => told(part, 'part')));
}

function told(error, link) {
  return { title: titleOf(error), link, stack: stackOf(error).slice(0, LONGEST_STACK) };
}

// An error of the app's own class may do anything when it is asked for its name.
function titleOf(error) {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
  } catch {
    return 'an error that cannot be shown';
  }
}

function stackOf(error) {
  try {
    return String((error instanceof Error && error.stack) || '');
  } catch {
    return '';
  }
}

function searchPath(entryFile) {
  return Module.createRequire(entryFile).resolve.paths('a-package') || [];
}

function environment() {
  const names = Object.keys(process.env).sort().slice(0, MOST_VARIABLES);
  return Object.fromEntries(names.map((name) => [name, process.env[name].slice(0, LONGEST_VALUE)]));
}

// Return the line that an error of syntax in an ES module is at, as `file:line`; empty if it is not found. The error
// does not say it. So a process of its own reads the entry file and the modules that it imports, and runs none.
function syntaxErrorPlace(entryFile) {
  const { stderr } = spawnSync(process.execPath, [...AS_MODULE, __filename, entryFile], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST_CHECK,
  });
  const [place] = String(stderr).split('\n', 1);
  return /^\/.*:\d+$/.test(place) ? place : '';
}

// In that process. Node.js itself writes the place of an error that nobody catches.
function checkModules(entryFile) {
  const { SourceTextModule } = require('vm');
  const files = new Set([fs.realpathSync(entryFile)]);
  for (const file of files) {
    const isModule = !/\.(cjs|json|node|wasm)$/.test(file) && fs.existsSync(file) && files.size <= MOST_MODULES;
    const source = isModule ? fs.readFileSync(file, 'utf8') : '';
    for (const name of specifiers(new SourceTextModule(source, { identifier: file }))) {
      if (/^(\.{0,2}\/|file:)/.test(name)) {
        files.add(fileURLToPath(new URL(name, `file://${encodeURI(file)}`)));
      }
    }
  }
}

function specifiers(module) {
  return module.dependencySpecifiers || module.moduleRequests.map(({ specifier }) => specifier);
}

if (require.main === module) {
  checkModules(process.argv[2]);
}

module.exports = { environment, errorsOf, searchPath, syntaxErrorPlace, titleOf };
