# frozen_string_literal: true

require_relative "response_head"

module JumpseatLoader
  # `rack.early_hints` of one request: sends headers before the response (RFC 8297), as interim heads of
  # docs/protocol.md, section 3. Hints are of no consequence: a header that cannot be sent is left out, and when nobody
  # can get them any more, nothing happens.
  class EarlyHints
    MOST = 16 # heads; the peer refuses more
    LONGEST = 8 * 1024 # bytes of a head; the peer drops longer ones
    START = "Status: 103 Early Hints\r\n".b.freeze

    def initialize(connection, response)
      @connection = connection
      @response = response
      @sent = 0
    end

    # `headers`: names and values; a value may be an array, or a text with a line for each value.
    def call(headers)
      lines = String.new
      headers.each { |name, value| add(lines, name.to_s, value) }
      return if lines.empty? || lines.bytesize > LONGEST - 100 || @sent == MOST || @response.head_sent?

      @sent += 1
      @connection.write(START + lines << "\r\n")
      nil
    rescue IOError, SystemCallError
      nil # the client has left, or the app has closed the connection
    end

    private

    def add(lines, name, value)
      return unless ResponseHead.kind(name) == :ordinary

      values = value.is_a?(Array) ? value : [value]
      values.flat_map { |each| each.to_s.b.split("\n") }.each do |text|
        lines << name.b << ": " << text << "\r\n" unless ResponseHead::CONTROL.match?(text)
      end
    rescue InvalidResponse
      nil
    end
  end
end
