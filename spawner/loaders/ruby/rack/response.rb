# frozen_string_literal: true

require_relative "chunked_decoder"
require_relative "response_head"

module JumpseatLoader
  # The response to one request as bytes (docs/protocol.md, section 3). A framed response is complete when its end frame
  # has been sent; everything else that ends is a cut response. Head, first block and end go out in one write where they
  # are known together.
  #
  # Invariants: nothing is sent before `start`; once `head_sent?`, the head does not change. `@remaining` counts what
  # Content-Length still lacks (nil: no length is known). `@chunks` is there while the app chunks the body itself; then no
  # length is known until its last chunk. `@ended` is set once the end frame has been sent, or a plain response finished;
  # nothing is sent after it. `@amid` while a frame is being sent: what raises in between leaves half a frame.
  class Response
    END_FRAME = "\0\0\0\0".b.freeze
    KEPT_MARK = 0xfffffffd
    FILE_MARK = 0xffffffff
    FAILURE_MARK = "\xff\xff\xff\xfe".b.freeze
    LONGEST_FRAME = 1 << 30
    LONGEST_COPY = 16 * 1024 # bytes; a longer block is not copied behind its head
    GONE = [Errno::EPIPE, Errno::ECONNRESET].freeze

    # How many bytes the app gave beyond its Content-Length, or its last chunk.
    attr_reader :excess, :head

    # Returns the end frame of a worker that takes another request on the connection. `slot`: its number.
    def self.kept_frame(slot)
      [KEPT_MARK, slot].pack("N2").freeze
    end

    # `framed`: whether the peer asked for frames; `method`: the request's; `kept_frame`: the end frame, if the connection
    # may take another request.
    def initialize(connection, framed, method, kept_frame)
      @connection = connection
      @framed = framed
      @end_frame = kept_frame || END_FRAME
      @is_head_request = method == "HEAD"
      @head_sent = @ended = @amid = false
      @excess = 0
    end

    # Takes the head. Before the first byte is sent; a second head replaces the first one.
    def start(head)
      @head = head
      @bodiless = @is_head_request || head.bodiless?
      @remaining = @bodiless ? nil : head.length
      @chunks = head.chunked && !@bodiless ? ChunkedDecoder.new : nil
      head.ask_for_chunks if @chunks && @framed
    end

    def head_sent?
      @head_sent
    end

    # The connection is not kept, whatever was planned.
    def close_at_end
      @end_frame = END_FRAME
    end

    # Whether the peer was told that the connection takes another request.
    def kept?
      @ended && !@end_frame.equal?(END_FRAME)
    end

    # Whether no body belongs to this response, whatever the app gives.
    def bodiless?
      @bodiless
    end

    # Whether a file can be passed as a descriptor.
    def takes_files?
      @framed && @chunks.nil?
    end

    # Sends a block at once, behind the head if that is still to be sent. Nothing is sent for no bytes. Raises
    # InvalidResponse for a block that is longer than Content-Length allows, and ClientLeft.
    def write(data)
      check_block(data)
      return if data.empty?

      if @chunks
        data = decode(data)
        return if data.empty?

        @remaining = data.bytesize if @chunks.ended?
      end
      if @bodiless
        send_bodiless_head(nil)
      elsif fits?(data.bytesize)
        send_block(@head_sent ? "" : @head.encode, data)
      end
    end

    # Sends `body`, which is the whole body, with its Content-Length if the app gave none. Raises as `write`.
    def write_all(body)
      check_block(body)
      body = decode_all(body) if @chunks && !@head_sent
      size = body.bytesize
      if @head_sent
        write(body)
      elsif @bodiless
        send_bodiless_head(@head.length.nil? && size.positive? && !@head.bodiless? ? size : nil)
      elsif @head.length.nil?
        @remaining = 0
        send_block(@head.encode(size), body)
      elsif @head.length == size
        @remaining = 0
        send_block(@head.encode, body)
      else
        write(body)
      end
    end

    # Sends `size` bytes from the start of a regular file, or as many as Content-Length allows. Only if `takes_files?`.
    # Raises as `write`.
    def send_file(file, size)
      computed = @head.length.nil? && !@head_sent ? size : nil
      return send_bodiless_head(@head.bodiless? ? nil : computed) if @bodiless

      length = @remaining ? [size, @remaining].min : size
      return if length.zero?

      transmit(@head.encode(computed)) unless @head_sent
      @head_sent = true
      send_file_frame(file, length)
      @remaining -= length if @remaining
    end

    # The app has given everything: sends what is left. Raises InvalidResponse when the body is too short.
    def finish
      return if @ended

      send_rest
      end_plain unless @framed
    end

    # Sends the head alone: what follows is not known yet.
    def send_head
      return if @head_sent

      @bodiless ? send_bodiless_head(nil) : transmit(@head.encode)
      @head_sent = true
    end

    # Tells a peer that asked for frames that the body ends here because of an error, whose id the log has.
    def cut(error_id)
      return if !@framed || !@head_sent || @ended || @amid

      @ended = true
      @end_frame = END_FRAME
      transmit(FAILURE_MARK + error_id)
    rescue ClientLeft
      nil
    end

    private

    def check_block(data)
      return if data.is_a?(String)

      raise InvalidResponse, "a block of the body is of class #{data.class}, not String"
    end

    # Returns the bytes of the body in a block of an app that chunks it itself. A last chunk that comes alone ends the
    # response at once, as one that comes with data does.
    def decode(data)
      decoded, excess = @chunks.decode(data)
      @excess += excess
      send_rest if @chunks.ended? && decoded.empty? && @head_sent && !@ended
      decoded
    end

    # The same for the whole body: its length is known after this.
    def decode_all(body)
      decoded = decode(body)
      check_last_chunk
      @chunks = nil
      decoded
    end

    def check_last_chunk
      return if @chunks.ended?

      raise InvalidResponse, "the app chunks its body itself, and the last chunk is missing"
    end

    def send_rest
      return send_bodiless_head(nil) if @bodiless

      check_last_chunk if @chunks
      if @remaining.to_i.positive?
        raise InvalidResponse, "the body is #{@remaining} bytes shorter than its Content-Length"
      end

      data = @head_sent ? String.new : @head.encode(@head.length ? nil : 0)
      @head_sent = true
      if @framed
        data << @end_frame
        @ended = true
      end
      transmit(data) unless data.empty?
    end

    # Counts a block against Content-Length; false: it is beyond, to be dropped.
    def fits?(size)
      return true if @remaining.nil?

      if size <= @remaining
        @remaining -= size
        return true
      end
      if @remaining.positive?
        raise InvalidResponse, "the body is at least #{size - @remaining} bytes longer than its Content-Length"
      end

      @excess += size
      false
    end

    # Sends the head, if any, and a block, and the end if the body is known to be complete then.
    def send_block(head, data)
      ended = @framed && @remaining == 0 # rubocop:disable Style/NumericPredicate -- may be nil
      @amid = true
      @head_sent = true
      head, data = send_all_but_last_frame(head, data) if data.bytesize > LONGEST_FRAME
      prefix = head.empty? ? String.new : head
      prefix << [data.bytesize].pack("N") if @framed && !data.empty?
      @ended = true if ended
      if data.bytesize <= LONGEST_COPY
        prefix << (data.ascii_only? ? data : data.b)
        prefix << @end_frame if ended
        transmit(prefix)
      else
        transmit(prefix, data, ended ? @end_frame : "")
      end
      @amid = false
    end

    def send_all_but_last_frame(head, data)
      data = data.b
      transmit(head)
      position = 0
      while @framed && data.bytesize - position > LONGEST_FRAME
        transmit([LONGEST_FRAME].pack("N"), data.byteslice(position, LONGEST_FRAME))
        position += LONGEST_FRAME
      end
      ["", data.byteslice(position..-1)]
    end

    def send_bodiless_head(computed_length)
      return if @head_sent

      @head_sent = true
      @ended = @framed
      head = @head.encode(computed_length)
      transmit(@framed ? head << @end_frame : head)
    end

    # The descriptor travels with the first byte of the frame, which is sent by a call of its own.
    def send_file_frame(file, length)
      frame = [FILE_MARK, 0, length].pack("NQ>Q>")
      @amid = true
      sent = @connection.sendmsg(frame, 0, nil, Socket::AncillaryData.unix_rights(file))
      transmit(frame.byteslice(sent..-1)) if sent < frame.bytesize
      @amid = false
    rescue *GONE
      raise ClientLeft, "the client left"
    end

    # Tells a plain peer the end now: a child of the app may hold the connection, too.
    def end_plain
      @ended = true
      @connection.shutdown(Socket::SHUT_WR)
    rescue SystemCallError
      raise ClientLeft, "the client left"
    end

    def transmit(*parts)
      @connection.write(*parts)
    rescue *GONE
      raise ClientLeft, "the client left"
    end
  end
end
