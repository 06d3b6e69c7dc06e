# frozen_string_literal: true

require_relative "../core/control_line"
require_relative "../core/errors"
require_relative "../core/native"
require_relative "../core/wire"
require_relative "head_parser"
require_relative "input"

module JumpseatLoader
  # One request: the environment for the app, how the peer wants to be answered, and its head's payload as it came.
  #
  # `input`: its body; `acknowledged`: the peer wants to hear that the app is about to be called; `start_before`,
  # `time_limit`: in ns, 0 for none; `may_keep`: another request may follow on the connection, of which nothing of this
  # one is left to be read.
  Request = Struct.new(:env, :input, :framed, :head, :acknowledged, :start_before, :time_limit, :may_keep)

  # Reads requests as httpd's child or a plain SCGI peer sends them (docs/protocol.md, section 2). One thread's.
  class RequestReader
    RECEIVE_SIZE = 64 * 1024 # bytes
    HEAD_TIMEOUT = 60 # seconds between two pieces of a request head
    NUMBER = /\A[0-9]{1,18}\z/.freeze
    CONTINUE = "Status: 100 Continue\r\n\r\n"
    MS = 1_000_000 # ns

    # `token`: what a peer must show; empty: nothing. `environment`: makes Rack's environment of CGI variables.
    # `rewindable`: whether a body can be read again.
    def initialize(token, environment, rewindable)
      @token = token.empty? ? nil : token.b.freeze
      @environment = environment
      @parser = HeadParser.new(environment)
      @rewindable = rewindable
      @first_piece = FirstPiece.create
      @received = String.new(capacity: FirstPiece::SIZE)
    end

    # Returns the request that comes on a connection. `kept`: it is not the first one, so no descriptor comes with it.
    # Raises BadRequest; ClientLeft when it ends before the head.
    def read(connection, kept)
      framed = false
      payload, rest, files = kept ? read_kept_head(connection) : read_head(connection)
      env, extensions, length = @parser.parse(payload)
      framed = extensions[:framed] == "1"
      check_token(extensions[:token])
      input = body(extensions, length, env, connection, rest, files)
      may_keep = framed && extensions[:keep] == "1" && (input.is_a?(StringIO) || input.is_a?(File))
      Request.new(@environment.complete(env, input), input, framed, payload, *timing_of(extensions), may_keep)
    rescue BadRequest => e
      e.framed = framed
      raise
    ensure
      files.each(&:close) if files && !files.empty?
    end

    private

    # The head

    # Most requests come in one piece, with nothing behind the head.
    def read_kept_head(connection)
      received = connection.recv_nonblock(FirstPiece::SIZE, 0, @received, exception: false)
      payload = Wire.only_payload(@received) unless received == :wait_readable || @received.empty?
      return [payload, "", nil] if payload

      @received.clear if received == :wait_readable
      raise ClientLeft, "httpd has closed a kept connection" if received != :wait_readable && @received.empty?

      complete_head(connection, @received.dup, [])
    rescue SystemCallError
      raise ClientLeft, "the client left before its request came"
    end

    def read_head(connection)
      complete_head(connection, *first_piece(connection))
    end

    def complete_head(connection, data, files)
      ending = Wire.message_end(data, Wire::REQUEST_HEAD_LIMIT)
      while ending.nil? || data.bytesize < ending
        data << next_piece(connection)
        ending = Wire.message_end(data, Wire::REQUEST_HEAD_LIMIT)
      end
      rest = data.bytesize == ending ? String.new : data.byteslice(ending..-1)
      [Wire.payload_of(data, ending), rest, files]
    rescue MalformedMessage => e
      files.each(&:close)
      raise BadRequest, e.message
    rescue BadRequest, ClientLeft
      files&.each(&:close)
      raise
    end

    def first_piece(connection)
      received = @first_piece.receive(connection)
      while received == :wait_readable
        wait(connection)
        received = @first_piece.receive(connection)
      end
      raise ClientLeft, "the client left before its request came" if received.first.empty?

      received
    rescue SystemCallError
      raise ClientLeft, "the client left before its request came"
    end

    def next_piece(connection)
      loop do
        data = connection.read_nonblock(RECEIVE_SIZE, exception: false)
        raise ClientLeft, "the client left within the head of its request" if data.nil?
        return data unless data == :wait_readable

        wait(connection)
      end
    rescue SystemCallError
      raise ClientLeft, "the client left within the head of its request"
    end

    # Waits until bytes have come. Raises BadRequest when the peer lets a worker wait too long.
    def wait(connection)
      raise BadRequest.new("no request head came", "408 Request Timeout") unless connection.wait_readable(HEAD_TIMEOUT)
    end

    # Returns whether the peer wants an acknowledgement, until when the request may start, and how long it may take.
    def timing_of(extensions)
      start_before = number(extensions[:start_before])
      return [false, start_before, 0] unless extensions[:acknowledge] == "1"

      [true, start_before, number(extensions[:time_limit]) * MS]
    end

    def number(text)
      return 0 if text.nil?
      raise BadRequest, "a time is not a number: #{text[0, 40].inspect}" unless NUMBER.match?(text)

      text.to_i
    end

    # Compares hashes first, whose key nobody knows: so the time does not tell where the texts differ.
    def check_token(token)
      return if @token.nil? || (token.hash == @token.hash && token == @token)

      raise BadRequest.new("a peer does not know this group's token", "403 Forbidden")
    end

    # The body

    # Returns the body, and sets CONTENT_LENGTH as the app shall see it. Takes a file out when it uses it.
    def body(extensions, length_text, env, connection, rest, files)
      kind = extensions[:body] || ""
      return StringIO.new(String.new) if kind == "none"

      continue = extensions[:expect] == "100-continue" ? -> { connection.write(CONTINUE) } : nil
      return input(FramedSource.new(connection, rest, continue)) if kind == "framed"

      length = content_length(length_text)
      env["CONTENT_LENGTH"] = length_text
      case kind
      when "", "inline" then inline(length, connection, rest, continue)
      when "file" then stored(length, files)
      else raise BadRequest, "a request body of kind #{kind[0, 40].inspect}"
      end
    end

    def inline(length, connection, rest, continue)
      return StringIO.new(rest.byteslice(0, length)) if rest.bytesize >= length

      input(InlineSource.new(connection, rest, length, continue))
    end

    def input(source)
      @rewindable ? RewindableInput.new(source) : StreamInput.new(source)
    end

    def stored(length, files)
      raise BadRequest, "a request body in a file came without the file" if files.empty?

      status = files.first.stat
      unless status.file? && status.size == length
        raise BadRequest, "the passed body is not a regular file of #{length} bytes"
      end

      passed = files.shift
      passed.autoclose = false
      file = File.for_fd(passed.fileno, "rb")
      file.rewind
      file
    end

    def content_length(text)
      raise BadRequest, "the Content-Length is not a number: #{text[0, 40].inspect}" unless NUMBER.match?(text)

      text.to_i
    end
  end
end
