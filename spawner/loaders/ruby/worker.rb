# frozen_string_literal: true

require_relative "core/control_line"
require_relative "core/listeners"
require_relative "core/signal_queue"
require_relative "diagnostics/failed_message"
require_relative "forking"
require_relative "rack/environment"
require_relative "rack/request_handler"
require_relative "server_hooks"

module JumpseatLoader
  # Which worker of its group a process is. `listener`: the descriptor of its own socket, nil without one.
  WorkerSlot = Struct.new(:number, :route, :listener)

  # A worker: accepts on the group's socket, and on its own if it has one, until it is told to retire (docs/protocol.md,
  # sections 2, 5 and 6).
  #
  # Each request has a thread, from the beginning to its end. The threads that have none take turns: the one that holds
  # `@accepting` waits for connections and for messages, and gives it up with the connection that it has accepted. So a
  # worker takes no connection that it has no thread for, and a request is never handed from one thread to another. The
  # main thread waits for their end, and runs the handlers of signals.
  #
  # Invariants: `@retiring` and `@limit_reached` stay when they are set; all but `@work_requested` changes under
  # `@accepting`.
  class Worker
    CAPABILITIES = %w[acknowledge body-file expect framed-body frames keep-alive tail token].freeze
    NO_LIMIT = 1 << 62 # requests
    LINE = Listeners::CONTROL
    LIFELINE = LINE << 1
    SIGNALS = LINE << 2
    CONTROL = LINE | LIFELINE | SIGNALS

    # `context`: WorkerContext.
    def initialize(context, line, slot)
      @context = context
      @line = line
      @slot = slot
      @accepting = Mutex.new
      @limit = context.max_requests.zero? ? NO_LIMIT : context.max_requests
      @retiring = @limit_reached = @own_is_next = @group_is_next = false
      @work_requested = @work_reported = @work_granted = @bounded = false
    end

    # Serves until told to retire, calls the app's hooks; returns the status with which the process is to end: 0, or 1
    # when it could not serve.
    def run(forked)
      @signals = SignalQueue.new(%w[TERM INT])
      ProcessInspection.command = "worker"
      ProcessInspection.title = "worker of #{@context.group}"
      return 1 unless prepare(forked)

      most = most_requests
      threads = [@context.threads, most].compact.min
      board = @context.scoreboard.slot(@slot.number, threads, most)
      serve(board, threads)
      board.worker_ended
      0
    rescue LineClosed, SystemExit, Interrupt # the latter two: from a handler of the app's own
      0
    rescue Exception => e # rubocop:disable Lint/RescueException -- the process ends here, and says why
      AppLog.log_internal_error("internal error, the worker ends", e)
      Events.call_and_log(:unhandled_exception_before_exit, e)
      1
    ensure
      Events.call_and_log(:stopping_worker_process)
    end

    private

    # Makes a copy of the preloader a process of its own; false when the app cannot.
    def prepare(forked)
      Forking.after_fork if forked
      ServerHooks.worker_started(@slot.number, forked)
      Events.call(:starting_worker_process, forked)
      Events.call(:credentials, nil, nil)
      Events.call(:after_installing_signal_handlers)
      true
    rescue Exception => e # rubocop:disable Lint/RescueException -- the app's own code
      AppLog.log("jumpseat: a hook for a new worker failed\n#{AppLog.backtrace(e)}")
      send_failure(e)
      false
    end

    def send_failure(error)
      raise LoadFailure.new(Steps::AFTER_FORK, AppLog.summary(error))
    rescue LoadFailure => e
      responses = @context.error_responses
      FailedMessage.send_to(@line, e, responses.friendly, responses.files)
    end

    # Serving

    def serve(board, thread_count)
      @board = board
      control = [@line, @context.lifeline, @signals.reader]
      @listeners = Listeners.new(@context.listener.fileno, @slot.listener, control, thread_count)
      @accepting.lock # until all threads are there, and the spawner knows it
      threads = Array.new(thread_count) { |number| Thread.new { run_thread(number) } }
      @listeners.prepare # connections wake this worker from now on
      board.worker_ready
      send_ready
      @accepting.unlock
      wait_for(threads)
    end

    def new_handler
      environment = Environment.new(@context.server_software, @context.threads, @context.multiprocess)
      reader = RequestReader.new(@context.token, environment, !AppLoader.rack3?)
      context = @context
      RequestHandler.new(context.app, reader, context.error_responses, @listeners, @slot, context.early_hints) do
        request_out_of_band_work
      end
    end

    def send_ready
      fields = [["slot", @slot.number.to_s]]
      fields << ["route", @slot.route] unless @slot.route.empty?
      fields << ["capabilities", CAPABILITIES.join(" ")]
      warnings = @context.left_threads ? @context.left_threads.warnings : []
      @line.send_message("ready", fields + warnings.map { |text| ["warning", text] })
    end

    # Returns how many requests this worker can be in, as the app says it; nil: any number.
    def most_requests
      level = PhusionPassenger.advertised_concurrency_level
      return nil unless level.is_a?(Integer) && level.positive?

      @bounded = true
      if level > @context.threads
        AppLog.log("jumpseat: advertised_concurrency_level is #{level}, and PassengerThreadCount #{@context.threads}: so " \
                   "many requests run at a time, and the others are those whose connection the app has taken over")
      end
      level
    end

    # Waits for the end of the threads, and of what the app has taken over from them. An app's handler of a signal may
    # raise in the main thread: that means to retire.
    def wait_for(threads)
      threads.each(&:join)
      @board.wait_for_takeovers
    rescue SystemExit, Interrupt, SignalException
      @told_to_retire = true
      @signals.wake
      retry
    end

    def run_thread(number)
      Thread.current.name = "request-#{number + 1}"
      Thread.current.report_on_exception = false # the main thread has it from `join`
      Events.call_and_log(:starting_request_handler_thread)
      handler = new_handler
      while (accepted = @accepting.synchronize { next_connection })
        serve_connection(handler, *accepted)
      end
    end

    # `kept`: the connection was kept.
    def serve_connection(handler, connection, cell, kept)
      served = false
      served = handler.handle(connection, cell, kept, may_keep?(kept))
      @listeners.keep(connection) if handler.kept?
    ensure
      served.is_a?(Takeover) ? let_go_on(cell, served) : @board.request_finished(cell, served)
      request_out_of_band_work if served && ServerHooks.out_of_band?
      @signals.wake if @work_granted || @bounded
    end

    # The request lasts until the app closes the connection that it has taken over.
    def let_go_on(cell, takeover)
      @board.request_taken_over(cell, takeover)
      takeover.when_finished do
        @board.takeover_finished(takeover)
        @signals.wake
      end
    end

    # Whether another request may come on a connection.
    def may_keep?(kept)
      !@retiring && !@limit_reached && (kept || @listeners.can_keep?)
    end

    # Returns the next connection, its cell, and whether it was kept; nil when there is none any more.
    def next_connection
      loop do
        report
        return last_connection if @retiring

        if @work_granted
          @board.in_threads.zero? ? run_out_of_band_work : look_at_control
        elsif @board.full?
          look_at_control
        else
          connection = accept_next
          return connection if connection
        end
      end
    end

    # Waits for a connection or a message. Returns the connection, or nil: there may be something else to do.
    #
    # A connection that came while this worker was busy is left to others when this one is to stop. A connection that
    # woke it is accepted even if a message came at the same time: the exclusive watch has woken nobody else.
    def accept_next
      return take_ready if @listeners.kept_ready?

      with_group = !(@limit_reached && @context.stop_at_max_requests)
      ready = @listeners.wait(with_group, true, 0)
      was_queued = ready != 0
      ready = @listeners.wait(with_group, true, -1) unless was_queued
      changed = (ready & CONTROL).positive? && read_control(ready)
      return nil if changed && (was_queued || (ready & Listeners::GROUP).zero?)

      accept_ready(ready, was_queued)
    end

    # Takes a request of a kept connection that the last wait has found, in turn with new connections while there are any.
    def take_ready
      if @group_is_next
        @group_is_next = false
        connection = accept_of_group
        return connection if connection
      else
        @group_is_next = @group_was_ready
      end
      begin_request(@listeners.take_kept, true)
    end

    # Accepts from the sockets that are ready: from both in turn while both are full.
    def accept_ready(ready, was_queued)
      @group_was_ready = @group_is_next = (ready & Listeners::GROUP).positive?
      return take_ready if ready >= Listeners::KEPT

      own = (ready & Listeners::OWN).positive?
      return own ? accept_own : nil if (ready & Listeners::GROUP).zero?
      return accept_own || accept_of_group if own && was_queued && @own_is_next

      @own_is_next = true
      accept_of_group || (own ? accept_own : nil)
    end

    def accept_of_group
      accept(@listeners.group)
    end

    def accept_own
      @own_is_next = false
      accept(@listeners.own)
    end

    # Returns a connection and its cell, nil if another worker has been quicker.
    def accept(listener)
      connection = listener.accept_nonblock(exception: false)
      return nil if connection == :wait_readable

      begin_request(connection, false)
    rescue Errno::ECONNABORTED, Errno::EINTR
      nil
    end

    def begin_request(connection, kept)
      @listeners.prefer_other_workers if @board.running.positive? # others may be in no request
      [connection, @board.request_started, kept]
    end

    # Returns what waits at the worker's own socket, whose path is removed already; nil when nothing is left.
    def last_connection
      @listeners.close_kept
      return nil if @listeners.own.nil?

      connection = accept_own
      @listeners.close_own if connection.nil?
      connection
    end

    # The control line

    def look_at_control
      read_control(@listeners.wait(false, false, -1))
    end

    # Reads the ready ones of lifeline, signals and control line. Returns true.
    def read_control(ready)
      @retiring = true if (ready & LIFELINE).positive?
      if (ready & SIGNALS).positive?
        signals = @signals.read
        @retiring = true if @told_to_retire || !(signals & %w[TERM INT]).empty?
      end
      handle_message(@line.receive) if (ready & LINE).positive?
      true
    end

    def handle_message(message)
      case message && message.kind
      when nil, "retire" then @retiring = true
      when "work_granted" then @work_granted = true
      when "load" then message.close # again, by a spawner whose predecessor was killed before it could note it
      else raise UnexpectedMessage, "a worker got the message #{message.kind.inspect}"
      end
    end

    # Tells the spawner what has happened since the last report.
    def report
      if !@limit_reached && @board.started >= @limit
        @limit_reached = true
        @listeners.close_kept
        send_message("max_requests_reached", [["requests", @board.started.to_s]])
      end
      return unless @work_requested && !@work_reported

      @work_reported = true
      send_message("work_requested")
    end

    # Sends it if the spawner is still there; its end means to retire.
    def send_message(kind, fields = [])
      @line.send_message(kind, fields)
    rescue LineClosed
      @retiring = true
    end

    # Out-of-band work

    def request_out_of_band_work
      @work_requested = true
      @signals.wake
    end

    def run_out_of_band_work
      @board.out_of_band_work_started
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      @work_requested = false
      Events.call_and_log(:oob_work)
      @work_granted = @work_reported = false
      @board.out_of_band_work_finished
      seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
      send_message("work_done", [["seconds", format("%.3f", seconds)]])
    end
  end
end
