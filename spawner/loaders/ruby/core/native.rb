# frozen_string_literal: true

module JumpseatLoader
  # System calls that Ruby has not, called through Fiddle: epoll, mmap, and recvmsg without the objects that Ruby makes
  # of an address. Everything that uses them does without them, too, in a Ruby that was built without Fiddle.
  #
  # Other threads run during such a call, but Ruby cannot interrupt it: the main thread, which runs the handlers of
  # signals, must not wait in one.
  module Native
    class << self
      # Whether they can be called. To be asked when the app has loaded: its Gemfile may ask for a version of Fiddle.
      def available?
        @functions = load_functions if @functions.nil?
        !@functions.empty?
      end

      # Calls a function. Raises SystemCallError.
      def call(name, *arguments)
        result = @functions.fetch(name).call(*arguments)
        raise SystemCallError.new(name, Fiddle.last_error) if result == -1

        result
      end

      # Returns a function to be called often: -1 and Fiddle.last_error instead of an exception.
      def function(name)
        @functions.fetch(name)
      end

      # Returns memory of this size, which lives as long as the object.
      def memory(size)
        Fiddle::Pointer.malloc(size, Fiddle::RUBY_FREE)
      end

      # Returns a file's bytes as memory that all its readers share.
      def map(file, size)
        address = call("mmap", nil, size, 3, 1, file.fileno, 0) # PROT_READ | PROT_WRITE, MAP_SHARED
        Fiddle::Pointer.new(address, size)
      end

      private

      def load_functions
        require "fiddle"
        return {} if Fiddle::SIZEOF_VOIDP != 8 || !/linux/.match?(RbConfig::CONFIG["host_os"])

        int = Fiddle::TYPE_INT
        pointer = Fiddle::TYPE_VOIDP
        long = Fiddle::TYPE_LONG_LONG
        {
          "epoll_create1" => declare("epoll_create1", int, [int]),
          "epoll_ctl" => declare("epoll_ctl", int, [int, int, int, pointer]),
          "epoll_wait" => declare("epoll_wait", int, [int, pointer, int, int]),
          "mmap" => declare("mmap", long, [pointer, long, int, int, int, long]),
          "recvmsg" => declare("recvmsg", long, [int, pointer, int])
        }
      rescue LoadError
        {}
      end

      def declare(name, result, arguments)
        Fiddle::Function.new(Fiddle::Handle::DEFAULT[name], arguments, result)
      end
    end
  end

  # Receives the first bytes of a request and the descriptor that may come with them. One thread's.
  class FirstPiece
    SIZE = 16 * 1024 # bytes: room for most heads
    CONTROL_SIZE = 64 # bytes
    FLAGS = 0x40000040 # MSG_DONTWAIT | MSG_CMSG_CLOEXEC
    HEADER = "Q7" # struct msghdr: no name, one buffer, room for descriptors
    HEADER_SIZE = 56
    CONTROL_LENGTH = 40 # its offset
    CONTROL = "Qll" # struct cmsghdr; descriptors follow
    RIGHTS = [1, 1].freeze # SOL_SOCKET, SCM_RIGHTS

    def self.create
      Native.available? ? new : PlainFirstPiece.new
    end

    def initialize
      @receive = Native.function("recvmsg")
      @buffer = Native.memory(SIZE)
      @control = Native.memory(CONTROL_SIZE)
      @vector = Native.memory(16)
      @vector[0, 16] = [@buffer.to_i, SIZE].pack("Q2")
      @header = Native.memory(HEADER_SIZE)
      @request = [0, 0, @vector.to_i, 1, @control.to_i, CONTROL_SIZE, 0].pack(HEADER)
    end

    # Returns the bytes, "" at the end of the connection, and the descriptors as IO objects, which the caller owns;
    # :wait_readable when nothing has come yet. Raises SystemCallError.
    def receive(connection)
      @header[0, HEADER_SIZE] = @request
      size = @receive.call(connection.fileno, @header, FLAGS)
      return failed(Fiddle.last_error) if size.negative?

      length = @header[CONTROL_LENGTH, 8].unpack1("Q")
      [@buffer[0, size], length.zero? ? [] : descriptors(length)]
    end

    private

    def failed(error)
      return :wait_readable if [Errno::EAGAIN::Errno, Errno::EINTR::Errno].include?(error)

      raise SystemCallError.new("recvmsg", error)
    end

    def descriptors(length)
      message = @control[0, length]
      size, *kind = message.unpack(CONTROL)
      return [] unless kind == RIGHTS

      message.byteslice(16, size - 16).unpack("l*").map { |descriptor| IO.for_fd(descriptor) }
    end
  end

  # The same in Ruby's own words.
  class PlainFirstPiece
    def receive(connection)
      message = connection.recvmsg_nonblock(FirstPiece::SIZE, 0, FirstPiece::CONTROL_SIZE, scm_rights: true, exception: false)
      return message if message == :wait_readable

      data, _address, _flags, *controls = message
      [data || "", JumpseatLoader.passed_descriptors(controls)]
    end
  end
end
