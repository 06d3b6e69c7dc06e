# frozen_string_literal: true

module JumpseatLoader
  # A connection that an app has taken over, to write the response later or to speak HTTP itself. The request lasts until
  # the app closes the connection, or nothing refers to it any more.
  class Takeover
    # Put into the connection: tells its takeover when it is closed, in whatever way.
    module Told
      def close
        super
      ensure
        @jumpseat_takeover.finish
      end

      def close_read
        super
      ensure
        @jumpseat_takeover.finish if closed?
      end

      def close_write
        super
      ensure
        @jumpseat_takeover.finish if closed?
      end
    end

    # What the scoreboard shows of the request: the arguments of a cell's `fill`; nil: the request is over already.
    attr_accessor :shown

    # From now on the app has the connection.
    def initialize(connection)
      @pid = Process.pid
      @lock = Mutex.new
      @finished = false
      connection.instance_variable_set(:@jumpseat_takeover, self)
      connection.extend(Told)
      ObjectSpace.define_finalizer(connection, Takeover.finalizer(self, @pid))
    end

    # Apart, so that it refers to nothing else. No lock can be taken in a finalizer itself.
    def self.finalizer(takeover, pid)
      proc { Thread.new { takeover.finish } if Process.pid == pid }
    end

    def finished?
      @finished
    end

    # Has the block called once, when the app has closed the connection; at once if it has already.
    def when_finished(&block)
      at_once = @lock.synchronize do
        @when_finished = block
        @finished
      end
      block.call if at_once
    end

    # The app has closed the connection: any thread may say so, several times. In a copy of this process that the app has
    # forked it means nothing.
    def finish
      return if Process.pid != @pid

      block = @lock.synchronize do
        next if @finished

        @finished = true
        @when_finished
      end
      block&.call
    rescue ThreadError # it is closed in a handler of a signal, where no lock can be taken
      Thread.new { finish }
    end
  end
end
