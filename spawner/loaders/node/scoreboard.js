// What this worker writes into its slot of the group's scoreboard (docs/protocol.md, section 6).
//
// Requests that begin and end within one turn of the event loop cost one write: what has changed is written when the
// turn is over. Only the step from idle to busy is written at once, because the turn that follows may be long.
'use strict';

const fs = require('fs');

const { SCOREBOARD } = require('./channel');

const CELLS = 128;
const CELL_SIZE = 512; // bytes; the header is as long
const LONGEST_TEXT = 488;
const NO_REQUEST = Buffer.alloc(24);
const UNLIMITED = 65536; // requests at a time
const FREE = 0;
const SERVING = 1;

class Scoreboard {
  constructor(configuration) {
    this.offset = configuration.scoreboard_offset;
    this.maxRequests = configuration.max_requests;
    this.onMaxRequests = () => {}; // called once, with the number of requests that were begun
    this.running = 0;
    this.begun = 0;
    this.counted = new WeakSet();
    this.freeCells = Array.from({ length: CELLS }, (_, number) => CELLS - 1 - number);
    this.shown = new Map(); // by number of the cell: the request that is in it
    this.changedCells = new Map(); // the same for the cells that are to be written; null: it is free
    this.hiddenDeadlines = new Set(); // of the requests without a cell
    this.isFlushPlanned = false;
    this.header = Buffer.alloc(48);
    this.header.writeUInt32LE(SERVING, 0);
    this.header.writeUInt32LE(process.pid, 4);
    this.header.writeUInt32LE(configuration.capacity || UNLIMITED, 12);
    this.header.writeBigUInt64LE(process.hrtime.bigint(), 32);
  }

  // `answer`: what is closed when the request is over: the response, or the socket of a tunnel. `deadline`: when the
  // request has to be over; 0n: it has none. Such a request is written at once: it may keep the event loop busy.
  requestStarted(request, answer, deadline = 0n) {
    if (this.counted.has(request)) {
      return; // the app has given it from one of its listeners to another one
    }
    this.counted.add(request);
    this.begun += 1;
    this.running += 1;
    const entry = { request, answer, deadline, since: process.hrtime.bigint(), cell: this.freeCells.pop() };
    this.show(entry);
    if (this.running === 1) {
      this.header.writeBigUInt64LE(entry.since, 24);
      this.writeHeader();
    }
    answer.once('close', () => this.requestFinished(entry));
    this.planFlush();
    if (deadline) {
      this.flush();
    }
    if (this.begun === this.maxRequests) {
      this.onMaxRequests(this.begun);
    }
  }

  show(entry) {
    if (entry.cell !== undefined) {
      this.shown.set(entry.cell, entry);
      this.changedCells.set(entry.cell, entry);
    } else if (entry.deadline) {
      this.hiddenDeadlines.add(entry);
    }
  }

  hide(entry) {
    if (entry.cell !== undefined) {
      this.shown.delete(entry.cell);
      this.changedCells.set(entry.cell, null);
      this.freeCells.push(entry.cell);
    } else {
      this.hiddenDeadlines.delete(entry);
    }
  }

  // End the request that has been in a cell since then, if it still is: its client has been answered already.
  cancel(cell, since) {
    const entry = this.shown.get(cell);
    if (entry !== undefined && entry.since === since) {
      entry.answer.destroy();
    }
  }

  requestFinished(entry) {
    this.running -= 1;
    this.hide(entry);
    if (this.running === 0) {
      this.header.writeBigUInt64LE(process.hrtime.bigint(), 32);
    }
    this.planFlush();
  }

  planFlush() {
    if (!this.isFlushPlanned) {
      this.isFlushPlanned = true;
      setImmediate(() => this.flush());
    }
  }

  flush() {
    this.isFlushPlanned = false;
    for (const [cell, entry] of this.changedCells) {
      const data = entry === null ? NO_REQUEST : cellOf(entry);
      this.write(data, this.offset + CELL_SIZE * (1 + cell));
    }
    this.changedCells.clear();
    this.writeHeader();
  }

  writeHeader() {
    this.header.writeUInt32LE(this.running, 8);
    this.header.writeBigUInt64LE(BigInt(this.begun - this.running), 16);
    this.header.writeBigUInt64LE(this.firstHiddenDeadline(), 40);
    this.write(this.header, this.offset);
  }

  firstHiddenDeadline() {
    let first = 0n;
    for (const { deadline } of this.hiddenDeadlines) {
      first = first === 0n || deadline < first ? deadline : first;
    }
    return first;
  }

  // The process ends: its slot is free.
  close() {
    this.header.writeUInt32LE(FREE, 0);
    this.flush();
  }

  write(data, position) {
    try {
      fs.writeSync(SCOREBOARD, data, 0, data.length, position);
    } catch {
      // an app that closes what is not its own is not shown
    }
  }
}

function cellOf({ request, since, deadline }) {
  const { method, headers, url } = request;
  const text = Buffer.from(`REQUEST_METHOD\0${method}\0HTTP_HOST\0${headers.host || ''}\0REQUEST_URI\0${url}\0`, 'latin1');
  const shown = text.subarray(0, LONGEST_TEXT);
  const cell = Buffer.alloc(24 + shown.length);
  cell.writeUInt32LE(1, 0);
  cell.writeUInt32LE(shown.length, 4);
  cell.writeBigUInt64LE(since, 8);
  cell.writeBigUInt64LE(deadline, 16);
  shown.copy(cell, 24);
  return cell;
}

module.exports = { Scoreboard };
