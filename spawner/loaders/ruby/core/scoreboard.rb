# frozen_string_literal: true

require_relative "native"

module JumpseatLoader
  # The scoreboard of a group (docs/protocol.md, section 6): a file in memory, of which each worker writes one slot.
  # Every change is one write, and fields are copied whole, so a reader never sees half a field.
  class Scoreboard
    CELLS = 128 # of a slot: a worker can be in more requests, which are counted and not shown
    CELL_SIZE = 512 # bytes; the header is as long
    SLOT_SIZE = CELL_SIZE * (1 + CELLS)

    # `file`: of the memfd; owned from now on.
    def initialize(file)
      @size = file.stat.size
      @board = Native.available? ? Native.map(file, @size) : FileBoard.new(file)
    end

    # Returns the writer of slot `number`, counted from 0, for a worker with so many threads. `most`: how many requests it
    # can be in, with and without a thread; nil: any number. Raises ArgumentError when there is no such slot.
    def slot(number, threads, most)
      if number.negative? || (number + 1) * SLOT_SIZE > @size
        raise ArgumentError, "the scoreboard has no slot #{number}"
      end

      SlotWriter.new(@board, number * SLOT_SIZE, threads, most)
    end
  end

  # A scoreboard that cannot be mapped: each write is a system call.
  class FileBoard
    def initialize(file)
      @file = file
    end

    def []=(offset, _length, bytes)
      @file.pwrite(bytes, offset)
    end
  end

  # Writes one worker's slot. Any thread may start and finish requests.
  #
  # A request whose connection the app has taken over needs no thread any more. It is shown behind those that do.
  #
  # Invariants: `running` is how many requests have started and not finished; it, `@takeovers` and the header change under
  # `@lock`. Takeover n of `@takeovers` is shown in cell `@threads` + n.
  class SlotWriter
    HEADER = "L<4Q<4"
    HEADER_SIZE = 48 # bytes
    FREE = 0
    SERVING = 1
    OUT_OF_BAND = 2

    # How many requests it has served, and in how many it is.
    attr_reader :requests, :running

    # `threads`, `most`: as for Scoreboard#slot.
    def initialize(board, offset, threads, most)
      @board = board
      @offset = offset
      @threads = @capacity = threads
      @most = most
      @state = FREE
      @takeovers = []
      @takeover_finished = ConditionVariable.new
      @pid = Process.pid
      @lock = Mutex.new
      @requests = @running = @busy_since = @hidden_deadline = 0
      @hidden_deadlines = {}
      @cells = Array.new(threads) { |number| new_cell(number) }
      @taken = Array.new(threads, false)
      @idle_since = now
    end

    # The worker accepts; it has served nothing. The worker that had the slot before may have been killed in a request.
    def worker_ready
      @cells.each(&:clear)
      @idle_since = now
      write_header(SERVING)
    end

    # Whether it is in as many requests as it can be in.
    def full?
      !@most.nil? && @running >= @most
    end

    # How many requests have a thread.
    def in_threads
      @lock.synchronize { @running - @takeovers.size }
    end

    # A connection has been accepted. Returns the first cell that is free.
    def request_started
      @lock.synchronize do
        @busy_since = now if @running.zero?
        @running += 1
        write_header(SERVING)
        cell = @cells[@taken.index(false)]
        @taken[cell.number] = true
        cell
      end
    end

    # The connection is closed, and its cell is empty. `served`: the app has been called.
    def request_finished(cell, served)
      @lock.synchronize do
        @taken[cell.number] = false
        end_request(served)
      end
    end

    # The app has taken the connection over: the request goes on without the thread, until `takeover_finished`.
    def request_taken_over(cell, takeover)
      @lock.synchronize do
        takeover_cell(@takeovers.size).fill(*takeover.shown)
        cell.clear
        @taken[cell.number] = false
        @takeovers << takeover
        count_capacity
        write_header(@state)
      end
    end

    # The last one takes the cell of the one that has finished.
    def takeover_finished(takeover)
      @lock.synchronize do
        last = @takeovers.pop
        index = @takeovers.index(takeover)
        if index
          @takeovers[index] = last
          takeover_cell(index).fill(*last.shown)
        end
        takeover_cell(@takeovers.size).clear
        count_capacity
        end_request(true)
        @takeover_finished.signal
      end
    end

    # Waits until the app has closed all connections that it has taken over.
    def wait_for_takeovers
      GC.start unless @takeovers.empty? # it may have dropped some
      @lock.synchronize do
        # With a time, or Ruby ends a process in which no other thread is left.
        @takeover_finished.wait(@lock, 1) until @takeovers.empty?
      end
    end

    # How many requests have started.
    def started
      @lock.synchronize { @requests + @running }
    end

    # The deadline of a request that is not shown, in ns; 0: it has none. The header has the first of them.
    def hide_deadline(number, deadline)
      return @lock.synchronize { hide_deadline(number, deadline) } unless @lock.owned?

      deadline.zero? ? @hidden_deadlines.delete(number) : @hidden_deadlines[number] = deadline
      @hidden_deadline = @hidden_deadlines.values.min || 0
      write_header(@state)
    end

    def out_of_band_work_started
      @lock.synchronize { write_header(OUT_OF_BAND) }
    end

    def out_of_band_work_finished
      @lock.synchronize do
        @idle_since = now
        write_header(SERVING)
      end
    end

    # The slot is free.
    def worker_ended
      write_header(FREE)
    end

    private

    def new_cell(number)
      return HiddenCell.new(self, number) if number >= Scoreboard::CELLS

      CellWriter.new(@board, @offset + Scoreboard::CELL_SIZE * (1 + number), number)
    end

    def end_request(served)
      @requests += 1 if served
      @running -= 1
      @idle_since = now if @running.zero?
      write_header(@state)
    end

    def takeover_cell(index)
      @takeover_cells ||= Hash.new { |cells, each| cells[each] = new_cell(@threads + each) }
      @takeover_cells[index]
    end

    def count_capacity
      @capacity = [@threads + @takeovers.size, @most].compact.min
    end

    def write_header(state)
      @state = state
      fields = [state, @pid, @running, @capacity, @requests, @busy_since, @idle_since, @hidden_deadline]
      @board[@offset, HEADER_SIZE] = fields.pack(HEADER)
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
    end
  end

  # Writes one cell: a request that the worker is in.
  class CellWriter
    CELL = "L<2Q<2a*"
    LONGEST_TEXT = 488 # bytes
    FIELDS_SIZE = 24 # bytes
    NO_REQUEST = ("\0" * FIELDS_SIZE).b.freeze

    # Which of its slot's cells it is, counted from 0.
    attr_reader :number

    def initialize(board, offset, number)
      @board = board
      @offset = offset
      @number = number
    end

    # A request has been accepted. `head`: the payload of its head; times in ns; a `deadline` of 0: never. The text of
    # the request before stays behind a shorter one: `length` says what counts.
    def fill(head, since, deadline)
      text = head.bytesize > LONGEST_TEXT ? head.byteslice(0, LONGEST_TEXT) : head
      @board[@offset, FIELDS_SIZE + text.bytesize] = [1, text.bytesize, since, deadline, text].pack(CELL)
    end

    # The request is over.
    def clear
      @board[@offset, FIELDS_SIZE] = NO_REQUEST
    end
  end

  # As CellWriter, for a request that finds no cell: only its deadline is written, if it is the first of all.
  class HiddenCell
    attr_reader :number

    def initialize(slot, number)
      @slot = slot
      @number = number
      @deadline = 0
    end

    def fill(_head, _since, deadline)
      @deadline = deadline
      @slot.hide_deadline(@number, deadline) unless deadline.zero?
    end

    def clear
      @slot.hide_deadline(@number, 0) unless @deadline.zero?
      @deadline = 0
    end
  end
end
