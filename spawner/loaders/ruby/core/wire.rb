# frozen_string_literal: true

require_relative "errors"

module JumpseatLoader
  # The codec of every line: a netstring of NUL-terminated names and values (docs/protocol.md, section 1). No I/O.
  # Strings are bytes; what is read from control messages is marked as UTF-8, and may be invalid as such.
  module Wire
    LENGTH_DIGITS_LIMIT = 9
    CONTROL_MESSAGE_LIMIT = 262_144 # bytes
    REQUEST_HEAD_LIMIT = 1_048_576 # bytes
    NUL = "\0"
    COMMA = 44

    module_function

    # Returns the message that carries the pairs, in order. Raises ArgumentError when a name or value holds a NUL.
    def encode(pairs)
      payload = String.new
      pairs.each { |name, value| payload << name.b << NUL << value.b << NUL }
      raise ArgumentError, "a field of a message holds a NUL" if payload.count(NUL) != 2 * pairs.size

      "#{payload.bytesize}:".b << payload << ","
    end

    # Returns the pairs of a message, which is exactly one netstring. Raises MalformedMessage.
    def decode(message, limit = CONTROL_MESSAGE_LIMIT)
      ending = message_end(message, limit)
      raise MalformedMessage, "a message has #{message.bytesize} bytes" if ending != message.bytesize

      fields = split_payload(payload_of(message, ending))
      fields.each { |field| field.force_encoding(Encoding::UTF_8) }.each_slice(2).to_a
    end

    # Returns how many bytes the message at the start of the buffer takes with its length and comma; nil: not yet known.
    # Raises MalformedMessage as soon as the bytes show it.
    def message_end(buffer, limit)
      prefix = buffer.byteslice(0, LENGTH_DIGITS_LIMIT + 1)
      colon = prefix.index(":")
      return nil if prefix.empty?

      digits = colon ? prefix.byteslice(0, colon) : prefix
      unless /\A(?:0|[1-9][0-9]*)\z/.match?(digits)
        raise MalformedMessage, "a message begins with #{buffer.byteslice(0, 16).inspect}, not with its length"
      end
      return colon + 1 + checked_length(digits, limit) + 1 if colon
      raise MalformedMessage, "the length #{digits}... has too many digits" if digits.bytesize > LENGTH_DIGITS_LIMIT

      nil
    end

    def checked_length(digits, limit)
      length = digits.to_i
      raise MalformedMessage, "a message of #{length} bytes, the limit is #{limit}" if length > limit

      length
    end

    # Returns the payload of a message that is all of the buffer; nil if it is not, or not well-formed.
    def only_payload(buffer)
      length = buffer.to_i
      colon = buffer.index(":")
      return nil if colon.nil? || length.to_s.bytesize != colon || buffer.bytesize != colon + length + 2

      buffer.getbyte(-1) == COMMA ? buffer.byteslice(colon + 1, length) : nil
    end

    # Returns the payload of the message that takes `ending` bytes of the buffer. Raises MalformedMessage.
    def payload_of(buffer, ending)
      if buffer.getbyte(ending - 1) != COMMA
        raise MalformedMessage, "a message of #{ending} bytes does not end with a comma"
      end

      start = buffer.index(":") + 1
      buffer.byteslice(start, ending - 1 - start)
    end

    # Returns the fields, name and value in turn. Raises MalformedMessage when they are not NUL-terminated pairs.
    def split_payload(payload)
      return [] if payload.empty?

      fields = payload.split(NUL, -1)
      if !fields.pop.empty? || fields.size.odd?
        raise MalformedMessage, "the fields of a message are not NUL-terminated pairs"
      end

      fields
    end
  end
end
