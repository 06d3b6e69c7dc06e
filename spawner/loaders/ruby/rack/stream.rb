# frozen_string_literal: true

require_relative "../core/errors"

module JumpseatLoader
  # What an app writes a body to that it streams itself: Rack 3's streaming bodies, and `rack.hijack` in the headers of
  # a response. The app closes it, in any thread, also after its call has returned; the connection belongs to it.
  class Stream
    def initialize(connection, response, input)
      @connection = connection
      @response = response
      @input = input
      @lock = Mutex.new
      @closed = false
    end

    # Writes at once. Returns how many bytes. Raises IOError when it is closed, ClientLeft when the client has left.
    def write(*parts)
      parts.sum do |part|
        text = part.to_s
        @lock.synchronize do
          raise IOError, "the stream is closed" if @closed

          @response.write(text)
        end
        text.bytesize
      end
    end

    alias syswrite write

    def write_nonblock(data, **)
      write(data)
    end

    def <<(data)
      write(data)
      self
    end

    def print(*texts)
      texts.each { |text| write(text) }
      nil
    end

    def puts(*texts)
      texts = [""] if texts.empty?
      texts.flatten.each { |text| write(text.to_s.end_with?("\n") ? text : "#{text}\n") }
      nil
    end

    def flush
      self
    end

    # The body of the request.
    def read(*arguments)
      @input.read(*arguments)
    end

    alias read_nonblock read

    def close_read; end

    def closed?
      @closed
    end

    # Ends the response. A client that has left does not matter any more.
    def close(*)
      @lock.synchronize do
        return if @closed

        @closed = true
      end
      begin
        @response.finish
      rescue ClientLeft, InvalidResponse => e
        AppLog.log("jumpseat: a streamed response is cut: #{e.message}") if e.is_a?(InvalidResponse)
      end
      let_go
      nil
    end

    alias close_write close

    # Cuts the response because of an error.
    def cut(error_id)
      @lock.synchronize do
        return if @closed

        @closed = true
      end
      @response.cut(error_id)
      let_go
    end

    private

    def let_go
      @input.close if @input.respond_to?(:close)
      @connection.close unless @connection.closed?
    rescue IOError, SystemCallError
      nil
    end
  end
end
