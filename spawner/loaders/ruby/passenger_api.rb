# frozen_string_literal: true

module JumpseatLoader
  # What the app has asked to be told of, by `PhusionPassenger.on_event`.
  module Events
    NAMES = %i[
      starting_worker_process stopping_worker_process starting_request_handler_thread credentials
      after_installing_signal_handlers oob_work unhandled_exception_before_exit
    ].freeze
    @handlers = Hash.new { |handlers, name| handlers[name] = [] }

    class << self
      # Raises ArgumentError for an event that there is not.
      def add(name, handler)
        check(name)
        @handlers[name.to_sym] << handler
      end

      def check(name)
        raise ArgumentError, "Unknown event name '#{name}'" unless NAMES.include?(name.to_sym)
      end

      # Whether the app has a handler for an event.
      def any?(name)
        @handlers.key?(name)
      end

      # Calls the app's handlers in their order. Raises what they raise.
      def call(name, *arguments)
        @handlers[name].each { |handler| handler.call(*arguments) } if @handlers.key?(name)
      end

      # The same for an event whose handlers must not end what is being done: errors go to the log.
      def call_and_log(name, *arguments)
        call(name, *arguments)
      rescue Exception => e # rubocop:disable Lint/RescueException -- the app's own code
        AppLog.log_app_error("a handler of the event #{name} failed", e)
      end
    end
  end
end

# What apps use that know Phusion Passenger: an app that was written for it runs unchanged. An app is told of
#
# - starting_worker_process(forked): in each process that serves, before its first request
# - credentials(nil, nil): right after that one; there are none
# - stopping_worker_process: before such a process ends
# - starting_request_handler_thread: in each thread that serves, before its first request
# - after_installing_signal_handlers: the app may install its own from then on
# - oob_work: the time for what it has requested by the header `!~Request-OOB-Work: true` of a response
# - unhandled_exception_before_exit(error): the process ends because of an error
module PhusionPassenger
  @advertised_concurrency_level = @union_station_key = nil

  class << self
    # How many requests a process can be in, with those whose connection the app has taken over; nil or 0: any number.
    # It counts as it is when the process begins to serve.
    attr_accessor :advertised_concurrency_level

    # Of a service that is no more.
    attr_accessor :union_station_key

    # Of that service, too.
    def install_framework_extensions!(_options = {}); end

    # Calls the block on an event.
    def on_event(name, &block)
      raise ArgumentError, "on_event needs a block" unless block

      JumpseatLoader::Events.add(name, block)
    end

    # Calls the blocks of an event.
    def call_event(name, *arguments)
      JumpseatLoader::Events.check(name)
      JumpseatLoader::Events.call(name.to_sym, *arguments)
    end
  end

  # The app that this process serves.
  module App
    class << self
      # The Rack app, and with which options it was loaded: `app_root`, `app_type`, `startup_file`, `environment` and
      # others.
      attr_accessor :app, :options
    end
  end
end

module PhusionPassenger
  # Apps show this constant. It is not there: where it is, the library of the gem passenger defines nothing of its own.
  def self.const_missing(name)
    name == :VERSION_STRING ? "6.0.17" : super # whose interface this is
  end

  # That library, which many Gemfiles name, has methods of the same names that do nothing. Those above go before them.
  singleton_class.prepend(
    Module.new do
      PhusionPassenger.singleton_methods(false).each do |name|
        ours = PhusionPassenger.method(name)
        define_method(name) { |*arguments, &block| ours.call(*arguments, &block) }
      end
    end
  )
end
