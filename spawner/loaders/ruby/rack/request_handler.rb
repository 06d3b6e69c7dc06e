# frozen_string_literal: true

require_relative "../core/errors"
require_relative "early_hints"
require_relative "request_reader"
require_relative "response"
require_relative "stream"
require_relative "takeover"

module JumpseatLoader
  # One request through a Rack app: calls it, sends what it returns, closes it, whatever happens. The one place where
  # errors of a request are turned into responses: see `handle_error`.
  class RequestHandler
    LONGEST_JOIN = 256 * 1024 # bytes; a longer array of blocks is sent block by block
    LONGEST_DRAIN = 1024 * 1024 # bytes
    DRAIN_STEP = 64 * 1024 # bytes
    DRAIN_TIMEOUT = 1 # seconds
    TOO_LATE = "Status: 102 Too Late\r\n\r\n"
    INTERNAL_ERROR = "500 Internal Server Error"
    REFUSED = "The request was refused."

    # `listeners`: the worker's; `slot`: the WorkerSlot; `early_hints`: whether the app can send them;
    # `request_out_of_band_work`: called when a response asks for it.
    def initialize(app, reader, error_responses, listeners, slot, early_hints, &request_out_of_band_work)
      @app = app
      @reader = reader
      @error_responses = error_responses
      @listeners = listeners
      @acknowledgement = "Status: 102 Processing\r\n#{"Route: #{slot.route}\r\n" unless slot.route.empty?}\r\n"
      @early_hints = early_hints
      @request_out_of_band_work = request_out_of_band_work
      @kept_frame = Response.kept_frame(slot.number)
      @pid = Process.pid
    end

    # Reads a request from a connection, enters it in its cell, has the app answer it, and clears the cell. Closes the
    # connection, unless it is `kept?` for another request. `kept`: it was kept before; `may_keep`: it may be kept now.
    # Returns whether the app was called; or, while the app has the connection, a Takeover: then the cell is not cleared
    # and the connection is open. Raises nothing that the app or the peer could cause.
    def handle(connection, cell, kept, may_keep)
      @is_kept = false
      takeover = nil
      request = @reader.read(connection, kept)
      deadline = acknowledge(connection, request, kept)
      since = now
      cell.fill(request.head, since, deadline)
      exchange = Exchange.new(connection, request, may_keep && request.may_keep ? @kept_frame : nil, kept && @listeners)
      exchange.offer_early_hints if @early_hints
      call(exchange)
      takeover = exchange.takeover
      @is_kept = takeover.nil? && exchange.response.kept?
      return true if takeover.nil? || takeover.finished?

      takeover.shown = [request.head, since, deadline]
      takeover
    rescue ClientLeft, TooLate
      close_input(request, connection) if request
      false
    rescue BadRequest => e
      refuse(connection, e)
      false
    ensure
      if takeover.nil? || takeover.shown.nil?
        close(connection, kept && takeover.nil?) unless @is_kept
        cell.clear
      end
    end

    # Whether the connection of the last request can take another one.
    def kept?
      @is_kept
    end

    # A request on its way through the app. `takeover`: the app has the connection and closes it; else nil.
    class Exchange
      attr_reader :connection, :request, :response, :takeover

      # `kept_frame`: of the response's end, if the connection may be kept; `watching`: the Listeners that watch it, if it
      # was kept before.
      def initialize(connection, request, kept_frame, watching)
        @connection = connection
        @request = request
        @watching = watching
        @response = Response.new(connection, request.framed, request.env["REQUEST_METHOD"], kept_frame)
        @takeover = nil
        request.env["rack.hijack"] = -> { hijack }
      end

      # Puts `rack.early_hints` into the environment, if the peer knows what they are.
      def offer_early_hints
        @request.env["rack.early_hints"] = EarlyHints.new(@connection, @response) if @request.framed
      end

      # Whether the app has taken the connection over from within its call, to speak HTTP itself.
      def hijacked?
        @hijacked
      end

      # Gives the connection to the app.
      def take_over
        return @takeover if @takeover

        @watching.forget(@connection) if @watching
        @response.close_at_end
        @takeover = Takeover.new(@connection)
      end

      # The connection as it is: the app writes the head, too.
      def hijack
        take_over
        @hijacked = true
        @request.env["rack.hijack_io"] = @connection
      end
    end

    private

    def close(connection, is_watched)
      @listeners.forget(connection) if is_watched
      connection.close
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
    end

    # Decides that the app is called; returns the deadline in ns, 0 for none. The clock is read after the
    # acknowledgement is sent: a peer that gives up at `start_before` looks for one that has come, so one of both sides
    # always knows. Raises ClientLeft, TooLate.
    def acknowledge(connection, request, kept)
      unless request.acknowledged
        return check_start(connection, request) if kept

        connection.send("", 0) # fails if the client has left while its request was in the queue
        return 0
      end
      connection.write(@acknowledgement)
      return 0 if request.start_before.zero? && request.time_limit.zero?

      moment = now
      refuse_late(connection) if request.start_before.positive? && moment >= request.start_before
      request.time_limit.zero? ? 0 : moment + request.time_limit
    rescue SystemCallError
      raise ClientLeft, "the client left before its request was acknowledged"
    end

    # A peer that has asked for no acknowledgement sees in the socket whether the request has been read: the clock is
    # looked at after that.
    def check_start(connection, request)
      refuse_late(connection) if request.start_before.positive? && now >= request.start_before
      0
    end

    def refuse_late(connection)
      connection.write(TOO_LATE)
      raise TooLate
    end

    # Has the app answer. Its own code, which may raise anything, costs this request only.
    def call(exchange)
      env = exchange.request.env
      status = headers = body = error = nil
      begin
        status, headers, body = @app.call(env)
        end_copy(nil) if Process.pid != @pid
        respond(exchange, status, headers, body) unless exchange.hijacked?
      rescue Exception => e # rubocop:disable Lint/RescueException
        end_copy(e) if Process.pid != @pid
        error = e
        handle_error(e, exchange)
      end
      close_body(body, exchange)
      close_input(exchange.request, exchange.connection) unless exchange.takeover
      tell_finished(env, status, headers, error)
    end

    # Sends what the app returned. Of a body that has both `each` and `call`, `each` counts.
    def respond(exchange, status, headers, body)
      response = exchange.response
      head = ResponseHead.new(status, headers)
      response.start(head)
      if head.hijack
        stream(exchange, head.hijack)
      elsif body.respond_to?(:each) || body.respond_to?(:to_path)
        send_body(response, body)
        response.finish
        log_excess(exchange) if response.excess.positive?
      elsif body.respond_to?(:call)
        stream(exchange, body)
      else
        raise InvalidResponse, "the body has neither a method 'each' nor 'call': it is of class #{body.class}"
      end
      @request_out_of_band_work.call if head.wants_out_of_band_work
    end

    def send_body(response, body)
      if body.is_a?(Array)
        send_blocks(response, body)
      elsif body.respond_to?(:to_path) && response.takes_files? && (file = regular_file(body.to_path))
        send_file(response, file)
      else
        body.each do |block|
          response.write(block)
          break if response.bodiless? && response.head_sent?
        end
      end
    end

    # All of the body is here: it can be sent in one piece, with its length.
    def send_blocks(response, blocks)
      if blocks.size == 1
        response.write_all(blocks.first)
      elsif blocks.all?(String) && blocks.sum(&:bytesize) <= LONGEST_JOIN
        response.write_all(blocks.map(&:b).join)
      else
        blocks.each { |block| response.write(block) }
      end
    end

    def regular_file(path)
      file = File.open(path.to_s, "rb")
      return file if file.stat.file? && file.size.positive?

      file.close
      nil
    rescue SystemCallError
      nil
    end

    def send_file(response, file)
      response.send_file(file, file.size)
    ensure
      file.close
    end

    # Has the app write the body itself, now or later: the connection is its own until it closes the stream.
    def stream(exchange, writer)
      response = exchange.response
      response.send_head
      return response.finish if response.bodiless?

      exchange.take_over
      stream = Stream.new(exchange.connection, response, exchange.request.input)
      begin
        writer.call(stream)
      rescue Exception => e # rubocop:disable Lint/RescueException
        end_copy(e) if Process.pid != @pid
        stream.cut(log_error(e, exchange)) unless client_left?(e)
        stream.close
      end
    end

    def log_excess(exchange)
      excess = exchange.response.excess
      AppLog.log("jumpseat: #{described(exchange.request)}: #{excess} bytes beyond the end of the body are dropped")
    end

    # Errors

    # Logs what ended a request, and answers it; a response that has begun is cut.
    def handle_error(error, exchange)
      return if client_left?(error)

      error_id = log_error(error, exchange)
      return if exchange.hijacked?
      return exchange.response.cut(error_id) if exchange.response.head_sent?

      type, page = @error_responses.page(exchange.request.env, error, error_id)
      send_error(exchange.response, INTERNAL_ERROR, exchange.request.framed ? error_id : nil, type, page)
    end

    def log_error(error, exchange)
      what = error.is_a?(InvalidResponse) ? "an invalid response" : "the app failed"
      error_id = ErrorResponses.new_error_id
      AppLog.log_app_error("#{described(exchange.request)}: #{what} (error id #{error_id})", error)
      error_id
    end

    # Whether an error is ClientLeft, or was raised because of it: nobody waits for an answer.
    def client_left?(error)
      AppLog.causes(error).any?(ClientLeft)
    end

    def refuse(connection, error)
      AppLog.log("jumpseat: refused a request: #{error.message}")
      response = Response.new(connection, error.framed, "GET", nil)
      send_error(response, error.status, nil, *ErrorResponses.plain(error.status, REFUSED))
    end

    # Sends a page of ours instead of the app's response.
    def send_error(response, status, error_id, type, page)
      head = ResponseHead.new(status, { "Content-Type" => type, **ErrorResponses::HEADERS })
      head.add_error_id(error_id) if error_id
      response.start(head)
      response.write_all(page)
      response.finish
    rescue ClientLeft
      nil
    end

    # Returns method and path for a log line, on one line whatever they hold.
    def described(request)
      env = request.env
      "#{env["REQUEST_METHOD"]} #{env["SCRIPT_NAME"]}#{env["PATH_INFO"]}".inspect[1..-2]
    end

    # The end

    def close_body(body, exchange)
      body.close if body.respond_to?(:close)
    rescue Exception => e # rubocop:disable Lint/RescueException
      AppLog.log_app_error("#{described(exchange.request)}: close() failed", e) unless client_left?(e)
    end

    # Calls what the app has put into `rack.response_finished`, the last one first (Rack 3).
    def tell_finished(env, status, headers, error)
      callbacks = env["rack.response_finished"]
      return if !callbacks.is_a?(Array) || callbacks.empty?

      callbacks.reverse_each do |callback|
        callback.call(env, status, headers, error)
      rescue Exception => e # rubocop:disable Lint/RescueException
        AppLog.log_app_error("a callback of rack.response_finished failed", e)
      end
    end

    # Closes a request body, and with it its file. Before that, reads within limits what a plain peer still sends: a
    # connection that is closed with bytes unread is reset, and such a peer may lose our answer.
    def close_input(request, connection)
      input = request.input
      return if input.is_a?(StringIO)

      drain(connection) unless request.framed || input.is_a?(File)
      input.close if input.respond_to?(:close)
    rescue IOError, SystemCallError
      nil
    end

    def drain(connection)
      (LONGEST_DRAIN / DRAIN_STEP).times do
        break unless connection.wait_readable(DRAIN_TIMEOUT)
        break if connection.read_nonblock(DRAIN_STEP, exception: false).nil?
      end
    end

    # Ends a copy of this process that the app has forked and whose code has left the app.
    def end_copy(error)
      return exit!(error.nil? ? 0 : error.status) if error.nil? || error.is_a?(SystemExit)

      AppLog.log_app_error("a process that the app has forked ends with an error", error)
      exit!(1)
    end
  end
end
