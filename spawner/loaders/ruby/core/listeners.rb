# frozen_string_literal: true

require_relative "native"

module JumpseatLoader
  # The sockets on which a worker accepts connections, and how it waits for them and for its control descriptors.
  #
  # One epoll for each set of sockets that is watched at a time; the group's socket is watched exclusively, so that one
  # connection wakes one worker. The kernel passes over an epoll that nobody waits in. Only one thread may wait.
  class Listeners
    # What `wait` returns is the sum of these.
    GROUP = 1
    OWN = 2
    CONTROL = 4 # the first of the control descriptors; the next one is 8, and so on

    attr_reader :group, :own

    # `group`, `own`: descriptors of listening sockets; `own` may be nil; `control`: IO objects that every wait watches.
    def initialize(group, own, control)
      @group = UNIXServer.for_fd(group)
      @group.autoclose = false
      @own = own && UNIXServer.for_fd(own)
      @control = control
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
      waiter(true, !@own.nil?)
    end

    def close_own
      @own.close
      @own = nil
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
      Native.available? ? Epoll.new(watched, @group) : Select.new(watched)
    end
  end

  # Waits in epoll_wait(2). Not for the main thread (see Native).
  class Epoll
    IN = 0x1
    EXCLUSIVE = 1 << 28
    ADD = 1
    DELETE = 2
    # struct epoll_event is packed on x86-64 only.
    EVENT = /x86_64|amd64|i[3-6]86/.match?(RbConfig::CONFIG["host_cpu"]) ? "LQ" : "Lx4Q"
    EVENT_SIZE = [0, 0].pack(EVENT).bytesize
    MOST_EVENTS = 8

    # `watched`: IO objects with their bits; `exclusive`: the one that is shared with other workers.
    def initialize(watched, exclusive)
      @exclusive = exclusive
      @descriptor = Native.call("epoll_create1", 0x80000) # close on exec
      @wait = Native.function("epoll_wait")
      @events = Native.memory(EVENT_SIZE * MOST_EVENTS)
      @bits = watched.to_h
      @bits.each_key { |io| add(io) }
    end

    def wait(timeout)
      count = @wait.call(@descriptor, @events, MOST_EVENTS, timeout)
      return @events[0, EVENT_SIZE].unpack1("@#{EVENT_SIZE - 8}Q") if count == 1
      return 0 if count <= 0

      @events[0, EVENT_SIZE * count].unpack(EVENT * count).each_slice(2).sum { |_, bit| bit }
    end

    def watch_again(io)
      control(DELETE, io, 0)
      add(io)
    end

    private

    def add(io)
      control(ADD, io, io.equal?(@exclusive) ? IN | EXCLUSIVE : IN)
    rescue Errno::EINVAL # Linux before 4.5: every worker is woken, and one gets the connection
      control(ADD, io, IN)
    end

    def control(operation, io, events)
      event = [events, @bits.fetch(io)].pack(EVENT)
      Native.call("epoll_ctl", @descriptor, operation, io.to_io.fileno, event)
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
  end
end
