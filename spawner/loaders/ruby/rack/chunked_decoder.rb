# frozen_string_literal: true

require_relative "../core/errors"

module JumpseatLoader
  # The body of an app that chunks it itself, as Rack::Chunked does (RFC 9112, section 7.1): the chunks are taken off,
  # strictly. Their framing is never passed on: a mistake of the app cannot move the end of the response.
  #
  # Invariants: `@line` holds the beginning of a line that is not complete; `@left` is not 0 only within a chunk's data.
  # Nothing leaves `:ended`: what comes after it belongs to no body.
  class ChunkedDecoder
    SIZE_LINE = /\A([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\z/n.freeze
    TRAILER_LINE = /\A[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\z/n.freeze
    LONGEST_LINE = 4096 # bytes, with its CRLF; a chunk's size with its extensions, or a trailer
    MOST_TRAILERS = 100

    def initialize
      @state = :size
      @line = String.new
      @left = @trailers = 0
    end

    # Whether the last chunk and the empty line after it have come.
    def ended?
      @state == :ended
    end

    # Returns the bytes of the body in `data`, and how many bytes of it come after the body's end. Raises
    # InvalidResponse for what is not chunked.
    def decode(data)
      data = data.b
      body = String.new
      position = 0
      while position < data.bytesize && !ended?
        position = @state == :data ? take_data(data, position, body) : read_line(data, position)
      end
      [body, data.bytesize - position]
    end

    private

    def take_data(data, position, body)
      part = data.byteslice(position, @left)
      body << part
      @left -= part.bytesize
      @state = :data_end if @left.zero?
      position + part.bytesize
    end

    # Reads up to the end of the line, or of the data; returns the position behind it.
    def read_line(data, position)
      ending = data.index("\n", position)
      behind = ending ? ending + 1 : data.bytesize
      line = @line + data.byteslice(position, behind - position)
      malformed("a line is longer than #{LONGEST_LINE} bytes") if line.bytesize > LONGEST_LINE
      unless ending
        @line = line
        return behind
      end
      malformed("a line does not end with CR LF: #{line[0, 60].inspect}") unless line.end_with?("\r\n")
      @line = String.new
      take_line(line[0..-3])
      behind
    end

    def take_line(line)
      case @state
      when :size then take_size(line)
      when :data_end
        malformed("a chunk is longer than its size: #{line[0, 60].inspect} follows it") unless line.empty?
        @state = :size
      else take_trailer(line)
      end
    end

    def take_size(line)
      match = SIZE_LINE.match(line) || malformed("this is no size of a chunk: #{line[0, 60].inspect}")
      @left = match[1].to_i(16)
      @state = @left.zero? ? :trailers : :data
    end

    def take_trailer(line)
      return @state = :ended if line.empty?

      @trailers += 1
      return if @trailers <= MOST_TRAILERS && TRAILER_LINE.match?(line)

      malformed("this is no trailer: #{line[0, 60].inspect}")
    end

    def malformed(what)
      raise InvalidResponse, "the app chunks its body itself, and the chunks are malformed: #{what}"
    end
  end
end
