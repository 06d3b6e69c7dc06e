# frozen_string_literal: true

module JumpseatLoader
  # Signals as bytes in a pipe (a self-pipe): the handler only writes, whoever watches the pipe acts.
  #
  # A copy of this process that the app forks has the handlers and the pipe, too: a signal for the copy must not tell
  # this process to go. So the handler gives back the default action there.
  class SignalQueue
    WAKE = 0

    # For IO.select and epoll: readable while signals are queued.
    attr_reader :reader

    # `names`: such as "TERM".
    def initialize(names)
      @pid = Process.pid
      @reader, @writer = IO.pipe
      @before = names.to_h { |name| [name, install(name)] }
    end

    # Returns the names of the signals that have come since the last call.
    def read
      received = []
      while (data = @reader.read_nonblock(512, exception: false)).is_a?(String)
        received.concat(data.bytes)
      end
      received.uniq.map { |number| number == WAKE ? nil : Signal.signame(number) }.compact
    end

    # Makes the pipe readable without a signal. Any thread may call it, and a handler of a signal.
    def wake
      enqueue(WAKE)
    end

    # Restores the actions that the signals had before, and closes the pipe.
    def close
      @before.each { |name, action| trap(name, action || "DEFAULT") }
      @reader.close
      @writer.close
    end

    private

    def install(name)
      number = Signal.list.fetch(name)
      trap(name) { Process.pid == @pid ? enqueue(number) : act_as_default(name) }
    end

    def enqueue(number)
      @writer.write_nonblock(number.chr, exception: false) # full: the pipe is readable already
    rescue IOError
      nil # closed: nobody watches it
    end

    def act_as_default(name)
      trap(name, "SYSTEM_DEFAULT")
      Process.kill(name, Process.pid)
    end
  end
end
