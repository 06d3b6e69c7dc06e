# frozen_string_literal: true

require_relative "diagnostics/app_log"

module JumpseatLoader
  # What the hooks of Puma and Unicorn are given as arguments. What a server of theirs knows and ours does not is nil or
  # without effect; the log says so, once for each method.

  # Puma's view of a worker, for `after_worker_shutdown`.
  PumaWorkerHandle = Struct.new(:index, :pid, :process_status)

  # Says once that a method is not there.
  module MissingMethods
    @told = {}

    def self.tell(receiver, name)
      return if @told.key?([receiver, name])

      @told[[receiver, name]] = true
      AppLog.log("jumpseat: #{receiver}.#{name} has no effect here. See docs/coming-from-puma.md")
    end

    def method_missing(name, *)
      return super if name.to_s.start_with?("to_") # Ruby asks whether it can be converted

      MissingMethods.tell(unicorn_name, name)
      nil
    end

    def respond_to_missing?(*)
      false
    end
  end

  # The `server` of Unicorn's hooks.
  class UnicornServer
    include MissingMethods

    # Writes into the app's log.
    class Logger
      %i[debug info warn error fatal unknown].each do |level|
        define_method(level) { |text = nil, &block| AppLog.log(AppLog.text(text || (block && block.call))) }
      end
    end

    attr_reader :logger

    def initialize(config)
      @config = config
      @logger = Logger.new
    end

    # Without pid file, so that hooks find no older Unicorn to end.
    def config
      {}
    end

    def pid
      nil
    end

    def worker_processes
      @config.values_of(:worker_processes).fetch(-1, 1)
    end

    def timeout
      @config.values_of(:timeout).fetch(-1, 60)
    end

    private

    def unicorn_name
      "server"
    end
  end

  # The `worker` of Unicorn's hooks. It may be compared to its number.
  class UnicornWorker
    include MissingMethods

    attr_reader :nr

    def initialize(number)
      @nr = number
    end

    def ==(other)
      @nr == (other.is_a?(UnicornWorker) ? other.nr : other)
    end

    private

    def unicorn_name
      "worker"
    end
  end
end
