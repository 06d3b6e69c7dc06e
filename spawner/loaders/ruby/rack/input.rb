# frozen_string_literal: true

require_relative "../core/errors"

module JumpseatLoader
  # The body of a request as it comes on the connection: some bytes are here, the rest follows. Each source ends where
  # the body ends. When the client leaves before the end, reading raises ClientLeft, so that a cut body is never taken
  # for a whole one.
  class ConnectionSource
    LARGEST_PIECE = 64 * 1024

    # `before_waiting`: called before the first wait for the client.
    def initialize(connection, received, before_waiting)
      @connection = connection
      @received = received
      @before_waiting = before_waiting
    end

    private

    # Returns at most `most` bytes, at least one.
    def receive(most)
      unless @received.empty?
        piece = @received.byteslice(0, most)
        @received = @received.byteslice(piece.bytesize..-1)
        return piece
      end
      if @before_waiting
        @before_waiting.call
        @before_waiting = nil
      end
      @connection.readpartial([most, LARGEST_PIECE].min)
    rescue EOFError
      raise ClientLeft, "the client left before the end of its request body"
    rescue SystemCallError
      raise ClientLeft, "the client left while its request body was read"
    end
  end

  # A body of known length. Invariant: `@remaining` bytes of it have not been given out.
  class InlineSource < ConnectionSource
    def initialize(connection, received, length, before_waiting)
      super(connection, received, before_waiting)
      @remaining = length
    end

    # Returns the next bytes, nil at the end.
    def next_piece
      return nil if @remaining.zero?

      piece = receive(@remaining)
      @remaining -= piece.bytesize
      piece
    end
  end

  # A body in frames. Invariant: `@remaining` bytes of the current data frame have not been given out.
  class FramedSource < ConnectionSource
    LARGEST_FRAME = 0x7fffffff

    def initialize(connection, received, before_waiting)
      super
      @remaining = 0
      @ended = false
    end

    # Returns the next bytes, nil at the end.
    def next_piece
      read_frame_size if @remaining.zero? && !@ended
      return nil if @ended

      piece = receive(@remaining)
      @remaining -= piece.bytesize
      piece
    end

    private

    def read_frame_size
      size = String.new
      size << receive(4 - size.bytesize) while size.bytesize < 4
      @remaining = size.unpack1("N")
      @ended = @remaining.zero?
      raise Errno::EPROTO, "a frame of the request body is not a data frame" if @remaining > LARGEST_FRAME
    end
  end

  # `rack.input` for Rack 3: read once, from the beginning to the end.
  class StreamInput
    def initialize(source)
      @source = source
      @unread = String.new
    end

    # As IO#read.
    def read(length = nil, buffer = nil)
      fill { length.nil? || @unread.bytesize < length }
      data = length.nil? ? take(@unread.bytesize) : take(length)
      data = nil if data.empty? && length.to_i.positive?
      return data if buffer.nil?

      buffer.replace(data || "")
      data && buffer
    end

    # As IO#gets.
    def gets
      from = 0
      fill do
        found = @unread.index("\n", from)
        from = @unread.bytesize
        found.nil?
      end
      return nil if @unread.empty?

      ending = @unread.index("\n")
      take(ending ? ending + 1 : @unread.bytesize)
    end

    def each
      while (line = gets)
        yield line
      end
    end

    def close
      @source = nil
    end

    private

    # Reads on while the block wants it, up to the end.
    def fill
      raise IOError, "the body of the request is closed" if @source.nil?

      while yield && (piece = @source.next_piece)
        @unread << piece
      end
    end

    def take(length)
      data = @unread.byteslice(0, length)
      @unread = data.bytesize < @unread.bytesize ? @unread.byteslice(data.bytesize..-1) : String.new
      data
    end
  end

  # `rack.input` for Rack before 3: what was read is kept, in memory or in a file without a name, to be read again.
  class RewindableInput
    LARGEST_IN_MEMORY = 112 * 1024 # bytes

    def initialize(source)
      @source = source
      @kept = StringIO.new(String.new)
      @size = 0
    end

    # As IO#read.
    def read(length = nil, buffer = nil)
      keep_until(length && @kept.pos + length)
      buffer ? @kept.read(length, buffer) : @kept.read(length)
    end

    # As IO#gets.
    def gets
      start = @kept.pos
      while (line = @kept.gets).nil? || !line.end_with?("\n")
        break unless keep_more

        @kept.pos = start
      end
      line
    end

    def each
      while (line = gets)
        yield line
      end
    end

    def rewind
      @kept.rewind
      0
    end

    # How many bytes the body has. Reads all of it.
    def size
      keep_until(nil)
      @size
    end

    def close
      @kept.close
      @source = nil
    end

    private

    # Reads on until so many bytes are kept, or the end.
    def keep_until(size)
      nil while (size.nil? || @size < size) && keep_more
    end

    # Keeps the next piece; the position stays. False at the end.
    def keep_more
      piece = @source && @source.next_piece
      return false if piece.nil?

      move_to_file if @kept.is_a?(StringIO) && @size + piece.bytesize > LARGEST_IN_MEMORY
      position = @kept.pos
      @kept.pos = @size
      @kept.write(piece)
      @kept.pos = position
      @size += piece.bytesize
      true
    end

    def move_to_file
      memory = @kept
      @kept = JumpseatLoader.unnamed_file
      @kept.write(memory.string)
      @kept.pos = memory.pos
    end
  end

  # Returns a new file without a name, for bytes.
  def self.unnamed_file
    folder = ENV["TMPDIR"] || "/tmp"
    File.open(folder, File::RDWR | File::TMPFILE | File::BINARY, 0o600)
  rescue Errno::EOPNOTSUPP, Errno::EISDIR, Errno::EINVAL
    path = File.join(folder, "request-body-#{Random.urandom(8).unpack1("H*")}")
    file = File.open(path, File::RDWR | File::CREAT | File::EXCL | File::BINARY, 0o600)
    File.unlink(path)
    file
  end
end
