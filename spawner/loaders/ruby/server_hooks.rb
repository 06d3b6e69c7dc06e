# frozen_string_literal: true

require_relative "diagnostics/app_log"
require_relative "hook_arguments"
require_relative "passenger_api"
require_relative "server_config"

module JumpseatLoader
  # The hooks in a configuration file of Puma or Unicorn (PassengerRubyHooksFile), which run here as they did there. All
  # else that the file says has no effect. docs/coming-from-puma.md says when each one runs.
  #
  # An error in a hook of Puma goes to the log, as in Puma. An error in a hook that Unicorn runs in a worker ends the
  # worker, as in Unicorn.
  module ServerHooks
    # Puma's newer names by the older ones.
    RENAMED = {
      :on_worker_boot => :before_worker_boot, :on_worker_shutdown => :before_worker_shutdown,
      :on_worker_fork => :before_worker_fork, :after_worker_boot => :after_worker_fork, :on_booted => :after_booted,
      :on_thread_start => :before_thread_start, :on_thread_exit => :before_thread_exit, :on_restart => :before_restart,
      :on_refork => :before_refork, :on_stopped => :after_stopped
    }.freeze
    RUN = %i[
      before_fork before_worker_boot before_worker_shutdown before_worker_fork after_worker_fork after_worker_shutdown
      after_booted before_thread_start out_of_band after_fork after_worker_exit after_worker_ready
    ].freeze
    # There is no moment for these here.
    NOT_RUN = %i[before_thread_exit before_restart before_refork after_refork after_stopped before_exec].freeze
    OF_PRELOADER = %i[
      before_fork before_worker_fork after_worker_fork after_worker_shutdown after_worker_exit
    ].freeze

    @hooks = Hash.new { |hooks, name| hooks[name] = [] }
    @data = Hash.new { |data, key| data[key] = {} } # what Puma's hooks with a key hand on to each other
    @slots = {} # of the workers, by pid
    @begun = @booted = false

    class << self
      # Reads the file: a path relative to the working directory, or empty. Raises whatever the file raises.
      def read(path)
        return if path.empty?

        config = ServerConfig.new
        config.evaluate(path)
        config.run_blocks_of(:cluster)
        @path = path
        @server = UnicornServer.new(config)
        config.calls.each { |call| enter(call) }
        warn_of(config.calls.select { |call| NOT_RUN.include?(name_of(call)) }, "there is no such moment here")
        connect_events
      end

      # Whether the app has work to do after each request.
      def out_of_band?
        @hooks.key?(:out_of_band)
      end

      # In the preloader

      def before_fork(slot)
        first = !@begun
        @begun = true
        each(:before_fork) do |call|
          if of_unicorn?(call)
            call.block.call(@server, UnicornWorker.new(slot))
          elsif first
            call.block.call
          end
        end
        each(:before_worker_fork) { |call| call.block.call(slot) }
      end

      def forked(slot, pid)
        @slots[pid] = slot
        each(:after_worker_fork) { |call| call.block.call(slot) }
        boot
      end

      # `status`: Process::Status, or nil if somebody else has got it.
      def worker_ended(pid, status)
        slot = @slots.delete(pid)
        handle = PumaWorkerHandle.new(slot, pid, status)
        each(:after_worker_shutdown) { |call| call.block.call(handle) }
        each(:after_worker_exit) { |call| call.block.call(@server, UnicornWorker.new(slot), status) }
      end

      # In a worker, before its first request. Raises what the hooks of Unicorn raise.
      def worker_started(slot, forked)
        @slot = slot
        warn_of_direct unless forked
        calls_of(:after_fork).each { |call| call.block.call(@server, UnicornWorker.new(slot)) }
        each(:before_worker_boot) { |call| call_puma(call) }
        boot unless forked
      end

      private

      def enter(call)
        # Unicorn also takes an object that has `call`.
        call.block ||= call.arguments.find { |argument| argument.respond_to?(:call) }
        @hooks[name_of(call)] << call if call.block && RUN.include?(name_of(call))
      end

      def name_of(call)
        RENAMED.fetch(call.word, call.word)
      end

      def calls_of(name)
        @hooks.key?(name) ? @hooks[name] : []
      end

      # Before the handlers of the app itself, because the app is loaded later.
      def connect_events
        on(:starting_request_handler_thread) { each(:before_thread_start) { |call| call.block.call } }
        on(:stopping_worker_process) { each(:before_worker_shutdown) { |call| call_puma(call) } }
        on(:oob_work) { each(:out_of_band) { |call| call.block.call } } if out_of_band?
        on(:after_installing_signal_handlers) do
          calls_of(:after_worker_ready).each { |call| call.block.call(@server, UnicornWorker.new(@slot)) }
        end
      end

      def on(event, &handler)
        Events.add(event, handler)
      end

      # When the first worker is there.
      def boot
        return if @booted

        @booted = true
        each(:after_booted) { |call| call.block.call }
      end

      # With its key, a hook gets a Hash that all hooks of this worker with the same key share.
      def call_puma(call)
        key = call.arguments.find { |argument| argument.is_a?(Symbol) || argument.is_a?(String) }
        key ? call.block.call(@slot, @data[key.to_sym]) : call.block.call(@slot)
      end

      # Unicorn gives server and worker, Puma nothing.
      def of_unicorn?(call)
        !call.block.respond_to?(:arity) || call.block.arity == 2
      end

      def each(name)
        calls_of(name).each do |call|
          yield call
        rescue StandardError, ScriptError => e
          AppLog.log_app_error("the hook #{call.word} in #{@path}, line #{call.line}, failed", e)
        end
      end

      def warn_of_direct
        calls = OF_PRELOADER.flat_map { |name| calls_of(name) }
        warn_of(calls, "with PassengerSpawnMethod direct, no process forks workers")
      end

      def warn_of(calls, reason)
        return if calls.empty?

        places = calls.map { |call| "#{call.word} (line #{call.line})" }.join(", ")
        AppLog.log("jumpseat: #{@path}: these hooks do not run: #{places}; #{reason}. See docs/coming-from-puma.md")
      end
    end
  end
end
