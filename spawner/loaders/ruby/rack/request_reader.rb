# frozen_string_literal: true

require_relative "../core/control_line"
require_relative "../core/errors"
require_relative "../core/wire"
require_relative "input"

module JumpseatLoader
  # One request: the environment for the app, how the peer wants to be answered, and its head's payload as it came.
  #
  # `input`: its body; `acknowledged`: the peer wants to hear that the app is about to be called; `start_before`,
  # `time_limit`: in ns, 0 for none.
  Request = Struct.new(:env, :input, :framed, :head, :acknowledged, :start_before, :time_limit)

  # Reads requests as httpd's child or a plain SCGI peer sends them (docs/protocol.md, section 2). In any thread.
  class RequestReader
    FIRST_SIZE = 16 * 1024 # bytes: room for most heads
    RECEIVE_SIZE = 64 * 1024 # bytes
    ANCILLARY_SIZE = 64 # bytes
    HEAD_TIMEOUT = 60 # seconds between two pieces of a request head
    NUMBER = /\A[0-9]{1,18}\z/.freeze
    CONTINUE = "Status: 100 Continue\r\n\r\n"
    EXTENSION = "JUMPSEAT_"
    MS = 1_000_000 # ns
    NO_MORE = [false, false, 0, 0].freeze # extensions

    # `token`: what a peer must show; empty: nothing. `environment`: makes Rack's environment of CGI variables.
    def initialize(token, environment, rewindable)
      @token = token.empty? ? nil : words(token)
      @token_size = token.bytesize
      @environment = environment
      @rewindable = rewindable
    end

    # Returns the request that comes on a connection. Raises BadRequest; ClientLeft when it ends before the head.
    def read(connection)
      payload, rest, files = read_head(connection)
      framed = false
      variables = variables_of(payload)
      before = variables.size
      framed = variables.delete("JUMPSEAT_FRAMED") == "1"
      token = variables.delete("JUMPSEAT_TOKEN")
      kind = variables.delete("JUMPSEAT_BODY") || ""
      expects, *timing = more_extensions(payload, variables, before)
      check_token(token)
      input = body(kind, variables, connection, rest, files, expects)
      Request.new(@environment.complete(variables, input), input, framed, payload, *timing)
    rescue BadRequest => e
      e.framed = framed
      raise
    ensure
      files.each(&:close) if files && !files.empty?
    end

    private

    # The head

    def read_head(connection)
      data, files = first_piece(connection)
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
      data, _address, _flags, *controls = received(connection)
      raise ClientLeft, "the client left before its request came" if data.nil? || data.empty?

      [data, controls.empty? ? [] : JumpseatLoader.passed_descriptors(controls)]
    rescue SystemCallError
      raise ClientLeft, "the client left before its request came"
    end

    def received(connection)
      loop do
        message = connection.recvmsg_nonblock(FIRST_SIZE, 0, ANCILLARY_SIZE, scm_rights: true, exception: false)
        return message unless message == :wait_readable

        wait(connection)
      end
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

    def variables_of(payload)
      fields = Wire.split_payload(payload)
      variables = {}
      index = 0
      size = fields.size
      while index < size
        variables[fields[index]] = fields[index + 1]
        index += 2
      end
      refuse_repeated(fields) if variables.size * 2 != size
      unless variables.delete("SCGI") == "1" && fields.first == "CONTENT_LENGTH"
        raise BadRequest, "the request head is not an SCGI head"
      end

      variables
    rescue MalformedMessage => e
      raise BadRequest, e.message
    end

    # Two lengths or two tokens: nobody can say which one counts. Of other variables the last one counts.
    def refuse_repeated(fields)
      names = fields.each_slice(2).map(&:first)
      names.each do |name|
        next unless name == "CONTENT_LENGTH" || name.start_with?(EXTENSION)
        raise BadRequest, "the request head repeats #{name}" if names.count(name) > 1
      end
    end

    # The extensions

    # Returns whether the client waits for a 100, whether the peer wants an acknowledgement, until when the request may
    # start, and how long it may take. The app sees nothing that is between us and the peer.
    def more_extensions(payload, variables, before)
      return NO_MORE if payload.scan(EXTENSION).size == before - variables.size

      wanted = variables.delete("JUMPSEAT_ACKNOWLEDGE") == "1"
      start_before = number(variables.delete("JUMPSEAT_START_BEFORE"))
      time_limit = number(variables.delete("JUMPSEAT_TIME_LIMIT")) * MS
      expects = variables.delete("JUMPSEAT_EXPECT") == "100-continue"
      variables.delete_if { |name, _| name.start_with?(EXTENSION) }
      wanted ? [expects, true, start_before, time_limit] : [expects, false, 0, 0]
    end

    def number(text)
      return 0 if text.nil?
      raise BadRequest, "a time is not a number: #{text[0, 40].inspect}" unless NUMBER.match?(text)

      text.to_i
    end

    # Compares in a time that does not depend on where they differ.
    def check_token(token)
      return if @token.nil?

      if token && token.bytesize == @token_size
        difference = 0
        words(token).each_with_index { |word, index| difference |= word ^ @token[index] }
        return if difference.zero?
      end
      raise BadRequest.new("a peer does not know this group's token", "403 Forbidden")
    end

    def words(text)
      "#{text}\0\0\0".unpack("L*")
    end

    # The body

    # Returns the body, and leaves CONTENT_LENGTH as the app shall see it. Takes a file out when it uses it.
    def body(kind, variables, connection, rest, files, expects)
      continue = expects ? -> { connection.write(CONTINUE) } : nil
      case kind
      when "none"
        variables.delete("CONTENT_LENGTH")
        StringIO.new(String.new)
      when "framed"
        variables.delete("CONTENT_LENGTH")
        input(FramedSource.new(connection, rest, continue))
      when "", "inline" then inline(content_length(variables), connection, rest, continue)
      when "file" then stored(content_length(variables), files)
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

    def content_length(variables)
      text = variables["CONTENT_LENGTH"]
      raise BadRequest, "the Content-Length is not a number: #{text[0, 40].inspect}" unless NUMBER.match?(text)

      text.to_i
    end
  end
end
