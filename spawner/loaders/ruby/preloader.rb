# frozen_string_literal: true

require_relative "core/control_line"
require_relative "core/scoreboard"
require_relative "core/signal_queue"
require_relative "diagnostics/error_page"
require_relative "diagnostics/failed_message"
require_relative "diagnostics/process_inspection"
require_relative "forking"
require_relative "passenger_api"
require_relative "rack/app_loader"
require_relative "server_hooks"
require_relative "worker"

module JumpseatLoader
  # What all workers of a preloader start with: the loaded app, the group's socket and scoreboard, the limits.
  WorkerContext = Struct.new(
    :app, :group, :listener, :scoreboard, :lifeline, :threads, :max_requests, :stop_at_max_requests, :token,
    :multiprocess, :server_software, :error_responses, :early_hints, :left_threads
  )

  # The preloader: loads the app once, then forks a worker of it on each command (docs/protocol.md, section 5). A direct
  # process, whose `load` names a slot, becomes a worker itself when the app has loaded.
  #
  # Invariants: `@context` is set once the app has loaded, and nothing is forked before; `@workers` has the pids of the
  # children that we forked and have not reaped.
  class Preloader
    # Serves the control line `descriptor` until it ends. The process ends with it: 0, or 1 when the app cannot load.
    def self.run(descriptor)
      %w[INT TERM].each { |name| trap(name, "SYSTEM_DEFAULT") }
      $stdout.sync = $stderr.sync = true
      preloader = new(ControlLine.new(descriptor))
      status = guarded { preloader.run }
      preloader.worker? ? end_worker(status) : exit!(status)
    end

    # Returns the status with which the process is to end.
    def self.guarded
      yield
    rescue LineClosed
      0
    rescue LoadFailure
      1 # told to the spawner
    rescue MalformedMessage, UnexpectedMessage, SystemCallError => e
      AppLog.log("jumpseat: error on the control line, the process ends: #{e.message}")
      1
    rescue Exception => e # rubocop:disable Lint/RescueException -- the process ends here, and says why
      AppLog.log_internal_error("internal error, the preloader ends", e)
      1
    end

    # Ends a worker: runs what the app has registered by at_exit, then leaves without Ruby's own end, which would write
    # to, and so unshare, pages.
    def self.end_worker(status)
      @worker_pid = Process.pid
      exit(status)
    end

    # Of at_exit's blocks the first one runs last.
    at_exit do
      if @worker_pid == Process.pid
        [$stdout, $stderr].each { |stream| stream.flush rescue nil } # rubocop:disable Style/RescueModifier
        exit!($!.is_a?(SystemExit) ? $!.status : 1)
      end
    end

    def initialize(line)
      @line = line
      @workers = []
      @pid = Process.pid
      @is_worker = false
      @warmed_up = false
    end

    # Whether this process has become a worker itself.
    def worker?
      @is_worker
    end

    # Says hello, loads the app, then follows the spawner's messages until `retire`; returns the exit status. Raises
    # LineClosed, LoadFailure, UnexpectedMessage, MalformedMessage.
    def run
      @line.send_message("hello", Preloader.hello)
      message = @line.receive
      return 0 if message.nil? || message.kind == "retire"

      load(message)
      return become_worker(message) unless message["slot"].empty?

      nil while step
      0
    end

    # Returns the fields of a `hello`.
    def self.hello
      [["runtime", "Ruby #{RUBY_VERSION}"], ["executable", RbConfig.ruby]]
    end

    private

    # Loads the app. An app that execs another interpreter meanwhile says hello there, and is sent the message again.
    def load(message)
      listener, board, lifeline, = expect(message, "load", 3)
      ProcessInspection.command = "loader"
      ProcessInspection.title = "loading #{message["group"]}"
      ProcessInspection.write_stacks_on(message["backtrace_signal"].to_i) unless message["backtrace_signal"].empty?
      files = AppFiles.new(message["app_root"])
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      app = load_app(message, files)
      seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
      require_own_libraries
      @line.close_on_exec
      @signals = SignalQueue.new(%w[CHLD TERM])
      @warmed_up = message["warmup"] == "0"
      @files = files
      @context = new_context(app, message, listener, board, lifeline)
      ProcessInspection.title = "preloader of #{message["group"]}"
      @line.send_message("loaded", [["seconds", format("%.3f", seconds)]])
    end

    # Not before the app: it is a gem, of which the app's Gemfile may ask for another version.
    def require_own_libraries
      require "stringio"
    end

    def load_app(message, files)
      PhusionPassenger::App.options = app_options(message)
      loader = AppLoader.new(message["app_root"], message["startup_file"])
      PhusionPassenger::App.app = loader.load { ServerHooks.read(message["hooks_file"]) }
    rescue LoadFailure => e
      exit!(1) if Process.pid != @pid # a copy that the app has forked
      FailedMessage.send_to(@line, e, message["friendly"] == "1", files)
      raise
    ensure
      exit!(0) if Process.pid != @pid
    end

    def app_options(message)
      {
        "app_root" => message["app_root"], "app_type" => "rack", "startup_file" => message["startup_file"],
        "app_group_name" => message["group"], "environment" => ENV["RACK_ENV"] || ENV["PASSENGER_APP_ENV"],
        "base_uri" => ENV["RACK_BASE_URI"] || "/"
      }
    end

    def new_context(app, message, listener, board, lifeline)
      WorkerContext.new(
        app, message["group"], listener, Scoreboard.new(File.for_fd(board.fileno, "r+b").tap { board.autoclose = false }),
        lifeline, [1, message["threads"].to_i].max, message["max_requests"].to_i, message["stop_at_max_requests"] == "1",
        message["app_token"], message["multiprocess"] == "1", message["server_software"],
        ErrorResponses.new(@files, message["friendly"] == "1"), message["early_hints"] == "1", nil
      )
    end

    # Waits for whatever comes and deals with it; false when the preloader is to end.
    def step
      ready, = IO.select([@line, @context.lifeline, @signals.reader])
      if ready.include?(@signals.reader)
        return false if @signals.read.include?("TERM")

        reap
      end
      return false if ready.include?(@context.lifeline)

      !ready.include?(@line) || handle_message(@line.receive)
    end

    def handle_message(message)
      return false if message.nil? || message.kind == "retire"

      case message.kind
      when "fork" then fork_worker(message)
      when "load" then message.close # a spawner was killed when it had sent one: the next one has sent it again
      else raise UnexpectedMessage, "a preloader whose app is loaded got the message #{message.kind.inspect}"
      end
      true
    end

    # Forks, and names the child at once: hooks that run inside fork() may keep it from ever saying hello.
    def fork_worker(message)
      expect(message, "fork", 2)
      number = message["slot"]
      ServerHooks.before_fork(number.to_i)
      Forking.before_fork
      warm_up
      @context.left_threads = LeftThreads.new(@files)
      [$stdout, $stderr].each(&:flush)
      pid = fork { become_forked_worker(message) }
      @workers << pid
      @line.send_message("forked", [["slot", number], ["pid", pid.to_s]])
      ServerHooks.forked(number.to_i, pid)
    rescue SystemCallError => e
      @line.send_message("fork_failed", [["slot", number], ["summary", "fork: #{e.message}"]])
    ensure
      message.close
    end

    def warm_up
      Forking.warm_up unless @warmed_up
      @warmed_up = true
    end

    def become_forked_worker(message)
      line, output, = message.descriptors
      [STDOUT, STDERR].each { |stream| redirect(stream, output) }
      output.close
      @line.close
      @signals.close
      line.autoclose = false
      own_line = ControlLine.new(line.fileno)
      own_line.close_on_exec
      status = Preloader.guarded do
        own_line.send_message("hello", Preloader.hello)
        Worker.new(@context, own_line, worker_slot(message)).run(true)
      end
      Preloader.end_worker(status)
    end

    # An app may have closed one of the streams.
    def redirect(stream, output)
      stream.reopen(output)
      stream.sync = true
    rescue IOError
      nil
    end

    def become_worker(message)
      @is_worker = true
      return 0 if @signals.read.include?("TERM")

      @signals.close
      Worker.new(@context, @line, worker_slot(message)).run(false)
    end

    def worker_slot(message)
      own = message["route"].empty? ? nil : message.descriptors.last
      own.autoclose = false if own
      WorkerSlot.new(message["slot"].to_i, message["route"], own && own.fileno)
    end

    # Returns the descriptors of a message. Raises UnexpectedMessage when it is another one, or has others.
    def expect(message, kind, count)
      count += 1 unless message["route"].empty? # with the worker's own socket
      return message.descriptors if message.kind == kind && message.descriptors.size == count

      raise UnexpectedMessage, "expected #{kind.inspect} with #{count} descriptors, got #{message.kind.inspect} with " \
                               "#{message.descriptors.size}"
    end

    # Reports the workers that have ended. Only ours: the app's own children are the app's to wait for.
    def reap
      @workers.dup.each do |pid|
        ended, status = reaped(pid)
        next unless ended

        @workers.delete(pid)
        @line.send_message("exited", [["pid", pid.to_s], ["status", status.to_s]])
        ServerHooks.worker_ended(pid, $? && $?.pid == pid ? $? : nil)
      end
    end

    def reaped(pid)
      ended, status = Process.wait2(pid, Process::WNOHANG)
      [ended, status.to_i]
    rescue Errno::ECHILD
      [pid, 0] # somebody else, in the app, has waited for it
    end
  end
end
