# frozen_string_literal: true

require_relative "native"

module JumpseatLoader
  # The sockets on which a worker accepts connections, the connections that it has kept for another request, and how it
  # waits for them and for its control descriptors.
  #
  # One epoll for each set of sockets that is watched at a time; the group's socket is watched exclusively, so that one
  # connection wakes one worker. The kernel passes over an epoll that nobody waits in. Only one thread may wait.
  class Listeners
    # What `wait` returns is the sum of these.
    GROUP = 1
    OWN = 2
    CONTROL = 4 # the first of the control descriptors; the next one is 8, and so on
    KEPT = 1 << 31 # kept connections: see `take_kept`
    MOST_KEPT = 128 # connections

    attr_reader :group, :own

    # `group`, `own`: descriptors of listening sockets; `own` may be nil; `control`: IO objects that every wait watches;
    # `threads`: how many serve.
    def initialize(group, own, control, threads)
      @group = UNIXServer.for_fd(group)
      @group.autoclose = false
      @own = own && UNIXServer.for_fd(own)
      @control = control
      @threads = threads
      @waiters = {}
    end

    # Waits until something is ready. `timeout`: 0 or -1 for ever. Returns 0 when nothing is, which may also happen when
    # a signal comes.
    def wait(with_group, with_own, timeout)
      waiter(with_group, with_own && !@own.nil?).wait(timeout)
    end

    # Has the next connection wake another worker: the kernel wakes them in the order of their registration.
    def prefer_other_workers
      @waiters.each { |(with_group, _), waiter| waiter.watch_again(@group) if with_group }
    end

    # Registers the sockets: from now on a connection wakes this worker.
    def prepare
      @main = waiter(true, !@own.nil?)
    end

    def close_own
      @own.close
      @own = nil
    end

    # Kept connections. They are watched together with the group's socket.

    # Whether another connection may be kept.
    def can_keep?
      @main.can_keep?
    end

    # A request on this connection is over, and another one may come.
    def keep(connection)
      @main.keep(connection)
    end

    # The connection is not to be watched any more: it is about to be closed, or the app's.
    def forget(connection)
      @main.forget(connection)
    end

    # Whether the last wait has found requests on kept connections that are not taken yet.
    def kept_ready?
      @main.kept_ready?
    end

    # Returns the connection of the first of them; nil if there is none.
    def take_kept
      @main.take_kept
    end

    # Closes those that wait for a request.
    def close_kept
      @main.close_kept
    end

    private

    def waiter(with_group, with_own)
      @waiters[[with_group, with_own]] ||= new_waiter(with_group, with_own)
    end

    def new_waiter(with_group, with_own)
      watched = []
      watched << [@group, GROUP] if with_group
      watched << [@own, OWN] if with_own
      @control.each_with_index { |io, index| watched << [io, CONTROL << index] }
      Native.available? ? Epoll.new(watched, @group, @threads > 1) : Select.new(watched)
    end
  end

  # Waits in epoll_wait(2). Not for the main thread (see Native).
  #
  # Invariants: a kept connection is in `@waiting`, or in `@taken` while a request on it is served, by its descriptor; it is
  # registered in both cases. With `once` the kernel does not watch one on which a request has come, because other threads
  # wait meanwhile; without, there is one thread. Those in `@ready` are in `@waiting`; it is empty before each wait.
  class Epoll
    IN = 0x1
    HANG_UP = 0x18 # EPOLLERR | EPOLLHUP
    ONCE = 1 << 30
    EXCLUSIVE = 1 << 28
    ADD = 1
    DELETE = 2
    MODIFY = 3
    # struct epoll_event is packed on x86-64 only.
    EVENT = /x86_64|amd64|i[3-6]86/.match?(RbConfig::CONFIG["host_cpu"]) ? "LQ" : "Lx4Q"
    EVENT_SIZE = [0, 0].pack(EVENT).bytesize
    MOST_EVENTS = 8

    # `watched`: IO objects with their bits; `exclusive`: the one that is shared with other workers.
    def initialize(watched, exclusive, once)
      @exclusive = exclusive
      @kept_events = once ? IN | ONCE : IN
      @descriptor = Native.call("epoll_create1", 0x80000) # close on exec
      @wait = Native.function("epoll_wait")
      @events = Native.memory(EVENT_SIZE * MOST_EVENTS)
      @bits = watched.to_h
      @bits.each_key { |io| control(ADD, io, io.equal?(@exclusive) ? exclusive_events : IN, @bits[io]) }
      @waiting = {}
      @taken = {}
      @lock = Mutex.new
      @ready = []
    end

    def wait(timeout)
      count = @wait.call(@descriptor, @events, MOST_EVENTS, timeout)
      return 0 if count <= 0
      return note(*@events[0, EVENT_SIZE].unpack(EVENT)) if count == 1

      @events[0, EVENT_SIZE * count].unpack(EVENT * count).each_slice(2).reduce(0) { |bits, event| bits | note(*event) }
    end

    def watch_again(io)
      control(DELETE, io, 0, 0)
      control(ADD, io, exclusive_events, @bits[io])
    end

    # As in Listeners

    def can_keep?
      @waiting.size + @taken.size < Listeners::MOST_KEPT
    end

    def keep(connection)
      descriptor = connection.fileno
      @lock.synchronize do
        was_taken = @taken.delete(descriptor)
        @waiting[descriptor] = connection
        return if was_taken && @kept_events == IN

        control(was_taken ? MODIFY : ADD, connection, @kept_events, Listeners::KEPT | descriptor)
      end
    end

    def forget(connection)
      descriptor = connection.fileno
      @lock.synchronize do
        control(DELETE, connection, 0, 0) if @waiting.delete(descriptor) || @taken.delete(descriptor)
      end
    end

    def kept_ready?
      !@ready.empty?
    end

    def take_kept
      connection = @ready.shift
      @lock.synchronize { @taken[connection.fileno] = @waiting.delete(connection.fileno) } if connection
      connection
    end

    def close_kept
      @ready.clear
      @waiting.values.each { |connection| close(connection) }
    end

    private

    # Returns the bits of an event.
    def note(events, bit)
      return bit if bit < Listeners::KEPT

      connection = @waiting[bit - Listeners::KEPT]
      return 0 if connection.nil?

      if (events & HANG_UP).positive?
        close(connection)
        return 0
      end
      @ready << connection
      Listeners::KEPT
    end

    def close(connection)
      forget(connection)
      connection.close
    end

    def exclusive_events
      IN | EXCLUSIVE
    end

    def control(operation, io, events, bit)
      Native.call("epoll_ctl", @descriptor, operation, io.to_io.fileno, [events, bit].pack(EVENT))
    rescue Errno::EINVAL # Linux before 4.5: every worker is woken, and one gets the connection
      raise if (events & EXCLUSIVE).zero?

      control(operation, io, events & ~EXCLUSIVE, bit)
    end
  end

  # Waits in select(2), for a Ruby without Fiddle: every idle worker is woken by each connection, and one gets it.
  class Select
    def initialize(watched)
      @bits = watched.to_h
      @ios = @bits.keys
    end

    def wait(timeout)
      ready, = IO.select(@ios, nil, nil, timeout.negative? ? nil : timeout)
      ready ? ready.sum { |io| @bits[io] } : 0
    end

    def watch_again(_io); end

    # It would have to look at every connection each time: none is kept.
    def can_keep?
      false
    end

    def kept_ready?
      false
    end

    def close_kept; end
  end
end
